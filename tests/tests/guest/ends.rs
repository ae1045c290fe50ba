//! How a guest ends: with its main future, by the host, or because the host itself has ended.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tenter::sync::oneshot;
use tenter::task::yield_now;
use tenter::time::sleep;
use tenter::{
    Builder, CancelKind, CancelReason, Guest, JoinError, defer_async, shield, spawn,
    spawn_blocking, spawn_local,
};
use tenter_tests::support::{Count, Log, OnDrop, assert_says, ends, never, panic_of, thread};

use crate::host::{Host, runtime};

const HOUR: Duration = Duration::from_secs(3_600);

fn kind(error: &JoinError) -> Option<CancelKind> {
    error.reason().map(CancelReason::kind)
}

/// Goal: a panic of main reaches `done` with its payload, and the host's loop goes on; raised again there, it
/// comes out of the turn.
#[test]
fn x17_a_panic_of_main_is_given_to_done() {
    ends("guest", || {
        let host = Host::new();
        let (_guest, ended) = host.guest(async {
            yield_now().await;
            panic!("main fell");
        });
        let error = host.run(&ended).map(|(): ()| ()).unwrap_err();
        assert_says(&error.to_string(), &["task", "main", "main fell"]);
        assert_eq!(error.into_panic().downcast_ref(), Some(&"main fell"));

        let guest = runtime().guest(host.post.poster());
        let raise = |result: Result<(), JoinError>| {
            std::panic::resume_unwind(result.unwrap_err().into_panic());
        };
        let guest = guest.start(async { panic!("again") }, raise).unwrap();
        let said = panic_of(|| host.run_until(|| guest.is_finished() && !host.try_step()));
        assert_says(&said, &["again"]);
        assert!(guest.is_finished());
    });
}

/// Goal: the host cancels main with a reason; what main deferred and what others shield is done before `done`,
/// and the host's loop goes on meanwhile.
#[test]
fn x17_the_host_cancels_and_clean_ups_are_waited_for() {
    ends("guest", || {
        let host = Host::new();
        let (log, logged, begun) = (Log::new(), Count::new(), Count::new());
        let (go, may_go) = oneshot::<()>();
        let (finish, may_finish) = std::sync::mpsc::channel::<()>();
        let note = {
            let (log, logged) = (log.clone(), logged.clone());
            move |entry| {
                log.add(entry);
                logged.add();
            }
        };
        let (guest, ended) = {
            let begun = begun.clone();
            host.guest(async move {
                let leftover = spawn({
                    let note = note.clone();
                    async move {
                        shield(async {
                            may_go.await.unwrap();
                            note("shielded");
                        })
                        .await;
                        never().await;
                    }
                });
                drop(leftover);
                let (job_begun, has_begun) = oneshot();
                drop(spawn_blocking({
                    let note = note.clone();
                    move || {
                        job_begun.send(()).unwrap();
                        may_finish.recv().unwrap();
                        note("job");
                    }
                }));
                has_begun.await.unwrap();
                let _later = defer_async(async move {
                    yield_now().await;
                    note("deferred");
                });
                yield_now().await;
                begun.add();
                never().await;
            })
        };
        host.run_until(|| begun.get() == 1);
        assert!(guest.cancel("the window was closed"));
        assert!(!guest.cancel("again"), "the first reason stays");
        // Only the host's loop lets them end: it cannot be blocked by the end of the guest.
        let post = host.post.clone();
        host.run_until(|| logged.get() == 1);
        post.post(move || go.send(()).unwrap());
        host.run_until(|| logged.get() == 2);
        assert!(!ended.is_gone(), "the job still runs");
        post.post(move || finish.send(()).unwrap());
        let error = host.run(&ended).unwrap_err();
        assert_eq!(log.take(), ["deferred", "shielded", "job"]);
        assert_eq!(kind(&error), Some(CancelKind::Requested));
        assert_says(&error.to_string(), &["main", "the window was closed"]);
    });
}

/// Goal: what does not stop is given `shutdown_timeout`, and not more.
#[test]
fn x17_the_end_is_bounded() {
    ends("guest", || {
        let host = Host::new();
        let limited = Builder::current_thread().shutdown_timeout(Duration::from_millis(5));
        let dropped = Count::new();
        let guard = dropped.on_drop();
        let (_guest, ended) = host.guest_of(limited.build().unwrap(), async move {
            drop(spawn(shield(async move {
                let _guard = guard;
                never().await;
            })));
            yield_now().await;
            3
        });
        assert_eq!(host.run(&ended).unwrap(), 3);
        assert_eq!(dropped.get(), 1);
    });
}

/// A main future of which a test can see that it was dropped, and where.
fn witness(log: &Log<std::thread::ThreadId>) -> impl Future<Output = ()> + use<> {
    let log = log.clone();
    async move {
        let _not_send = Rc::new(());
        let _guard = OnDrop(|| log.add(std::thread::current().id()));
        never().await;
    }
}

/// Goal: a host whose loop ends drops the turn that is posted. The guest stands still, and ends when it is
/// dropped: nothing hangs, nothing is left, and `done` is not called.
#[test]
fn x17_a_host_that_ends_first_leaves_nothing_behind() {
    ends("guest", || {
        let log = Log::new();
        let host = Host::new();
        let (wake, woken) = oneshot::<()>();
        let poster_alive = Arc::new(());
        let alive = Arc::downgrade(&poster_alive);
        let poster = {
            let post = host.post.poster();
            move |turn| {
                let _ = &poster_alive;
                post(turn);
            }
        };
        let ended = crate::host::Ended::default();
        let witness = witness(&log);
        let main = async move {
            let task = spawn_local(witness);
            woken.await.unwrap();
            task.await.unwrap();
        };
        // One turn is enough for both tasks, however slow the machine is.
        let guest = runtime().guest(poster).turn_limit(Duration::MAX);
        let guest = guest.start(main, ended.done()).unwrap();
        host.step();
        thread(move || wake.send(()).unwrap()).join();
        // The turn for the wake is posted, or will be: to nobody.
        drop(host);
        drop(guest);
        assert_eq!(log.take(), [std::thread::current().id()]);
        assert!(ended.is_gone() && ended.take().is_none());
        assert!(alive.upgrade().is_none(), "the poster is dropped");
    });
}

/// Goal: a queue that keeps its turns for ever keeps nothing of the guest but the turn itself.
#[test]
fn x17_a_turn_that_comes_after_the_end_does_nothing() {
    ends("guest", || {
        let queue = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let alive = Arc::downgrade(&queue);
        let log = Log::new();
        let poster = {
            let queue = Arc::clone(&queue);
            move |turn: tenter::Turn| queue.lock().push(turn)
        };
        let guest = runtime().guest(poster).start(witness(&log), |_| ());
        drop(guest.unwrap());
        assert!(log.take().is_empty(), "it never ran");
        let turn = queue.lock().pop().unwrap();
        turn.run();
        drop(queue);
        assert!(
            alive.upgrade().is_none(),
            "poster, queue and turn are no circle"
        );
    });
}

/// Goal: dropping the guest ends it wherever it is: before its first turn, while it waits, when it is ready, and
/// in its own turn.
#[test]
fn x17_a_guest_can_be_dropped_at_any_moment() {
    ends("guest", || {
        let here = std::thread::current().id();
        for steps in 0..3 {
            let host = Host::new();
            let log = Log::new();
            let witness = witness(&log);
            let (guest, ended) = host.guest(async move {
                let task = spawn_local(witness);
                yield_now().await;
                sleep(Duration::from_micros(1)).await;
                task.await.unwrap();
            });
            (0..steps).for_each(|_| host.step());
            drop(guest);
            while host.try_step() {}
            assert_eq!(log.take().len(), usize::from(steps > 0), "{steps}");
            assert!(ended.is_gone() && ended.take().is_none());
        }

        let host = Host::new();
        let log = Log::new();
        let own: Rc<RefCell<Option<Guest>>> = Rc::default();
        let (witness, place) = (witness(&log), Rc::clone(&own));
        let (guest, ended) = host.guest(async move {
            let task = spawn_local(witness);
            yield_now().await;
            drop(place.take());
            // Still running: it cannot be dropped before it lets go.
            task.await.unwrap();
        });
        *own.borrow_mut() = Some(guest);
        host.step();
        assert_eq!(log.take(), [here]);
        assert!(ended.is_gone() && ended.take().is_none());
        assert!(!host.try_step(), "no turn is posted after the end");
    });
}

/// Goal: a host whose loop has ended can end the guest gracefully, whatever became of the last turn.
#[test]
fn x17_close_lets_a_guest_clean_up_without_the_loop() {
    ends("guest", || {
        for lose in [false, true] {
            let host = Host::new();
            let log = Log::new();
            let (guest, ended) = {
                let log = log.clone();
                host.guest(async move {
                    let _later = defer_async(async move {
                        sleep(Duration::from_millis(1)).await;
                        log.add("deferred");
                    });
                    never().await;
                })
            };
            host.step();
            if lose {
                let handle = guest.handle().clone();
                thread(move || handle.post(|| ()).unwrap()).join();
                host.lose();
                assert!(guest.is_stopped());
            }
            let report = guest.close();
            assert_eq!((report.overdue, report.leaked), (0, 0), "{report}");
            assert_eq!(log.take(), ["deferred"]);
            let error = ended.take().expect("done was called").unwrap_err();
            assert_eq!(kind(&error), Some(CancelKind::Shutdown));
        }
    });
}

/// Goal: a detached guest goes on, and ends with its main future, or with the thread.
#[test]
fn x17_a_detached_guest_ends_by_itself_or_with_its_thread() {
    ends("guest", || {
        let host = Host::new();
        let (guest, ended) = host.guest(async {
            sleep(Duration::from_micros(1)).await;
            9
        });
        guest.detach();
        assert_eq!(host.run(&ended).unwrap(), 9);
    });
    let log = Log::new();
    let id = thread({
        let log = log.clone();
        move || {
            let host = Host::new();
            let (guest, _ended) = host.guest(witness(&log));
            host.step();
            guest.detach();
            std::thread::current().id()
        }
    })
    .join();
    assert_eq!(log.take(), [id]);
}

/// Goal: main may hold the very last means to end the guest, for a long time, and it is still ended by its
/// thread's own code.
#[test]
fn x17_other_threads_cancel_by_a_handle() {
    ends("guest", || {
        let host = Host::new();
        let (guest, ended) = host.guest(sleep(HOUR));
        let main = guest.main_handle();
        let other = thread(move || main.cancel("from afar"));
        let error = host.run(&ended).unwrap_err();
        assert_says(&error.to_string(), &["from afar"]);
        assert!(other.join());
    });
}
