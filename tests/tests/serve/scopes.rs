//! Servers and the scopes that they serve in: a scope that ends closes its server, and is over when that is.

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tenter::io::AsyncReadExt;
use tenter::net::{ServeOptions, Server, ServerHandle, TcpListener, TcpStream};
use tenter::sync::Semaphore;
use tenter::time::{now, sleep, timeout};
use tenter::{Builder, CancelScope, defer_async, shield, spawn, task_group};
use tenter_tests::support::{Count, Log, assert_says, build, every, settle};

use crate::support::{Tcp, is_answered, listener, on_every, patient, refused, until};

/// What a test sees of a server whose handlers wait for the latch.
struct Seen {
    handle: ServerHandle,
    address: std::net::SocketAddr,
    latch: Arc<Semaphore>,
    gone: Count,
}

/// A server that is not served yet.
async fn prepared(options: ServeOptions) -> (Server, Seen) {
    let (listener, address) = listener().await;
    let latch = Arc::new(Semaphore::new(0));
    let gone = Count::new();
    let (opens, leaves) = (Arc::clone(&latch), gone.clone());
    let handler = move |mut connection: Tcp| {
        let (opens, leaves) = (Arc::clone(&opens), leaves.clone());
        async move {
            let _leaves = leaves.on_drop();
            if let Ok(permit) = opens.acquire().await {
                permit.forget();
            }
            let sent = tenter::io::AsyncWriteExt::write_all(&mut connection.stream, b"!");
            drop(sent.await);
        }
    };
    let server = Server::new(listener, handler, options);
    let seen = Seen {
        handle: server.handle(),
        address,
        latch,
        gone,
    };
    (server, seen)
}

impl Seen {
    async fn clients(&self, count: usize) -> Vec<TcpStream> {
        let mut clients = Vec::new();
        for _ in 0..count {
            clients.push(TcpStream::connect(self.address).await.expect("listens"));
        }
        until("they are accepted", || {
            self.handle.open_connections() == count
        })
        .await;
        settle().await;
        clients
    }
}

/// Serves in the caller's task until there are so many connections, and their handlers wait.
async fn serve_until(server: &mut Server, count: usize) {
    let handle = server.handle();
    poll_fn(|cx| {
        assert!(Pin::new(&mut *server).poll(cx).is_pending());
        if handle.open_connections() == count {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    settle().await;
}

/// Goal: a scope that is cancelled stops accepting, lets the handlers finish, and returns after them.
#[test]
fn a64_a_server_that_is_cancelled_closes_and_waits_for_its_connections() {
    on_every(|| async {
        let (server, seen) = prepared(patient()).await;
        let scope = CancelScope::new();
        let cancel = scope.handle();
        let task = spawn(scope.run(server));
        let mut clients = seen.clients(3).await;
        cancel.cancel("enough");
        until("it was told", || seen.handle.is_closing()).await;
        refused(seen.address).await;
        settle().await;
        assert!(!task.is_finished() && !seen.handle.is_closed());
        seen.latch.add_permits(3).expect("not too many");
        assert!(task.await.expect("no panic").is_cancelled());
        assert_eq!(seen.gone.get(), 3, "nothing of them is left");
        let report = seen.handle.closed().await.expect("closed in order");
        assert_eq!(
            (report.completed, report.drained, report.cancelled),
            (3, 3, 0)
        );
        for client in &mut clients {
            assert!(is_answered(client).await);
        }
    });
}

/// Goal: handlers that ask hear of it, so that a scope need not wait for clients that say nothing.
#[test]
fn a61_connections_hear_that_the_scope_of_their_server_ends() {
    on_every(|| async {
        let (listener, address) = listener().await;
        let handler = async |connection: Tcp| connection.closing.requested().await;
        let server = Server::new(listener, handler, patient());
        let handle = server.handle();
        let task = spawn(server);
        let _client = TcpStream::connect(address).await.expect("listens");
        until("it is accepted", || handle.open_connections() == 1).await;
        task.cancel_and_wait().await.expect_err("it was cancelled");
        assert!(handle.is_closed());
        assert_eq!(handle.report().drained, 1);
    });
}

/// Goal: the drain is bounded by its own limit, from when the scope ended, also where a deadline further
/// out would have been earlier; then everything is cancelled, at once.
#[test]
fn a61_a_scope_waits_for_its_server_for_the_drain_timeout() {
    let second = Duration::from_secs(1);
    build(Builder::deterministic(3)).block_on(async {
        let (server, seen) = prepared(ServeOptions::new().drain_timeout(30 * second)).await;
        let begin = now();
        let outer = timeout(20 * second, async {
            assert!(timeout(10 * second, server).await.is_err());
        });
        let clients = seen.clients(2);
        let (outer, _clients) = tenter::gather!(outer, clients).await;
        assert!(outer.is_err(), "the outermost of what is over says so");
        assert_eq!(now() - begin, 40 * second);
        assert_eq!(seen.gone.get(), 2);
        let report = seen.handle.closed().await.expect("closed in order");
        assert_eq!((report.accepted, report.cancelled), (2, 2));
    });
}

/// Goal: a drain that the scope waits for can be cut short by who has the handle.
#[test]
fn a64_an_abort_ends_the_drain_of_a_scope() {
    on_every(|| async {
        let (server, seen) = prepared(patient()).await;
        let task = spawn(server);
        let _clients = seen.clients(2).await;
        task.cancel();
        until("it was told", || seen.handle.is_closing()).await;
        refused(seen.address).await;
        assert!(!task.is_finished());
        seen.handle.abort();
        task.await.expect_err("it was cancelled");
        assert_eq!(seen.gone.get(), 2);
        assert_eq!(seen.handle.report().cancelled, 2);
    });
}

/// Goal: a group whose other child fails closes the server in it, and returns after its handlers.
#[test]
fn a61_a_group_that_fails_is_over_when_its_server_is() {
    on_every(|| async {
        let (server, seen) = prepared(ServeOptions::new().drain_timeout(Duration::ZERO)).await;
        let group = task_group(async |group| {
            group.spawn(async move { server.await.map(drop).map_err(|_| "the server") });
            let _clients = seen.clients(2).await;
            group.spawn(async { Err::<(), _>("the other") });
            pending::<()>().await;
            Ok(())
        });
        let error = group.await.expect_err("one has failed");
        assert_says(&error.to_string(), &["the other"]);
        assert_eq!(seen.gone.get(), 2);
        assert_eq!(seen.handle.report().cancelled, 2);
        TcpListener::bind(seen.address).await.expect("it is free");
    });
}

/// Goal: a server that is dropped while its scope goes on is done with: the port is free at once, and nobody
/// is drained. A scope that returns does so after the handlers, with their clean-ups.
#[test]
fn a61_a_server_that_is_dropped_is_not_drained_but_waited_for() {
    on_every(|| async {
        let (listener, address) = listener().await;
        let done = Count::new();
        let cleaned = done.clone();
        let handler = move |connection: Tcp| {
            let cleaned = cleaned.clone();
            async move {
                let _clean_up = defer_async(async move {
                    sleep(Duration::from_millis(1)).await;
                    cleaned.add();
                });
                pending::<()>().await;
                drop(connection);
            }
        };
        let mut server = Server::new(listener, handler, patient());
        let handle = server.handle();
        let cut = CancelScope::new().run(async {
            let client = TcpStream::connect(address).await.expect("listens");
            serve_until(&mut server, 1).await;
            drop(server);
            TcpListener::bind(address).await.expect("free at once");
            client
        });
        let mut client = cut.await.done().expect("not cancelled");
        // Behind the clean-up of the handler: a virtual clock moves only while everybody waits.
        sleep(Duration::from_millis(2)).await;
        until("the clean-up of the handler is done", || done.get() == 1).await;
        assert!(!is_answered(&mut client).await);
        assert_eq!(handle.report().cancelled, 1);
    });
}

/// Goal: the same where the drop is the last thing that the scope does: it is over when the handlers are.
#[test]
fn a61_a_scope_that_returns_waits_for_the_handlers_of_its_server() {
    on_every(|| async {
        let (server, seen) = prepared(patient()).await;
        let scope = CancelScope::new().run(async {
            let mut server = server;
            let address = seen.address;
            let connect = async || TcpStream::connect(address).await.expect("listens");
            let _clients = [connect().await, connect().await];
            serve_until(&mut server, 2).await;
            drop(server);
        });
        drop(scope.await);
        assert_eq!(seen.gone.get(), 2);
    });
}

/// Goal: what a handler shields longer than the grace is told of by name, once, and the scope goes on.
#[test]
fn a61_a_scope_names_the_connections_that_are_stuck() {
    let told = Log::new();
    let tell = told.clone();
    let builder = Builder::deterministic(5).on_unobserved(move |event| tell.add(event.to_string()));
    build(builder).block_on(async {
        let (listener, address) = listener().await;
        let handler = async |connection: Tcp| {
            shield(sleep(Duration::from_secs(100))).await;
            drop(connection);
        };
        let server = Server::new(listener, handler, ServeOptions::new());
        let begin = now();
        let task = spawn(timeout(Duration::from_secs(1), server));
        let mut client = TcpStream::connect(address).await.expect("listens");
        assert!(task.await.expect("no panic").is_err());
        assert_eq!(now() - begin, Duration::from_secs(1 + 30 + 1));
        let told = told.take();
        assert_eq!(told.len(), 1, "{told:?}");
        let peer = client.local_addr().expect("connected").to_string();
        assert_says(&told[0], &["the server at", "1 stuck", &peer]);
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.expect("closed at last");
    });
}

/// Goal: a handler that panics in the drain is reported once, like every task, and ends nothing else.
#[test]
fn a61_a_failure_in_the_drain_is_reported_once() {
    every(|builder| {
        let told = Log::new();
        let tell = told.clone();
        let builder = builder.on_unobserved(move |event| tell.add(event.to_string()));
        let runtime = build(builder);
        runtime.block_on(async {
            let (listener, address) = listener().await;
            let handler = async |connection: Tcp| {
                connection.closing.requested().await;
                panic!("on the way out");
            };
            let server = Server::new(listener, handler, patient());
            let handle = server.handle();
            let task = spawn(server);
            let _client = TcpStream::connect(address).await.expect("listens");
            until("it is accepted", || handle.open_connections() == 1).await;
            task.cancel_and_wait().await.expect_err("it was cancelled");
            let report = handle.closed().await.expect("closed in order");
            assert_eq!((report.panicked, report.drained), (1, 1));
        });
        drop(runtime);
        let told = told.take();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_says(&told[0], &["on the way out", "scopes.rs"]);
    });
}

/// Goal: a server that nobody has polled, or that has ended, leaves nothing to wait for.
#[test]
fn a64_a_server_that_does_not_run_holds_up_nobody() {
    on_every(|| async {
        let (server, seen) = prepared(patient()).await;
        assert!(
            timeout(Duration::ZERO, async {
                let _server = server;
                pending::<()>().await;
            })
            .await
            .is_err()
        );
        seen.handle.closed().await.expect_err("it never ran");
        let (server, seen) = prepared(patient()).await;
        seen.handle.close();
        timeout(Duration::from_secs(1), server)
            .await
            .expect("in time")
            .expect("closed in order");
    });
}

/// Goal: servers of one scope drain side by side: each closes its listener at once, and the scope takes as
/// long as one.
#[test]
fn a61_the_servers_of_a_scope_drain_side_by_side() {
    let second = Duration::from_secs(1);
    build(Builder::deterministic(7)).block_on(async {
        let options = || ServeOptions::new().drain_timeout(30 * second);
        let (first, one) = prepared(options()).await;
        let (other, two) = prepared(options()).await;
        let begin = now();
        let both = spawn(timeout(10 * second, async {
            drop(tenter::gather!(first, other).await);
        }));
        let _clients = (one.clients(1).await, two.clients(1).await);
        sleep(11 * second).await;
        refused(one.address).await;
        refused(two.address).await;
        assert!(both.await.expect("no panic").is_err());
        assert_eq!(now() - begin, 40 * second);
        assert_eq!((one.gone.get(), two.gone.get()), (1, 1));
    });
}
