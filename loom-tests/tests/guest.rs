//! The relay between a host's thread and the helper of a guest (`runtime/src/guest/relay.rs`), and a whole
//! guest in a toy host.
#![cfg(tenter_loom)]

use tenter::model::{Arrived, Relay};
use tenter::{Builder, Turn};
use tenter_loom_tests::{Census, check};
use tenter_sync::oneshot;
use tenter_sync::parker::Parker;
use tenter_sync::shim::{Arc, Condvar, Mutex, thread};

/// The loop of a host.
#[derive(Default)]
struct Host {
    turns: Mutex<Vec<Turn>>,
    posted: Condvar,
}

impl Host {
    fn post(&self, turn: Turn) {
        let mut turns = self.turns.lock();
        turns.push(turn);
        assert!(turns.len() == 1, "one turn at a time");
        self.posted.notify_all();
    }

    fn next(&self) -> Turn {
        let mut turns = self.turns.lock();
        loop {
            if let Some(turn) = turns.pop() {
                return turn;
            }
            self.posted.wait(&mut turns);
        }
    }
}

/// Goal: the baton that is handed to the helper is taken, and comes back with a turn.
#[test]
fn the_baton_goes_round() {
    check("guest::the_baton_goes_round", || {
        let relay = Arc::new(Relay::default());
        let posted = Arc::new(Parker::new());
        let helper = {
            let (relay, posted) = (Arc::clone(&relay), Arc::clone(&posted));
            thread::spawn(move || {
                while let Some(baton) = relay.take() {
                    assert_eq!(relay.arrive(baton), Arrived::Post, "nobody recalls");
                    let _ = posted.unpark();
                }
            })
        };
        // What the parker of a host's loop and a turn are: the baton is there when it is run.
        relay.wait(Box::new(1));
        let _ = posted.park(None);
        let baton = relay.begin_turn().expect("the turn was posted");
        assert_eq!(*baton, 1);
        relay.finish();
        helper.join().unwrap();
    });
}

/// Goal: the host that ends a guest gets the baton back, wherever it is, and the helper ends. Nothing is posted
/// to a guest that has ended but what was posted before.
#[test]
fn recall_vs_wait() {
    check("guest::recall_vs_wait", || {
        let relay = Arc::new(Relay::default());
        let sleep = Arc::new(Parker::new());
        let helper = {
            let (relay, sleep) = (Arc::clone(&relay), Arc::clone(&sleep));
            thread::spawn(move || {
                let mut posts = 0;
                while let Some(baton) = relay.take() {
                    // Nothing else wakes it.
                    while !relay.is_recalled() {
                        let _ = sleep.park(None);
                    }
                    posts += usize::from(relay.arrive(baton) == Arrived::Post);
                }
                posts
            })
        };
        relay.wait(Box::new(1));
        let interrupt = || {
            let _ = sleep.unpark();
        };
        assert_eq!(relay.recall(interrupt), Some(Box::new(1)));
        assert_eq!(relay.recall(|| unreachable!("nobody waits")), None);
        assert!(relay.begin_turn().is_none());
        assert_eq!(helper.join().unwrap(), 0);
    });
}

/// Goal: a helper that comes back by itself while the host recalls it either posts, and the turn finds nothing,
/// or does not.
#[test]
fn recall_vs_arrive() {
    check("guest::recall_vs_arrive", || {
        let relay = Arc::new(Relay::default());
        let helper = {
            let relay = Arc::clone(&relay);
            thread::spawn(move || {
                while let Some(baton) = relay.take() {
                    if relay.arrive(baton) == Arrived::Post {
                        // The host's loop has ended: the turn is dropped.
                        relay.lose();
                    }
                }
            })
        };
        relay.wait(Box::new(1));
        // The errand is a short one.
        assert_eq!(relay.recall(|| ()), Some(Box::new(1)));
        helper.join().unwrap();
    });
}

/// Goal: a wake from another thread makes a turn, whether the guest runs, is handed over, or waits.
#[test]
fn a_wake_makes_a_turn() {
    check("guest::a_wake_makes_a_turn", || {
        let host = Arc::new(Host::default());
        let (sender, receiver) = oneshot();
        let other = thread::spawn(move || sender.send(7).expect("somebody waits"));
        let poster = {
            let host = Arc::clone(&host);
            move |turn| host.post(turn)
        };
        let runtime = Builder::current_thread()
            .build()
            .expect("no setting is wrong");
        let ended = std::rc::Rc::new(std::cell::Cell::new(None));
        let done = {
            let ended = std::rc::Rc::clone(&ended);
            move |result: Result<u32, _>| ended.set(Some(result.expect("no panic")))
        };
        let main = async { receiver.await.expect("sent") };
        let guest = runtime.guest(poster).start(main, done).expect("a thread");
        while ended.get().is_none() {
            host.next().run();
        }
        assert_eq!(ended.get(), Some(7));
        assert!(guest.is_finished());
        drop(guest);
        other.join().unwrap();
    });
}

/// Goal: a guest that is dropped while nothing else will ever happen to it is ended, wherever its helper is.
#[test]
fn drop_vs_sleep() {
    check("guest::drop_vs_sleep", || {
        let host = Arc::new(Host::default());
        let census = Census::new();
        let guard = census.track(());
        let poster = {
            let host = Arc::clone(&host);
            move |turn| host.post(turn)
        };
        let runtime = Builder::current_thread()
            .build()
            .expect("no setting is wrong");
        let main = async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        };
        let guest = runtime.guest(poster).start(main, |_| ()).expect("a thread");
        host.next().run();
        drop(guest);
        census.assert_all_dropped();
        assert!(host.turns.lock().is_empty(), "nothing was ready");
    });
}

/// Goal: a guest that is dropped while another thread wakes it is ended, its tasks are dropped, and the turn that
/// may have been posted meanwhile does nothing.
#[test]
fn drop_vs_wake() {
    check("guest::drop_vs_wake", || {
        let host = Arc::new(Host::default());
        let census = Census::new();
        let guard = census.track(());
        let (sender, receiver) = oneshot::<()>();
        let poster = {
            let host = Arc::clone(&host);
            move |turn| host.post(turn)
        };
        let runtime = Builder::current_thread()
            .build()
            .expect("no setting is wrong");
        let main = async move {
            let _ = receiver.await;
            drop(guard);
        };
        let guest = runtime.guest(poster).start(main, |_| ()).expect("a thread");
        host.next().run();
        let other = thread::spawn(move || drop(sender));
        drop(guest);
        census.assert_all_dropped();
        other.join().unwrap();
        while let Some(turn) = host.turns.lock().pop() {
            turn.run();
        }
    });
}
