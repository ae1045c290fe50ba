//! Servers (`runtime/src/serve`): close, abort and drop against accept and against connections that end.
//!
//! The first models are of what a server has in common with its connections, whose tasks run on a
//! thread of their own. The others are of a whole server in a whole runtime of one thread, with a
//! listener that follows a script; the other thread is a client, or whoever closes the server.
#![cfg(tenter_loom)]

use std::future::{Future, pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Poll, Waker};

use tenter::model::{
    Handling, Listener, Ran, Runnable, Schedule, SealedListener, Seat, ServerShared, Unobserved,
    YieldFlag, spawn_on,
};
use tenter::net::{Connection, ServeOptions, ServeReport, Server, serve};
use tenter::time::Duration;
use tenter::{Builder, JoinHandle, Runtime};
use tenter_loom_tests::{Census, Tracked, block_on, check};
use tenter_sync::oneshot;
use tenter_sync::parker::Parker;
use tenter_sync::shim::{Mutex, thread};

/// The thread that runs the tasks of connections.
struct Worker {
    ready: Mutex<Vec<Runnable>>,
    parker: Parker,
}

struct WorkerRef(Arc<Worker>);

impl Schedule for WorkerRef {
    fn schedule(&self, task: Runnable) {
        self.0.ready.lock().push(task);
        let _ = self.0.parker.unpark();
    }

    fn unobserved(&self, failure: &Unobserved<'_>) {
        panic!("nothing fails in these models: {failure}");
    }
}

impl Worker {
    fn new() -> Arc<Worker> {
        Arc::new(Worker {
            ready: Mutex::new(Vec::new()),
            parker: Parker::new(),
        })
    }

    /// Makes a connection, whose task is not on the list yet.
    fn spawn(
        self: &Arc<Self>,
        seat: Seat,
        handler: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let task = Handling::new(handler, seat);
        let (task, handle) = spawn_on(task, WorkerRef(Arc::clone(self)));
        self.ready.lock().push(task);
        handle
    }

    /// Runs tasks until `count` have ended.
    fn run(&self, count: usize) {
        let mut ended = 0;
        while ended < count {
            let next = self.ready.lock().pop();
            let Some(task) = next else {
                let _ = self.parker.park(None);
                continue;
            };
            // SAFETY: these tasks have no owner.
            match unsafe { task.run(&YieldFlag::new(false), |_| None, |_| ()) } {
                Ran::Requeue(task) => self.ready.lock().push(task),
                Ran::Parked => {}
                Ran::Finished => ended += 1,
            }
        }
    }
}

fn shared() -> Arc<ServerShared> {
    Arc::new(ServerShared::new("the script".to_owned(), Box::default()))
}

/// All who were accepted are accounted for, and nobody is left.
fn assert_complete(report: &ServeReport) {
    let left = report.completed + report.panicked + report.cancelled;
    assert_eq!((report.accepted, report.open, report.stuck), (left, 0, 0));
}

/// Goal: a server that drains hears of the last connection that leaves, whether it leaves before, after
/// or while the server looks; also if the connection has ended before its handle is on the list.
#[test]
fn the_last_leaves_vs_drain() {
    check("serve::the_last_leaves_vs_drain", || {
        let (server, worker) = (shared(), Worker::new());
        let key = server.enter(None);
        let handle = worker.spawn(Seat::new(Arc::clone(&server), key, 0), async {});
        let runner = thread::spawn(move || worker.run(1));
        server.started(key, handle);
        server.drain();
        block_on(server.empty());
        let report = server.last_report();
        assert_complete(&report);
        assert_eq!(report.completed, 1);
        runner.join().unwrap();
    });
}

/// Goal: no connection escapes the cancellation of all, also if its task is not on the list yet.
#[test]
fn cancel_vs_start() {
    check("serve::cancel_vs_start", || {
        let (server, worker) = (shared(), Worker::new());
        let key = server.enter(None);
        let acceptor = {
            let server = Arc::clone(&server);
            thread::spawn(move || {
                let seat = Seat::new(Arc::clone(&server), key, 0);
                let handle = worker.spawn(seat, pending());
                server.started(key, handle);
                worker.run(1);
            })
        };
        server.cancel_all();
        block_on(server.empty());
        let report = server.last_report();
        assert_complete(&report);
        assert_eq!(report.cancelled, 1);
        acceptor.join().unwrap();
    });
}

/// Goal: whoever waits for the end gets the one outcome, and nobody who waits is left.
#[test]
fn end_vs_closed() {
    check("serve::end_vs_closed", || {
        let server = shared();
        let other = {
            let server = Arc::clone(&server);
            thread::spawn(move || block_on(server.outcome()).expect("no failure"))
        };
        server.drain();
        server.end(Ok(server.last_report()));
        let here = block_on(server.outcome()).expect("no failure");
        assert_eq!(here, other.join().unwrap());
    });
}

/// Goal: a server that is dropped while a connection ends counts that once: as completed, or as cancelled.
#[test]
fn drop_vs_the_end_of_a_connection() {
    check("serve::drop_vs_the_end_of_a_connection", || {
        let (server, worker) = (shared(), Worker::new());
        let key = server.enter(None);
        let handle = worker.spawn(Seat::new(Arc::clone(&server), key, 0), async {});
        server.started(key, handle);
        let runner = thread::spawn(move || worker.run(1));
        server.dropped();
        let error = block_on(server.outcome()).expect_err("it was dropped");
        assert_complete(error.report());
        assert_eq!(error.report().accepted, 1);
        runner.join().unwrap();
    });
}

/// A listener that yields what a client puts into its backlog.
struct Script(Arc<Mutex<Backlog>>);

/// Where clients come from.
struct Clients(Arc<Mutex<Backlog>>);

#[derive(Default)]
struct Backlog {
    clients: Vec<Tracked<()>>,
    waiting: Option<Waker>,
    is_closed: bool,
}

fn script() -> (Script, Clients) {
    let backlog = Arc::default();
    (Script(Arc::clone(&backlog)), Clients(backlog))
}

impl Clients {
    /// A client comes. It is refused if nobody listens any more.
    fn connect(&self, census: &Census) {
        let stream = census.track(());
        let mut backlog = self.0.lock();
        if backlog.is_closed {
            return;
        }
        backlog.clients.push(stream);
        let waiting = backlog.waiting.take();
        drop(backlog);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let mut backlog = self.0.lock();
        let unserved = std::mem::take(&mut *backlog);
        backlog.is_closed = true;
        drop(backlog);
        drop(unserved);
    }
}

impl SealedListener for Script {}

impl Listener for Script {
    type Stream = Tracked<()>;
    type Address = ();

    fn next(&self) -> impl Future<Output = io::Result<(Tracked<()>, ())>> + Send {
        poll_fn(|cx| {
            let fresh = cx.waker().clone();
            let mut backlog = self.0.lock();
            if let Some(stream) = backlog.clients.pop() {
                return Poll::Ready(Ok((stream, ())));
            }
            let old = backlog.waiting.replace(fresh);
            drop(backlog);
            drop(old);
            Poll::Pending
        })
    }

    fn place(&self) -> String {
        "the script".to_owned()
    }

    fn peer((): &()) -> Option<SocketAddr> {
        None
    }
}

fn runtime() -> Runtime {
    Builder::current_thread()
        .build()
        .expect("no setting is wrong")
}

/// There is no time in the model.
fn options() -> ServeOptions {
    ServeOptions::new()
        .drain_timeout(Duration::MAX)
        .cancel_grace(Duration::MAX)
}

fn new_server(runtime: &Runtime, script: Script, options: ServeOptions) -> Server {
    let _inside = runtime.enter();
    Server::new(script, greet, options)
}

async fn greet(connection: Connection<Tracked<()>, ()>) {
    connection.stream.get();
}

/// Goal: a client that comes while the server closes is served and counted, or left in the backlog; the
/// future of the server and the handle tell the same end.
#[test]
fn close_vs_accept() {
    check("serve::close_vs_accept", || {
        let (runtime, census) = (runtime(), Census::new());
        let (script, clients) = script();
        let report = {
            let server = new_server(&runtime, script, options());
            let handle = server.handle();
            let census = census.clone();
            let other = thread::spawn(move || {
                clients.connect(&census);
                handle.close();
                block_on(handle.closed()).expect("no failure")
            });
            let report = runtime.block_on(server).expect("no failure");
            assert_eq!(report, other.join().unwrap());
            report
        };
        assert_complete(&report);
        assert_eq!(report.cancelled, 0);
        drop(runtime);
        census.assert_all_dropped();
    });
}

/// Goal: a server that is told to abort cancels its connections, also one that it accepts at that moment.
/// The client has come before.
#[test]
fn abort_vs_accept() {
    check("serve::abort_vs_accept", || {
        let (runtime, census) = (runtime(), Census::new());
        let (script, clients) = script();
        let server = {
            let _inside = runtime.enter();
            let waits = |connection: Connection<_, _>| async move {
                let _connection = connection;
                pending::<()>().await;
            };
            Server::new(script, waits, options())
        };
        let handle = server.handle();
        clients.connect(&census);
        let other = thread::spawn(move || handle.abort());
        let report = runtime.block_on(server).expect("no failure");
        assert_complete(&report);
        assert_eq!(report.completed, 0);
        other.join().unwrap();
        drop(runtime);
        census.assert_all_dropped();
    });
}

/// Goal: the place of a connection that has left is given to the next one.
#[test]
fn one_place_for_two() {
    check("serve::one_place_for_two", || {
        let (runtime, census) = (runtime(), Census::new());
        let (script, clients) = script();
        let (last, served) = oneshot();
        let server = {
            let _inside = runtime.enter();
            let options = options().max_connections(1);
            let (mut accepted, mut last) = (0, Some(last));
            let count = move |connection: Connection<_, _>| {
                accepted += 1;
                let last = if accepted == 2 { last.take() } else { None };
                async move {
                    drop(connection);
                    if let Some(last) = last {
                        last.send(()).expect("somebody waits");
                    }
                }
            };
            Server::new(script, count, options)
        };
        let handle = server.handle();
        clients.connect(&census);
        clients.connect(&census);
        let other = {
            thread::spawn(move || {
                block_on(served).expect("two are served");
                handle.close();
            })
        };
        let report = runtime.block_on(server).expect("no failure");
        assert_complete(&report);
        assert_eq!(report.accepted, 2);
        other.join().unwrap();
        drop(runtime);
        census.assert_all_dropped();
    });
}

/// Goal: the end of a runtime is the end of its server, for whoever waits for it.
#[test]
fn end_of_the_runtime_vs_closed() {
    check("serve::end_of_the_runtime_vs_closed", || {
        let (runtime, census) = (runtime(), Census::new());
        let (script, clients) = script();
        let handle = {
            let _inside = runtime.enter();
            serve(script, greet, options())
        };
        let other = {
            let census = census.clone();
            thread::spawn(move || {
                clients.connect(&census);
                let error = block_on(handle.closed()).expect_err("it was dropped");
                assert_complete(error.report());
            })
        };
        runtime.block_on(tenter::task::yield_now());
        drop(runtime);
        other.join().unwrap();
        census.assert_all_dropped();
    });
}
