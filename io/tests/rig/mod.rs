//! What the tests drive sockets with: a driver on each back end, or the background driver, and a
//! `block_on` that turns it.
#![allow(dead_code, reason = "each test program uses its own part of this")]

pub mod child;
pub mod folder;

use std::future::Future;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use tenter_io::net::{TcpListener, TcpStream};
use tenter_io::{Async, Backend, Driver, Handle, Interest};
use tenter_sync::parker::Parker;

/// A test that is not done by then hangs.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// Who waits for events.
pub enum Rig {
    /// The test's own thread.
    Turned(Driver),
    /// The background driver.
    Fallback,
}

impl Rig {
    pub fn new(backend: Backend) -> Rig {
        Rig::Turned(Driver::with_backend(Waker::noop().clone(), backend))
    }

    pub fn handle(&self) -> Handle {
        match self {
            Rig::Turned(driver) => driver.handle().clone(),
            Rig::Fallback => panic!("the background driver has no handle"),
        }
    }

    pub fn driver(&mut self) -> &mut Driver {
        match self {
            Rig::Turned(driver) => driver,
            Rig::Fallback => panic!("the background driver turns itself"),
        }
    }

    /// Runs `future` to its end, and turns the driver while it waits.
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        let bell = Arc::new(Bell {
            rung: AtomicBool::new(true),
            driver: match self {
                Rig::Turned(driver) => Some(driver.handle().clone()),
                Rig::Fallback => None,
            },
            parker: Parker::new(),
        });
        let waker = Waker::from(Arc::clone(&bell));
        let mut cx = Context::from_waker(&waker);
        let mut future = pin!(future);
        let _entered = bell.driver.as_ref().map(Handle::enter);
        let start = Instant::now();
        loop {
            if bell.rung.swap(false, Ordering::AcqRel) {
                if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                    return output;
                }
            }
            assert!(start.elapsed() < HANGS_AFTER, "the future hangs");
            // A future that wakes itself does not keep the events out.
            let rung = bell.rung.load(Ordering::Acquire);
            let timeout = if rung { Duration::ZERO } else { HANGS_AFTER };
            match self {
                Rig::Turned(driver) => {
                    // A driver that failed has told its sources so.
                    let _ = driver.turn(Some(timeout));
                }
                Rig::Fallback => {
                    let _ = bell.parker.park(Some(timeout));
                }
            }
        }
    }

    /// Enters the driver, for what is opened outside of `block_on`.
    pub fn enter(&self) -> Option<tenter_io::EnterGuard> {
        match self {
            Rig::Turned(driver) => Some(driver.handle().enter()),
            Rig::Fallback => None,
        }
    }

    /// Both ends of a connection.
    pub fn pair(&mut self) -> (TcpStream, TcpStream) {
        self.block_on(pair()).expect("a connection")
    }
}

/// Both ends of a connection.
pub async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    Ok((client, server))
}

struct Bell {
    rung: AtomicBool,
    driver: Option<Handle>,
    parker: Parker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        match &self.driver {
            Some(driver) => driver.notify(),
            None => {
                let _ = self.parker.unpark();
            }
        }
    }
}

/// A waker that counts.
#[derive(Default)]
pub struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Count {
    pub fn new() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (Arc::clone(&count), Waker::from(count))
    }

    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Forgets a value, where a leak checker can see that it is on purpose.
pub fn leak<T>(value: T) {
    static LEAKED: std::sync::Mutex<Vec<usize>> = std::sync::Mutex::new(Vec::new());
    let address = Box::into_raw(Box::new(std::mem::ManuallyDrop::new(value)));
    LEAKED
        .lock()
        .expect("no panic")
        .push(address.expose_provenance());
}

/// Reads until there is nothing and the source knows it. One try is not enough: an event that comes
/// in the middle of it, if only for the other direction, leaves the source as it was.
pub fn run_dry(source: &Async<UnixStream>) {
    loop {
        let read = source.try_io(Interest::READABLE, || source.get_ref().read(&mut [0; 64]));
        let error = read.expect_err("nothing was written");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        if poll_once(pin!(source.readable())).is_pending() {
            return;
        }
    }
}

/// Waits for what another thread is about to do.
pub fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < HANGS_AFTER, "it does not happen");
        std::thread::yield_now();
    }
}

/// One poll, with a waker that does nothing.
pub fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls all at each wake, until all are ready.
pub async fn join_all<T>(futures: Vec<Pin<Box<dyn Future<Output = T> + '_>>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(|future| (future, None)).collect();
    std::future::poll_fn(move |cx| {
        let mut all_ready = true;
        for (future, output) in &mut futures {
            if output.is_none() {
                match future.as_mut().poll(cx) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => all_ready = false,
                }
            }
        }
        if !all_ready {
            return Poll::Pending;
        }
        let outputs = futures.iter_mut().map(|(_, output)| output.take());
        Poll::Ready(outputs.map(|output| output.expect("ready")).collect())
    })
    .await
}

/// How many descriptors this process has open.
pub fn open_fds() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("/proc").count()
}

/// Runs each test function on each back end: `on_every_backend!(one, two);`.
#[macro_export]
macro_rules! on_every_backend {
    ($($test:ident),* $(,)?) => {
        $crate::on_backend!(direct, super::Rig::new(tenter_io::Backend::Best); $($test)*);
        $crate::on_backend!(
            polling_edge, super::Rig::new(tenter_io::Backend::PollingEdge); $($test)*
        );
        $crate::on_backend!(
            polling_oneshot, super::Rig::new(tenter_io::Backend::PollingOneshot); $($test)*
        );
        $crate::on_backend!(fallback, super::Rig::Fallback; $($test)*);
    };
}

/// Runs each test function on each way to wait, with a driver that the test turns.
#[macro_export]
macro_rules! on_every_selector {
    ($($test:ident),* $(,)?) => {
        $crate::on_backend!(direct, super::Rig::new(tenter_io::Backend::Best); $($test)*);
        $crate::on_backend!(
            polling_edge, super::Rig::new(tenter_io::Backend::PollingEdge); $($test)*
        );
        $crate::on_backend!(
            polling_oneshot, super::Rig::new(tenter_io::Backend::PollingOneshot); $($test)*
        );
    };
}

/// Runs each test function on one back end.
#[macro_export]
macro_rules! on_backend {
    ($name:ident, $rig:expr; $($test:ident)*) => {
        mod $name {
            $(#[test] fn $test() { super::$test(&mut $rig); })*
        }
    };
}
