//! What the error of a group says of the tasks that failed.

use tenter::task::cancelled;
use tenter::{TaskGroup, task_group};

use crate::support::{panics, turns};

/// Goal: each failure is shown with the name of its task, if it has one, and the place of its spawn, in the
/// words in which that task's handle shows it; and both can be asked for.
#[tenter::test]
async fn a26_a_failure_says_the_name_and_the_place_of_its_task() {
    let mut handles = Vec::new();
    let mut lines = Vec::new();
    let error = task_group(async |group: &TaskGroup<&str>| {
        let db = async {
            cancelled().await;
            Err::<(), _>("boom")
        };
        let cache = async {
            cancelled().await;
            panics().await
        };
        lines.push(line!() + 1);
        handles.push(group.named("db").spawn(db));
        lines.push(line!() + 1);
        handles.push(group.named("cache").spawn(cache));
        turns(1).await;
        lines.push(line!() + 1);
        handles.push(group.spawn(async { Err("bang") }));
        cancelled().await;
        Ok(())
    })
    .await
    .expect_err("three fail");
    let said: Vec<_> = error.iter().map(ToString::to_string).collect();
    let whole = format!("3 failures in a task group: {}", said.join("; "));
    assert_eq!(error.to_string(), whole);

    let mut failures = error.into_vec();
    failures.sort_by_key(|failure| failure.task_id());
    let expected = [
        (Some("db"), " \"db\"", "failed: boom"),
        (Some("cache"), " \"cache\"", "panicked: on purpose"),
        (None, "", "failed: bang"),
    ];
    for (index, (name, shown, end)) in expected.into_iter().enumerate() {
        let (failure, id) = (&failures[index], handles[index].id());
        let joined = (&mut handles[index]).await.expect_err("it failed");
        let place = failure.spawned_at().expect("it is a task's");
        assert_eq!((place.file(), place.line()), (file!(), lines[index]));
        let text = format!("task {id}{shown} spawned at {place} {end}");
        assert_eq!(failure.to_string(), text);
        assert_eq!(failure.name(), name);
        assert!(format!("{failure:?}").contains(&place.to_string()));

        assert_eq!((joined.name(), joined.spawned_at()), (name, place));
        let joined = joined.to_string();
        let start = joined.strip_suffix("see the error of its group");
        assert!(text.starts_with(start.expect("it is in the group's")));
    }
}

/// Goal: the body is no task: it has neither name nor place.
#[tenter::test]
async fn a26_a_failure_of_the_body_has_no_name_and_no_place() {
    let error = task_group(async |_: &TaskGroup<&str>| Err::<(), _>("boom")).await;
    let error = error.expect_err("the body failed");
    let first = error.first();
    assert_eq!((first.name(), first.spawned_at()), (None, None));
    assert_eq!(first.to_string(), "the body failed: boom");
}
