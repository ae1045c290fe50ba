//! A15, A95, X16: the tasks of a runtime as a tree, and the cases K05 and T13 of it.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tenter::sync::Event;
use tenter::task::{self, TaskState, TaskTree, WaitKind, yield_now};
use tenter::testing::wait_all_tasks_blocked;
use tenter::time::sleep;
use tenter::{JoinHandle, gather, task_group};
use tenter_tests::support::assert_says;

fn spawn<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    task::Builder::new().name(name).spawn(future)
}

fn sorted(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort();
    names
}

fn names<'a>(tasks: impl Iterator<Item = &'a task::TaskNode>) -> Vec<String> {
    sorted(tasks.map(|task| task.name().unwrap_or("").to_owned()))
}

/// The task with this name.
#[track_caller]
fn named<'a>(tree: &'a TaskTree, name: &str) -> &'a task::TaskNode {
    let mut tasks = tree.tasks().iter();
    let found = tasks.find(|task| task.name() == Some(name));
    found.unwrap_or_else(|| panic!("no {name} in:\n{tree}"))
}

fn awaiters(tree: &TaskTree, name: &str) -> Vec<String> {
    let awaiters = tree.awaited_by(named(tree, name).id());
    awaiters.map(|awaiter| awaiter.to_string()).collect()
}

/// Goal: case K05. A group with children asleep: the tree has parent, group, child and its sleep, and a child
/// that somebody else awaits, too, says both.
#[tenter::test]
async fn k05_the_tree_of_a_group_whose_children_sleep() {
    let told = Arc::new(Event::new());
    let tell = Arc::clone(&told);
    let line = line!() + 2;
    let parent = spawn("parent", async move {
        task_group(async |group| {
            let first = group.named("first").spawn(async {
                sleep(Duration::from_secs(10)).await;
                Ok::<_, ()>(())
            });
            group.named("second").spawn(async {
                sleep(Duration::from_secs(20)).await;
                Ok(())
            });
            drop(spawn("watcher", first));
            tell.set();
            Ok(())
        })
        .await
    });
    told.wait().await;
    wait_all_tasks_blocked().await;
    let tree = task::tree();
    let parent_node = named(&tree, "parent");
    assert_eq!(names(tree.children(parent_node.id())), ["first", "second"]);
    let first = named(&tree, "first");
    assert_eq!(first.wait().map(|wait| wait.kind()), Some(WaitKind::Sleep));
    assert_eq!(
        tree.parent(first.id()).map(|it| it.id()),
        Some(parent_node.id())
    );
    let group = tree.group_of(first.id()).expect("it is in a group");
    assert_eq!(group.opened_at().line(), line);
    assert_eq!(group.members().len(), 2);
    assert_eq!(
        tree.opener_of(group).map(|it| it.id()),
        Some(parent_node.id())
    );
    let awaited_by = awaiters(&tree, "first");
    assert_eq!(awaited_by.len(), 2, "{awaited_by:?}");
    assert_says(&awaited_by[0], &["task_group at tests/tests/rows/tree.rs:"]);
    assert_says(&awaited_by[1], &["\"watcher\""]);
    assert_eq!(awaiters(&tree, "second").len(), 1);
    let drawn = tree.to_string();
    let parts = [
        "(T) Task-",
        "\"parent\"",
        "   ├──  waits for the 2 children of the task_group at tests/tests/rows/tree.rs:",
        "   └──  task_group at tests/tests/rows/tree.rs:",
        "       ├── (T) Task-",
        "       │   └──  waits for a point in time\n",
        "       └── (T) Task-",
    ];
    assert_says(&drawn, &parts);
    assert!(tree.cycles().is_empty(), "{drawn}");
    assert!(parent.await.expect("no panic").is_ok());
}

/// Goal: case T13. Numbers increase, and a name that is given later is in the tree.
#[tenter::test]
async fn t13_set_name_is_visible_in_the_tree() {
    let tasks = [(); 3].map(|()| tenter::spawn(pending::<()>()));
    assert!(tasks[0].id() < tasks[1].id() && tasks[1].id() < tasks[2].id());
    yield_now().await;
    let tree = task::tree();
    let unnamed = tree.task(tasks[0].id()).expect("it has not ended");
    assert_eq!(unnamed.name(), None);
    assert_eq!(unnamed.to_string(), format!("Task-{}", tasks[0].id()));
    assert_says(&tree.to_string(), &["spawned at tests/tests/rows/tree.rs:"]);
    let renamed = tenter::spawn(async {
        task::current().expect("a task").set_name("two\nlines");
        pending::<()>().await;
    });
    yield_now().await;
    let tree = task::tree();
    assert_eq!(named(&tree, "two\nlines").id(), renamed.id());
    let line = format!("(T) Task-{} \"two\\nlines\"", renamed.id());
    assert_says(&tree.to_string(), &[&line]);
    let rows = tree.table().to_string();
    assert_eq!(rows.lines().count(), 2 + tree.tasks().len(), "{rows}");
}

/// Goal: the chain from a task to what it waits for at last, through tasks that it awaits.
#[tenter::test]
async fn a95_a_chain_of_awaits_is_drawn_to_its_end() {
    let gate = Arc::new(Event::new().named("gate"));
    let last = {
        let gate = Arc::clone(&gate);
        spawn("last", async move { gate.wait().await })
    };
    let middle = spawn("middle", async { last.await.expect("no panic") });
    let first = spawn("first", async { middle.await.expect("no panic") });
    wait_all_tasks_blocked().await;
    let tree = task::tree();
    let [first_id, middle_id, last_id] =
        ["first", "middle", "last"].map(|it| named(&tree, it).id());
    assert_eq!(tree.parent(first_id).map(|it| it.id()), None);
    assert_eq!(tree.parent(last_id).map(|it| it.id()), Some(middle_id));
    let wait = named(&tree, "first").wait().expect("it waits");
    assert_eq!(wait.whom(), [middle_id]);
    assert_eq!(named(&tree, "last").state(), TaskState::Waiting);
    let drawn = format!(
        "(T) Task-{first_id} \"first\"\n\
         {{}}├──  waits for task {middle_id} \"middle\"\n\
         {{}}└── (T) Task-{middle_id} \"middle\"\n\
         {{}}    ├──  waits for task {last_id} \"last\"\n\
         {{}}    └── (T) Task-{last_id} \"last\"\n\
         {{}}        └──  waits for Event \"gate\" to be set\n"
    );
    let text = tree.to_string();
    let last = text
        .lines()
        .any(|line| line.starts_with("└── (T)") && line.contains("\"first\""));
    assert_says(
        &text,
        &[&drawn.replace("{}", if last { "    " } else { "│   " })],
    );
    gate.set();
    first.await.expect("no panic");
}

/// Goal: handles that are awaited at once, in a gather, all have their awaiter.
#[tenter::test]
async fn a95_each_task_of_a_gather_knows_who_awaits_it() {
    let children = ["one", "two", "three"].map(|name| spawn(name, sleep(Duration::from_secs(1))));
    let together = spawn("together", async move { gather(children).await });
    wait_all_tasks_blocked().await;
    let tree = task::tree();
    let id = named(&tree, "together").id();
    assert_eq!(names(tree.children(id)), ["one", "three", "two"]);
    for name in ["one", "two", "three"] {
        assert_says(&awaiters(&tree, name).join(" and "), &["\"together\""]);
    }
    let wait = named(&tree, "together").wait().expect("it waits");
    assert_eq!(wait.whom().len(), 3, "{wait}");
    assert_says(&wait.to_string(), &["and 2 tasks more"]);
    drop(together);
}

/// Goal: groups inside groups, in one task and in a child, each under the one it is in.
#[tenter::test]
async fn x16_groups_inside_groups_are_a_tree() {
    let root = spawn("root", async {
        task_group(async |outer| {
            outer.named("outer child").spawn(async {
                task_group(async |group| {
                    group.named("grandchild").spawn(pending::<Result<(), ()>>());
                    Ok(())
                })
                .await
                .map_err(|_| ())
            });
            let inner = task_group(async |inner| {
                inner
                    .named("inner child")
                    .spawn(pending::<Result<(), ()>>());
                Ok::<_, ()>(())
            });
            inner.await.map_err(|_| ())
        })
        .await
        .map_err(|_| ())
    });
    wait_all_tasks_blocked().await;
    let tree = task::tree();
    let root_id = named(&tree, "root").id();
    assert_eq!(tree.groups().len(), 3, "{tree}");
    assert_eq!(
        names(tree.children(root_id)),
        ["inner child", "outer child"]
    );
    let outer_child = named(&tree, "outer child").id();
    assert_eq!(names(tree.children(outer_child)), ["grandchild"]);
    assert!(tree.roots().any(|it| it.id() == root_id));
    assert!(tree.roots().all(|it| it.name() != Some("grandchild")));
    assert_says(
        &tree.to_string(),
        &["waits for the child of the task_group at tests/tests/rows/tree.rs:"],
    );
    root.cancel();
}

/// Goal: the tree of all tasks, also from a thread that is in no runtime, whoever drives.
#[test]
fn a15_the_tree_is_had_from_any_thread() {
    tenter_tests::support::both(|builder| {
        let runtime = tenter_tests::support::build(builder);
        let handle = runtime.handle().clone();
        let (send, receive) = std::sync::mpsc::channel();
        let asker = std::thread::spawn(move || {
            let go: tenter::sync::oneshot::Sender<TaskTree> = receive.recv().expect("it is sent");
            let _ = go.send(handle.tree());
        });
        let tree = runtime.block_on(async {
            drop(spawn("asleep", pending::<()>()));
            let (go, told) = tenter::sync::oneshot();
            send.send(go).expect("it listens");
            told.await.expect("it answers")
        });
        asker.join().expect("no panic");
        assert!(tree.is_complete());
        assert_eq!(named(&tree, "asleep").cancel_requested().map(|_| ()), None);
        let nobody_drives = runtime.handle().tree();
        assert_says(&nobody_drives.table().to_string(), &["waits for", "asleep"]);
        let handle = runtime.handle().clone();
        drop(runtime);
        assert_says(&handle.tree().to_string(), &["no tasks"]);
    });
}

/// Goal: a task has no stack to be shown; what it waits for stands in its place, and of one that runs or has
/// ended there is nothing to say.
#[tenter::test]
async fn a13_a_suspended_task_says_what_it_waits_for() {
    let task = spawn("sleeper", sleep(Duration::from_secs(10)));
    wait_all_tasks_blocked().await;
    let tree = task::tree();
    let wait = named(&tree, "sleeper").wait().expect("it sleeps");
    assert_eq!(wait.kind(), WaitKind::Sleep);
    let own = tree.task(task::id()).expect("this one is there");
    assert!(own.wait().is_none(), "it runs: {own}");
    task.await.expect("no panic");
    let tree = task::tree();
    assert!(!tree.tasks().iter().any(|it| it.name() == Some("sleeper")));
}
