//! An executor driven by hand, and wakers that misbehave on purpose.
#![allow(dead_code, reason = "each test file takes what it needs")]

pub mod drops;
pub mod generator;
pub mod storm;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};

use tenter_sync::current::TaskSlot;

/// Polls once with a waker that does nothing.
pub fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls once with this waker.
pub fn poll_with<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// A poll by a task of its own: nobody else has this waker, now or later.
pub fn poll_alone<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    let (waker, count) = Count::new();
    leak(count);
    poll_with(future, &waker)
}

/// What a poll returned that has to be ready.
pub fn ready<T>(poll: Poll<T>) -> T {
    match poll {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("not ready"),
    }
}

/// A task of tenter, as the primitives see it.
pub fn slot(id: u64) -> TaskSlot {
    TaskSlot::new(NonZeroU64::new(id).unwrap())
}

/// Leaks a value without its drop, as `mem::forget` does, but where a leak checker can see that it
/// is on purpose.
pub fn leak<T>(value: T) {
    static LEAKED: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let address = Box::into_raw(Box::new(std::mem::ManuallyDrop::new(value)));
    LEAKED.lock().unwrap().push(address.expose_provenance());
}

/// Counts wakes.
#[derive(Default)]
pub struct Count(AtomicUsize);

impl Count {
    pub fn new() -> (Waker, Arc<Self>) {
        let count = Arc::new(Self::default());
        (Waker::from(Arc::clone(&count)), count)
    }

    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The order in which things happened.
#[derive(Clone, Default)]
pub struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub fn add(&self, entry: impl Into<String>) {
        self.0.borrow_mut().push(entry.into());
    }

    pub fn take(&self) -> String {
        self.0.borrow_mut().drain(..).collect::<Vec<_>>().join(" ")
    }
}

/// The tasks of one test, polled in the order in which they were woken, and only when they were.
#[derive(Default)]
pub struct Tasks<'a> {
    tasks: Vec<Option<Pin<Box<dyn Future<Output = ()> + 'a>>>>,
    ready: Arc<Mutex<VecDeque<usize>>>,
}

struct Ready(usize, Arc<Mutex<VecDeque<usize>>>);

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push_back(self.0);
    }
}

impl<'a> Tasks<'a> {
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task; it runs with the next tick.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + 'a) -> usize {
        self.tasks.push(Some(Box::pin(task)));
        self.ready.lock().unwrap().push_back(self.tasks.len() - 1);
        self.tasks.len() - 1
    }

    /// Drops a task, ready or not.
    pub fn cancel(&mut self, task: usize) {
        self.tasks[task] = None;
    }

    pub fn is_done(&self, task: usize) -> bool {
        self.tasks[task].is_none()
    }

    /// Polls every task once that is ready now.
    pub fn tick(&mut self) {
        let ready = std::mem::take(&mut *self.ready.lock().unwrap());
        for task in ready {
            let waker = Waker::from(Arc::new(Ready(task, Arc::clone(&self.ready))));
            let Some(future) = &mut self.tasks[task] else {
                continue;
            };
            if poll_with(future.as_mut(), &waker).is_ready() {
                self.tasks[task] = None;
            }
        }
    }

    /// Ticks until nothing is ready.
    pub fn run(&mut self) {
        while !self.ready.lock().unwrap().is_empty() {
            self.tick();
        }
    }
}

/// Lets the others run once.
pub async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What a hostile waker does at one of its occasions.
pub type Hook = Box<dyn Fn() + Send + Sync>;

/// The occasions at which a waker runs user code.
#[derive(Default)]
pub struct Hooks {
    pub on_clone: Option<Hook>,
    pub on_wake: Option<Hook>,
    pub on_drop: Option<Hook>,
    pub wakes: AtomicUsize,
}

impl Hooks {
    fn run(hook: &Option<Hook>) {
        if let Some(hook) = hook {
            hook();
        }
    }
}

/// A waker that runs the hooks.
pub fn hostile(hooks: &Arc<Hooks>) -> Waker {
    static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

    fn clone(data: *const ()) -> RawWaker {
        // SAFETY: `data` came from `Arc::into_raw` and is counted for this waker.
        let hooks = unsafe { &*data.cast::<Hooks>() };
        Hooks::run(&hooks.on_clone);
        // SAFETY: as above.
        unsafe { Arc::increment_strong_count(data.cast::<Hooks>()) };
        RawWaker::new(data, &VTABLE)
    }
    fn wake(data: *const ()) {
        // SAFETY: as above; this waker's count is given up.
        let hooks = unsafe { Arc::from_raw(data.cast::<Hooks>()) };
        hooks.wakes.fetch_add(1, Ordering::Relaxed);
        Hooks::run(&hooks.on_wake);
    }
    fn wake_by_ref(data: *const ()) {
        // SAFETY: as above.
        let hooks = unsafe { &*data.cast::<Hooks>() };
        hooks.wakes.fetch_add(1, Ordering::Relaxed);
        Hooks::run(&hooks.on_wake);
    }
    fn drop_waker(data: *const ()) {
        // SAFETY: as above; this waker's count is given up.
        let hooks = unsafe { Arc::from_raw(data.cast::<Hooks>()) };
        Hooks::run(&hooks.on_drop);
    }

    let data = Arc::into_raw(Arc::clone(hooks)).cast();
    // SAFETY: the vtable keeps the contract: counts are taken and given up in pairs, and `Hooks`
    // is `Send + Sync`.
    unsafe { Waker::from_raw(RawWaker::new(data, &VTABLE)) }
}

/// Arms one of the three occasions at which a waker runs code of its own: 0 to 2 are clone, wake and
/// drop.
pub fn waker_on(occasion: usize, hook: impl Fn() + Send + Sync + 'static) -> Waker {
    let mut hooks = Hooks::default();
    *[&mut hooks.on_clone, &mut hooks.on_wake, &mut hooks.on_drop][occasion] = Some(Box::new(hook));
    hostile(&Arc::new(hooks))
}

/// A waker that panics on this occasion, the first time.
pub fn panics_once(occasion: usize) -> Waker {
    let armed = Mutex::new(true);
    waker_on(occasion, move || {
        let armed = std::mem::replace(&mut *armed.lock().unwrap(), false);
        assert!(!armed, "hostile waker");
    })
}

/// Runs a step in which a waker may panic.
pub fn survive(step: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(step));
}
