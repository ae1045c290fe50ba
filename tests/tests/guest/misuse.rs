//! Posters, hosts and turns that do what they should not: a clear word, and the guest is as good as before.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tenter::sync::oneshot;
use tenter::{Builder, Guest, Turn};
use tenter_tests::support::{Count, Slot, assert_says, ends, never, panic_of, thread};

use crate::host::{Ended, Host, runtime};

/// Goal: what cannot be a guest says why, and what to do.
#[test]
fn x17_runtimes_that_cannot_be_guests_say_why() {
    let refused = [
        (Builder::multi_thread().workers(1), "current_thread"),
        (Builder::deterministic(0), "virtual clock"),
        (Builder::current_thread().virtual_clock(), "virtual clock"),
    ];
    for (builder, why) in refused {
        let guest = builder.build().unwrap().guest(drop::<Turn>);
        let error = guest.start(async {}, |_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_says(&error.to_string(), &["Runtime::guest", why]);
    }
    let runtime = Arc::new(runtime());
    let local = Arc::clone(&runtime);
    thread(move || local.block_on(async { drop(tenter::spawn_local(never())) })).join();
    let runtime = Arc::into_inner(runtime).expect("the thread has ended");
    let error = runtime.guest(drop::<Turn>).start(async {}, |_| ());
    assert_says(
        &error.unwrap_err().to_string(),
        &["local tasks", "another thread"],
    );
}

/// Goal: a turn that is run on another thread is refused with a panic there, and stops the guest until the
/// host asks for another one.
#[test]
fn x17_a_turn_on_another_thread_is_refused() {
    ends("guest", || {
        let turns = Slot::<Turn>::new();
        let poster = {
            let turns = turns.clone();
            move |turn| turns.put(turn)
        };
        let ended = Ended::default();
        let guest = runtime().guest(poster);
        let guest = guest.start(async { 4 }, ended.done()).unwrap();
        assert!(!guest.resume(), "no turn was dropped");
        let turn = turns.take();
        let said = thread(move || panic_of(|| turn.run())).join();
        assert_says(&said, &["Turn::run", "another thread", "misuse.rs"]);
        assert!(guest.is_stopped());
        assert!(guest.resume() && !guest.is_stopped());
        while !guest.is_finished() {
            turns.take().run();
        }
        assert_eq!(ended.take().expect("it has ended").unwrap(), 4);
    });
}

/// Goal: a poster that runs the turn instead of posting it is told so, on the host's thread.
#[test]
fn x17_a_poster_that_runs_the_turn_is_refused() {
    ends("guest", || {
        let guest = runtime().guest(Turn::run);
        let said = panic_of(|| guest.start(never(), |_| ()));
        assert_says(&said, &["Turn::run", "inside the poster"]);
    });
}

/// Goal: a poster that panics, on the guest's thread and on the host's, stops the guest and nothing else.
#[test]
fn x17_a_poster_that_panics_stops_the_guest() {
    ends("guest", || {
        let host = Host::new();
        let broken = Arc::new(AtomicBool::new(false));
        let tried = Slot::new();
        let poster = {
            let (post, broken, tried) = (host.post.poster(), Arc::clone(&broken), tried.clone());
            move |turn| {
                if broken.load(Ordering::Relaxed) {
                    drop(turn);
                    tried.put(());
                    panic!("no loop");
                }
                post(turn);
            }
        };
        let (wake, woken) = oneshot();
        let ended = Ended::default();
        let main = async move {
            woken.await.unwrap();
            tenter::task::yield_now().await;
            6
        };
        let builder = runtime()
            .guest(poster)
            .turn_limit(std::time::Duration::ZERO);
        let guest = builder.start(main, ended.done()).unwrap();
        host.step();
        broken.store(true, Ordering::Relaxed);
        wake.send(()).unwrap();
        tried.take();
        assert!(guest.is_stopped());
        assert_says(&panic_of(|| guest.resume()), &["no loop"]);
        assert!(guest.is_stopped());
        broken.store(false, Ordering::Relaxed);
        assert!(guest.resume());
        // In the middle of its work: the next turn cannot be posted.
        broken.store(true, Ordering::Relaxed);
        assert_says(&panic_of(|| host.step()), &["no loop"]);
        broken.store(false, Ordering::Relaxed);
        assert!(guest.resume());
        assert_eq!(host.run(&ended).unwrap(), 6);
    });
}

/// Goal: a guest that is dropped inside the poster ends, also if the turn is lost: nobody could post another one.
#[test]
fn x17_a_guest_dropped_in_the_poster_ends() {
    thread_local! {
        static KEPT: RefCell<Option<Guest>> = const { RefCell::new(None) };
    }
    ends("guest", || {
        for panics in [false, true] {
            let host = Host::new();
            let poster = {
                let post = host.post.poster();
                move |turn| {
                    let kept = KEPT.take();
                    if kept.is_none() {
                        return post(turn);
                    }
                    drop((kept, turn));
                    assert!(!panics, "no loop");
                }
            };
            let gone = Count::new();
            let guard = gone.on_drop();
            let main = async move {
                let _guard = guard;
                loop {
                    tenter::task::yield_now().await;
                }
            };
            let ended = Ended::<()>::default();
            let builder = runtime()
                .guest(poster)
                .turn_limit(std::time::Duration::ZERO);
            KEPT.set(Some(builder.start(main, ended.done()).unwrap()));
            let turn = catch_unwind(AssertUnwindSafe(|| host.step()));
            assert_eq!(turn.is_err(), panics);
            assert_eq!(gone.get(), 1);
            assert!(ended.is_gone() && ended.take().is_none());
            assert!(!host.try_step());
        }
    });
}
