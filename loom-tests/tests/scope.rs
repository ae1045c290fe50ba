//! Scopes (`runtime/src/scope`): requests against whatever changes the tree at the same time, and tasks as
//! scopes.
//!
//! The nodes, the shields and the machine of a scope are the production source.
#![cfg(tenter_loom)]

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tenter::model::{Alive, CleanUp, Header, Node, Work};
use tenter::time::{Duration, Instant};
use tenter::{CancelScope, JoinError, Outcome, shield};
use tenter_loom_tests::toy::{Pass, Toy, gate, run_one_to_its_end, run_ready, spawn, toy};
use tenter_loom_tests::{Census, Tracked, WakeCount, block_on, check, poll_once};
use tenter_sync::shim::{self, Mutex, thread};

/// Goal: a request and the owner that goes to sleep see each other.
#[test]
fn cancel_vs_register() {
    check("scope::cancel_vs_register", || {
        let scope = CancelScope::new();
        let handle = scope.handle();
        let cancelling = thread::spawn(move || assert!(handle.cancel("enough")));
        let ended = block_on(scope.run(pending::<()>()));
        assert!(ended.is_cancelled());
        cancelling.join().unwrap();
    });
}

/// Goal: a request reaches who waits two levels below, also if the scope there has ended before that one
/// looks.
#[test]
fn cancel_reaches_two_levels() {
    check("scope::cancel_reaches_two_levels", || {
        let (outer, inner) = (CancelScope::new(), CancelScope::new());
        let (handle, below) = (outer.handle(), inner.handle());
        let mut running = pin!(outer.run(async move { inner.run(pending::<()>()).await }));
        let (waker, _) = WakeCount::waker();
        assert!(poll_once(running.as_mut(), &waker).is_pending());
        let waiting = thread::spawn(move || {
            let reason = block_on(below.cancelled());
            assert_eq!(reason.message(), Some("enough"));
        });
        let cancelling = thread::spawn(move || assert!(handle.cancel("enough")));
        assert!(block_on(running).is_cancelled());
        cancelling.join().unwrap();
        waiting.join().unwrap();
    });
}

/// Goal: a scope that is made to be cancelled with another one is, whichever comes first.
#[test]
fn token_vs_cancel() {
    check("scope::token_vs_cancel", || {
        let scope = CancelScope::new();
        let handle = scope.handle();
        let cancelling = thread::spawn({
            let handle = handle.clone();
            move || assert!(handle.cancel("enough"))
        });
        let ended = block_on(handle.child().run(pending::<()>()));
        assert!(ended.is_cancelled());
        cancelling.join().unwrap();
    });
}

/// Goal: a shield that is dropped elsewhere while a request comes: the scope ends.
#[test]
fn shield_ends_elsewhere_vs_cancel() {
    check("scope::shield_ends_elsewhere_vs_cancel", || {
        let census = Census::new();
        let alive = census.track(());
        let half = Box::pin(shield(async move {
            let _alive = alive;
            pending::<()>().await;
        }));
        let half = Arc::new(Mutex::new(Some(half)));
        let scope = CancelScope::new();
        let handle = scope.handle();
        let mut running = pin!(scope.run({
            let half = Arc::clone(&half);
            let mut first = true;
            poll_fn(move |cx| {
                if std::mem::take(&mut first) {
                    let mut half = half.lock();
                    assert!(half.as_mut().unwrap().as_mut().poll(cx).is_pending());
                }
                Poll::<()>::Pending
            })
        }));
        let (waker, _) = WakeCount::waker();
        assert!(poll_once(running.as_mut(), &waker).is_pending());
        let half = half.lock().take();
        let dropping = thread::spawn(move || drop(half));
        let cancelling = thread::spawn(move || assert!(handle.cancel("enough")));
        assert!(block_on(running).is_cancelled());
        dropping.join().unwrap();
        cancelling.join().unwrap();
        census.assert_all_dropped();
    });
}

/// Goal: a scope that moves into another one which is cancelled takes along what hangs on it, and at once:
/// a shield that waits for that keeps the outer one.
#[test]
fn settle_vs_cancel_of_the_new_parent() {
    check("scope::settle_vs_cancel_of_the_new_parent", || {
        let (outer, inner) = (CancelScope::new(), CancelScope::new());
        let (handle, token) = (outer.handle(), inner.handle().child());
        let (waker, _) = WakeCount::waker();
        let mut moved = Box::pin(inner.run(pending::<()>()));
        assert!(poll_once(moved.as_mut(), &waker).is_pending());
        let told = shield(async move { drop(token.handle().cancelled().await) });
        let mut told = Some(Box::pin(told));
        let mut polls = 0;
        let mut running = pin!(outer.run(poll_fn(move |cx| {
            polls += 1;
            if polls > 1 {
                assert!(moved.as_mut().poll(cx).is_pending());
                told.take_if(|told| told.as_mut().poll(cx).is_ready());
            }
            Poll::<()>::Pending
        })));
        assert!(poll_once(running.as_mut(), &waker).is_pending());
        let cancelling = thread::spawn(move || assert!(handle.cancel("enough")));
        assert!(block_on(running).is_cancelled());
        cancelling.join().unwrap();
    });
}

/// Goal: of a deadline that is over and one that moves it, one comes first, and what it was told holds.
#[test]
fn reschedule_vs_expire() {
    check("scope::reschedule_vs_expire", || {
        let node = Node::new();
        let deadline = Instant::MAX - Duration::from_secs(60);
        node.set_deadline(Some(deadline));
        let moving = thread::spawn({
            let node = Arc::clone(&node);
            move || node.reschedule(None).is_ok()
        });
        let expired = node.expire(deadline);
        let moved = moving.join().unwrap();
        assert!(expired != moved, "expired: {expired}, moved: {moved}");
    });
}

/// Goal: a scope whose body is ready while it is cancelled says one of the two.
#[test]
fn cancel_vs_ready() {
    check("scope::cancel_vs_ready", || {
        let gate = gate();
        let scope = CancelScope::new();
        let handle = scope.handle();
        let opening = thread::spawn({
            let gate = shim::Arc::clone(&gate);
            move || gate.open()
        });
        let cancelling = thread::spawn(move || handle.cancel("enough"));
        let ended = block_on(scope.run(Pass(shim::Arc::clone(&gate))));
        opening.join().unwrap();
        let first = cancelling.join().unwrap();
        match ended {
            Outcome::Done(()) => {}
            Outcome::Cancelled(_) => assert!(first),
        }
        gate.waker.lock().take();
    });
}

/// A task's work that knows its header.
struct InTask<F>(F);

impl<T, F: FnMut(&mut Context<'_>, &Header) -> Poll<T> + Unpin> Work for InTask<F> {
    type Output = T;

    fn poll_work(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        task: Alive<'_>,
    ) -> Poll<Result<T, JoinError>> {
        (self.0)(cx, &task).map(Ok)
    }
}

fn root(cx: &Context<'_>, header: &Header) -> Arc<Node> {
    Arc::clone(header.root_or_insert(|| cx.waker().clone()))
}

/// Runs the tasks until one has ended, while `other` happens.
fn run_while(toy: &Toy, other: impl FnOnce() + Send + 'static) {
    let other = thread::spawn(other);
    run_one_to_its_end(toy);
    other.join().unwrap();
}

/// Goal: a task that becomes a scope while it is cancelled knows of it, as a scope.
#[test]
fn task_cancel_vs_root() {
    check("scope::task_cancel_vs_root", || {
        let toy = toy();
        let mut held = None;
        let work = move |cx: &mut Context<'_>, header: &Header| {
            let root = root(cx, header);
            // So that a request has to wait.
            held.get_or_insert_with(|| root.raise());
            match root.is_cancelled() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        };
        let joined = spawn(&toy, InTask(work));
        let canceller = joined.canceller();
        run_while(&toy, move || assert!(canceller.cancel()));
        drop(block_on(joined));
    });
}

/// Goal: a task is polled, cancelled and let go by its last shield, which ends elsewhere, all at once: it
/// ends.
#[test]
fn task_cancel_vs_shield_that_ends_elsewhere() {
    check("scope::task_cancel_vs_shield_that_ends_elsewhere", || {
        let toy = toy();
        let place = Arc::new(Mutex::new(None::<(Arc<Node>, Waker)>));
        let work = {
            let place = Arc::clone(&place);
            let mut first = true;
            move |cx: &mut Context<'_>, header: &Header| {
                if std::mem::take(&mut first) {
                    let root = root(cx, header);
                    root.raise();
                    *place.lock() = Some((root, cx.waker().clone()));
                }
                Poll::<()>::Pending
            }
        };
        let joined = spawn(&toy, InTask(work));
        run_ready(&toy);
        let (root, waker) = place.lock().take().unwrap();
        waker.wake();
        let lowering = thread::spawn(move || root.lower());
        let canceller = joined.canceller();
        run_while(&toy, move || assert!(canceller.cancel()));
        lowering.join().unwrap();
        block_on(joined).expect_err("it is never ready");
    });
}

/// A task that is ready at once and leaves a clean-up, which waits for the gate.
fn leaves(
    pass: Pass,
    alive: Tracked<()>,
) -> InTask<impl FnMut(&mut Context<'_>, &Header) -> Poll<()> + Unpin> {
    let mut clean_up = Some(CleanUp::unbounded(async move {
        let _alive = alive;
        pass.await;
    }));
    InTask(move |cx: &mut Context<'_>, header: &Header| {
        let clean_up = clean_up.take().expect("ready at once");
        let left = root(cx, header).defer(clean_up);
        assert!(left.is_ok());
        Poll::Ready(())
    })
}

/// Goal: a clean-up that waits is polled again when it is woken, and its task ends after it.
#[test]
fn clean_up_vs_wake() {
    check("scope::clean_up_vs_wake", || {
        let (toy, gate) = (toy(), gate());
        let census = Census::new();
        let work = leaves(Pass(shim::Arc::clone(&gate)), census.track(()));
        let joined = spawn(&toy, work);
        run_while(&toy, move || gate.open());
        census.assert_all_dropped();
        block_on(joined).expect("it was ready");
    });
}

/// Goal: a task that is cleaning up is cancelled, woken and let go by its handle: it ends once.
#[test]
fn clean_up_vs_cancel_vs_detach() {
    check("scope::clean_up_vs_cancel_vs_detach", || {
        let (toy, gate) = (toy(), gate());
        let census = Census::new();
        let work = leaves(Pass(shim::Arc::clone(&gate)), census.track(()));
        let joined = spawn(&toy, work);
        run_ready(&toy);
        let canceller = joined.canceller();
        let letting_go = thread::spawn(move || {
            assert!(!canceller.cancel(), "it ends already");
            drop(joined);
        });
        run_while(&toy, move || gate.open());
        letting_go.join().unwrap();
        census.assert_all_dropped();
    });
}
