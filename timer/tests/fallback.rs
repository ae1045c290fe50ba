//! The background driver for code outside of a runtime: the one test that waits in real time,
//! because that is its subject.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use tenter_timer::{sleep, timeout};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

/// The names of this process's threads.
fn threads() -> Vec<String> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect()
}

/// Goal: a sleep works on a foreign executor, from several threads, and is not early; a waker that
/// panics does not end the driver; nothing is started before it is needed.
#[test]
fn timers_work_on_any_executor() {
    let milli = Duration::from_millis(1);
    drop(sleep(milli));
    assert!(
        !threads().iter().any(|name| name == "tenter-timer"),
        "not before it is needed"
    );

    let start = std::time::Instant::now();
    block_on(sleep(milli));
    assert!(start.elapsed() >= milli);
    assert!(block_on(timeout(milli, std::future::pending::<()>())).is_err());

    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!("a foreign waker panics: reported, and survived");
        }
    }
    let mut hostile = Box::pin(sleep(milli));
    let bomb = Waker::from(Arc::new(Bomb));
    assert!(
        hostile
            .as_mut()
            .poll(&mut Context::from_waker(&bomb))
            .is_pending()
    );

    let sleepers: Vec<_> = (0..4)
        .map(|id| thread::spawn(move || block_on(sleep(milli * id))))
        .collect();
    for sleeper in sleepers {
        sleeper.join().expect("woken");
    }
    block_on(hostile);
    let drivers = threads()
        .iter()
        .filter(|name| *name == "tenter-timer")
        .count();
    assert!(
        drivers == 1 || cfg!(not(target_os = "linux")),
        "{drivers} drivers"
    );
}
