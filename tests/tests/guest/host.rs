//! A toy host: a loop over a channel of functions, as that of a user interface.

use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use std::{cell::Cell, cell::RefCell};

use tenter::{Builder, Guest, JoinError, Runtime, Turn};
use tenter_tests::support::Count;

/// Far more than any test takes, so that only a hang reaches it.
const HANG: Duration = Duration::from_secs(20);

type Function = Box<dyn FnOnce() + Send>;

/// What any thread may post to.
#[derive(Clone)]
pub struct Post {
    functions: Sender<Function>,
    /// How many turns were posted.
    pub turns: Count,
}

impl Post {
    pub fn post(&self, function: impl FnOnce() + Send + 'static) {
        // Nobody reads any more: the function is dropped.
        let _ = self.functions.send(Box::new(function));
    }

    /// A poster for a guest.
    pub fn poster(&self) -> impl Fn(Turn) + Send + Sync + use<> {
        let post = self.clone();
        move |turn| {
            post.turns.add();
            post.post(move || turn.run());
        }
    }
}

/// The loop.
pub struct Host {
    pub post: Post,
    functions: Receiver<Function>,
}

impl Host {
    pub fn new() -> Self {
        let (sender, functions) = channel();
        let post = Post {
            functions: sender,
            turns: Count::new(),
        };
        Self { post, functions }
    }

    /// Starts a guest of a runtime with the default settings.
    pub fn guest<F>(&self, main: F) -> (Guest, Ended<F::Output>)
    where
        F: Future + 'static,
    {
        self.guest_of(runtime(), main)
    }

    /// Starts a guest whose turns go on until nothing is ready, however slow the machine is.
    pub fn guest_of<F>(&self, runtime: Runtime, main: F) -> (Guest, Ended<F::Output>)
    where
        F: Future + 'static,
    {
        let ended = Ended::default();
        let guest = runtime.guest(self.post.poster()).turn_limit(HANG);
        let guest = guest.start(main, ended.done()).unwrap();
        (guest, ended)
    }

    /// Calls the next function.
    pub fn step(&self) {
        let next = self.functions.recv_timeout(HANG);
        next.expect("the host waits in vain")();
    }

    /// Calls the next function, if there is one.
    pub fn try_step(&self) -> bool {
        let next = self.functions.try_recv();
        next.map(|function| function()).is_ok()
    }

    /// Calls functions until something is so.
    pub fn run_until(&self, done: impl Fn() -> bool) {
        while !done() {
            self.step();
        }
    }

    /// Runs until a guest has ended, and says how.
    pub fn run<T>(&self, ended: &Ended<T>) -> Result<T, JoinError> {
        self.run_until(|| ended.0.result.borrow().is_some());
        ended.take().expect("just seen")
    }

    /// Waits for the next function, and drops it uncalled.
    pub fn lose(&self) {
        drop(self.functions.recv_timeout(HANG).expect("one is posted"));
    }
}

/// What a guest's `done` was called with.
pub struct Ended<T>(Rc<State<T>>);

struct State<T> {
    result: RefCell<Option<Result<T, JoinError>>>,
    /// The function was dropped, called or not.
    gone: Cell<bool>,
}

impl<T> Default for Ended<T> {
    fn default() -> Self {
        Self(Rc::new(State {
            result: RefCell::new(None),
            gone: Cell::new(false),
        }))
    }
}

impl<T> Ended<T> {
    /// For `GuestBuilder::start`.
    pub fn done(&self) -> impl FnOnce(Result<T, JoinError>) + use<T> {
        struct Gone<T>(Ended<T>);
        impl<T> Drop for Gone<T> {
            fn drop(&mut self) {
                self.0.0.gone.set(true);
            }
        }
        let gone = Gone(Self(Rc::clone(&self.0)));
        move |result| {
            let before = gone.0.0.result.replace(Some(result));
            assert!(before.is_none(), "done was called twice");
        }
    }

    /// Whether `done` was called.
    pub fn take(&self) -> Option<Result<T, JoinError>> {
        self.0.result.take()
    }

    /// Whether `done` was dropped, called or not.
    pub fn is_gone(&self) -> bool {
        self.0.gone.get()
    }
}

/// A runtime that can be a guest.
pub fn runtime() -> Runtime {
    Builder::current_thread().build().unwrap()
}
