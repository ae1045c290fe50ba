//! Fault 49: the interface is used while the locals of a thread are being destroyed.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::Duration;

use tenter::sync::{Notify, Semaphore};
use tenter::time::{sleep, timeout};
use tenter::{Builder, Handle, JoinHandle, Runtime};
use tenter_tests::support::{Slot, alone, poll_once, text_of, thread};

use crate::system::every_flavour;

/// Uses the interface when it is dropped, and tells what panicked.
struct Late {
    handle: Handle,
    runtime: Option<Runtime>,
    builder: Builder,
    report: Slot<Vec<String>>,
    spawned: Slot<JoinHandle<u8>>,
}

thread_local! {
    /// Made before the thread has used anything of ours, so dropped after all that is ours.
    static FIRST: RefCell<Option<Late>> = const { RefCell::new(None) };
    /// Made after, so dropped before.
    static LAST: RefCell<Option<Late>> = const { RefCell::new(None) };
}

impl Drop for Late {
    fn drop(&mut self) {
        let mut report = Vec::new();
        let mut tries = |what: &str, body: &mut dyn FnMut()| {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(body)) {
                report.push(format!("{what}: {}", text_of(&*panic)));
            }
        };
        tries("current", &mut || {
            assert!(Handle::try_current().is_err(), "there is none any more");
        });
        tries("spawn", &mut || {
            self.spawned.put(self.handle.spawn(async { 7 }));
        });
        tries("spawn_blocking", &mut || {
            drop(self.handle.spawn_blocking(|| ()));
        });
        tries("metrics", &mut || drop(self.handle.metrics()));
        tries("enter", &mut || {
            let _entered = self.handle.enter();
        });
        tries("sleep", &mut || {
            assert!(poll_once(&mut pin!(sleep(Duration::ZERO))).is_ready());
            let mut long = pin!(sleep(Duration::from_secs(3_600)));
            assert!(poll_once(&mut long).is_pending());
        });
        tries("timeout", &mut || {
            let ended = poll_once(&mut pin!(timeout(Duration::from_secs(1), async { 1 })));
            assert!(ended.is_ready());
        });
        tries("notify", &mut || {
            let notify = Notify::new();
            notify.notify_one();
            assert!(poll_once(&mut pin!(notify.notified())).is_ready());
        });
        tries("semaphore", &mut || {
            let semaphore = Semaphore::new(1);
            assert!(semaphore.try_acquire().is_ok());
        });
        tries("block_on", &mut || {
            let result = self.handle.try_block_on(async { 3 });
            assert!(result.is_ok_and(|three| three == 3));
        });
        tries("a new runtime", &mut || {
            let runtime = self.builder.clone().build().expect("nothing is refused");
            let task = runtime.spawn(async { 5 });
            assert_eq!(runtime.block_on(task).ok(), Some(5));
        });
        tries("a socket", &mut || {
            let _entered = self.handle.enter();
            let (one, _other) = std::os::unix::net::UnixStream::pair().expect("a pair");
            drop(tenter::io::Async::new(one).expect("registered"));
        });
        tries("the end of the runtime", &mut || drop(self.runtime.take()));
        self.report.put(report);
    }
}

/// Goal: whatever a destructor of a thread-local does with the interface is done, or is an error,
/// and never a panic, which would be the end of the process.
#[test]
fn fault_49_the_interface_in_destructors_of_thread_locals() {
    if !alone("threads::fault_49_the_interface_in_destructors_of_thread_locals") {
        return;
    }
    for builder in every_flavour() {
        for is_first in [true, false] {
            let home = builder.clone().build().expect("nothing is refused");
            let (report, spawned) = (Slot::new(), Slot::new());
            let late = Late {
                handle: home.handle().clone(),
                runtime: Some(builder.clone().build().expect("nothing is refused")),
                builder: builder.clone(),
                report: report.clone(),
                spawned: spawned.clone(),
            };
            thread({
                let builder = builder.clone();
                move || {
                    if is_first {
                        FIRST.with(|place| *place.borrow_mut() = Some(late));
                        use_everything(builder);
                    } else {
                        use_everything(builder);
                        LAST.with(|place| *place.borrow_mut() = Some(late));
                    }
                }
            })
            .join();
            assert_eq!(report.take(), Vec::<String>::new(), "{builder:?}");
            assert_eq!(home.block_on(spawned.take()).ok(), Some(7));
        }
    }
}

/// So that all locals of ours are there.
fn use_everything(builder: Builder) {
    let runtime = builder.build().expect("nothing is refused");
    let seven = runtime.block_on(async {
        sleep(Duration::from_micros(1)).await;
        tenter::task::yield_now().await;
        tenter::spawn(async { 7 }).await
    });
    assert_eq!(seven.ok(), Some(7));
}
