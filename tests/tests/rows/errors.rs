//! A104, X18: what can go wrong has a type, and none of them prints as nothing; failures come in groups.

use std::error::Error;
use std::future::pending;
use std::io;
use std::time::Duration;

use tenter::sync::{
    Barrier, Lock, Queue, Semaphore, ShutDown, TryAcquireError, TryGetError, TryPutError,
    broadcast, channel, oneshot,
};
use tenter::task::yield_now;
use tenter::time::timeout;
use tenter::{GroupError, TaskGroup, task_group};
use tenter_tests::support::poll_once;

/// The text of an error, which is not empty, and one line.
fn said(error: &dyn Error) -> String {
    let text = error.to_string();
    assert!(
        !text.trim().is_empty() && !text.contains('\n'),
        "{error:?}: {text:?}"
    );
    text
}

/// Goal: a timeout says after how long, and is an `io::Error` of its kind where one is needed.
#[tenter::test]
async fn a104_a_timeout_tells_after_how_long() {
    let elapsed = timeout(Duration::from_secs(3), pending::<()>())
        .await
        .expect_err("never ready");
    assert_eq!(said(&elapsed), "timed out after 3s");
    assert_eq!(io::Error::from(elapsed).kind(), io::ErrorKind::TimedOut);
}

/// Goal: a task that was cancelled and one that panicked are told apart, and named.
#[tenter::test]
async fn a104_a_task_says_how_it_ended() {
    let task = tenter::task::Builder::new()
        .name("reader")
        .spawn(pending::<()>());
    yield_now().await;
    task.cancel_with("not needed any more");
    let error = task.await.expect_err("cancelled");
    assert!(error.is_cancelled() && !error.is_panic());
    let text = said(&error);
    assert!(
        text.contains("reader") && text.contains("not needed any more"),
        "{text}"
    );

    let task = tenter::spawn(async { panic!("out of paper") });
    let error = task.await.expect_err("panicked");
    assert!(error.is_panic() && !error.is_cancelled());
    assert!(said(&error).contains("out of paper"), "{error}");
    assert_eq!(error.into_panic().downcast_ref(), Some(&"out of paper"));
}

/// Goal: empty, full and shut down are three things.
#[tenter::test]
async fn a104_a_queue_says_what_it_cannot() {
    let queue = Queue::bounded(1);
    let empty = queue.try_get().expect_err("empty");
    assert!(matches!(empty, TryGetError::Empty));
    said(&empty);
    queue.try_put(1).expect("there is room");
    let full = queue.try_put(2).expect_err("full");
    assert!(matches!(full, TryPutError::Full(2)), "the item comes back");
    said(&full);
    queue.shutdown();
    let shut: ShutDown<i32> = queue.put(3).await.expect_err("shut down");
    assert_eq!(shut.0, 3);
    said(&shut);
    assert_eq!(queue.get().await.expect("it is still there"), 1);
    said(&queue.get().await.expect_err("nothing is left"));
    queue.task_done().expect("one was taken");
    said(&queue.task_done().expect_err("and no more"));
}

/// Goal: so do locks, semaphores, barriers and channels.
#[tenter::test]
async fn a104_primitives_say_what_they_cannot() {
    let lock = Lock::new(());
    let guard = lock.lock().await;
    said(&lock.try_lock().expect_err("held"));
    drop(guard);

    let semaphore = Semaphore::bounded(0);
    let none = semaphore.try_acquire().expect_err("none");
    assert_eq!(none, TryAcquireError::NoPermits);
    said(&none);
    said(&semaphore.add_permits(1).expect_err("more than there were"));
    semaphore.close();
    said(&semaphore.acquire().await.expect_err("closed"));

    let barrier = Barrier::new(2);
    let mut waiting = Box::pin(barrier.wait());
    assert!(poll_once(&mut waiting).is_pending());
    barrier.abort();
    said(&waiting.await.expect_err("broken"));

    let (sender, receiver) = oneshot::<u8>();
    drop(sender);
    said(&receiver.await.expect_err("nobody will send"));
    let (sender, receiver) = channel::bounded::<u8>(1);
    said(&receiver.try_recv().expect_err("empty"));
    drop(receiver);
    said(&sender.send(1).await.expect_err("nobody reads"));
    let (feed, mut late) = broadcast::<u8>(2);
    for value in 0..5 {
        feed.send(value).expect("somebody reads");
    }
    assert!(said(&late.recv().await.expect_err("too late")).contains('3'));
}

/// Goal: the failures of a group are all there, each with its own type, and the text names the first.
/// Method: the second one has failed already when it is cancelled for the first.
#[tenter::test]
async fn a104_a_group_has_all_failures() {
    let fail = |reason: &'static str| async move {
        yield_now().await;
        Err::<(), _>(io::Error::other(reason))
    };
    let error = task_group(async |group| {
        group.spawn(fail("disk full"));
        group.spawn(fail("and no paper"));
        pending::<Result<(), _>>().await
    })
    .await
    .expect_err("both failed");
    assert_eq!(error.len(), 2);
    let text = said(&error);
    assert!(text.contains("disk full"), "{text}");
    let errors: Vec<_> = error.errors().map(ToString::to_string).collect();
    assert_eq!(errors, ["disk full", "and no paper"]);
}

/// Goal: errors that are no `Error` themselves, boxed ones and texts, can be those of a group, and `?` takes
/// the group's on. What is asked of the text reaches each error: `{:#}` is how some show their causes.
#[tenter::test]
async fn a104_a_group_of_boxed_errors_is_an_error() {
    type Boxed = Box<dyn Error + Send + Sync>;
    async fn whole() -> Result<(), Boxed> {
        task_group(async |_: &TaskGroup<String>| Ok::<_, String>(())).await?;
        task_group(async |_: &TaskGroup<Boxed>| Err::<(), Boxed>("no paper".into())).await?;
        Ok(())
    }
    let error = whole().await.expect_err("the second fails");
    assert_eq!(error.to_string(), "the body failed: no paper");

    #[derive(Debug)]
    struct WithCause;
    impl std::fmt::Display for WithCause {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(if f.alternate() { "it: its cause" } else { "it" })
        }
    }
    let group = task_group(async |_: &TaskGroup<_>| Err::<(), _>(WithCause)).await;
    let error = group.expect_err("the body fails");
    assert_eq!(format!("{error:#}"), "the body failed: it: its cause");
    assert_eq!(format!("{error}"), "the body failed: it");
}

/// Goal: the failure of a group is always a group, also if there is one, of a child or of the body; one
/// within another stays whole, so nobody has to guess how deep a failure lies.
#[tenter::test]
async fn x18_a_group_fails_as_a_group_however_many_failed() {
    let one = task_group(async |_: &TaskGroup<&str>| Err::<(), _>("the body")).await;
    let one = one.expect_err("the body failed");
    assert_eq!((one.len(), one.only().expect("it alone")), (1, "the body"));

    let outer = task_group(async |group| {
        group.spawn(async {
            task_group(async |group| {
                for number in 1..=2 {
                    group.spawn(async move {
                        yield_now().await;
                        Err::<(), u32>(number)
                    });
                }
                Ok(())
            })
            .await
        });
        Ok(())
    });
    let outer: GroupError<GroupError<u32>> = outer.await.expect_err("its child failed");
    let inner = outer.only().expect("one child, one failure");
    assert_eq!(inner.errors().collect::<Vec<_>>(), [&1, &2]);
}
