//! The HTTP server of `tenter-http`, spoken to over plain sockets of the standard library. Its client is
//! tried in `client`, `answers` and `connector`.
//!
//! The server runs on a runtime in a thread of its own; the test is the client. Every client
//! socket has a limit on how long it waits, so a hang is a failure with a place.

use std::convert::Infallible;
use std::future::{Future, IntoFuture, poll_fn};
use std::io::{self, Write};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Extension, Router};
use tenter::net::TcpListener;
use tenter::sync::{Semaphore, oneshot};
use tenter_http::{Peer, TenterIo, TenterTimer, serve};

use crate::harness::{Client, HANG, Server};

mod answers;
mod client;
mod connector;
mod harness;

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

/// An app whose `/wait` answers when the test opens the latch; it counts who waits.
fn waiting() -> (Router, Arc<Semaphore>, Arc<AtomicUsize>) {
    let latch = Arc::new(Semaphore::new(0));
    let waiters = Arc::new(AtomicUsize::new(0));
    let (wait_for, count) = (Arc::clone(&latch), Arc::clone(&waiters));
    let wait = get(move || async move {
        count.fetch_add(1, Ordering::SeqCst);
        drop(wait_for.acquire().await);
        "waited"
    });
    (hello().route("/wait", wait), latch, waiters)
}

fn spin_until(what: &str, condition: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < HANG, "never happened: {what}");
        thread::yield_now();
    }
}

#[test]
fn a_connection_is_kept_and_knows_its_peer() {
    let peer = |Extension(peer): Extension<Peer>| async move { peer.to_string() };
    let mut server = Server::start(hello().route("/peer", get(peer)));
    let mut client = server.connect();
    let own_address = client.socket().local_addr().unwrap().to_string();
    for _ in 0..3 {
        assert_eq!(client.get("/"), (200, "hello".into()));
        assert_eq!(client.get("/peer"), (200, own_address.clone()));
    }
    assert_eq!(client.get("/nothing").0, 404);
    drop(client);
    assert_eq!(server.finish().accepted, 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let echo = |Path(number): Path<u32>| async move { number.to_string() };
    let mut server = Server::start(Router::new().route("/{number}", get(echo)));
    let mut client = server.connect();
    (0..20).for_each(|number| client.ask(&format!("/{number}")));
    for number in 0..20 {
        assert_eq!(client.answer().unwrap(), (200, number.to_string()));
    }
    server.finish();
}

#[test]
fn a_body_of_many_segments_arrives_whole_and_comes_back() {
    let echo = |body: Bytes| async move { body };
    let mut server = Server::start(Router::new().route("/", post(echo)));
    let mut client = server.connect();
    let body = "0123456789abcdef".repeat(100_000);
    let head = format!(
        "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let sender = client.socket().try_clone().unwrap();
    // axum refuses bodies above 2 MB, so this one is just below.
    thread::scope(|scope| {
        scope.spawn(|| {
            (&sender).write_all(head.as_bytes()).unwrap();
            (&sender).write_all(body.as_bytes()).unwrap();
        });
        assert_eq!(client.answer().unwrap(), (200, body.clone()));
    });
    server.finish();
}

/// Goal: a client that never finishes its head does not hold its connection for ever, and nobody
/// else notices it.
#[test]
fn a_head_that_never_ends_is_cut_off() {
    let mut server = Server::configured(hello(), |serve| {
        serve.header_read_timeout(Duration::from_millis(100))
    });
    let mut slow = server.connect();
    slow.send("GET / HTTP/1.1\r\nhost: te");
    assert_eq!(server.connect().get("/"), (200, "hello".into()));
    slow.closed().unwrap();
    server.finish();
}

/// Goal: the longest limit that can be named is one, and not a sum that does not fit.
#[test]
fn a_limit_of_for_ever_answers() {
    let mut server = Server::configured(hello(), |serve| serve.header_read_timeout(Duration::MAX));
    assert_eq!(server.connect().get("/"), (200, "hello".into()));
    server.finish();
}

/// Goal: the default limit exists and is 30 s of the runtime's clock. Method: the virtual clock
/// jumps when the connection waits; the stream never delivers the end of the head.
#[tenter::test]
async fn the_limit_for_a_head_follows_the_clock_of_the_runtime() {
    let start = tenter::time::now();
    let never = hyper::service::service_fn(|_| async {
        Ok::<_, Infallible>(hyper::Response::new(String::new()))
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TenterTimer::new())
        .serve_connection(
            TenterIo::new(Trickle {
                bytes: b"GET / HTTP/1.1\r\n",
            }),
            never,
        );
    let error = connection.await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(
        tenter::time::now().duration_since(start),
        Duration::from_secs(30)
    );
}

/// A stream of `futures-io` that delivers its bytes one at a time and then nothing for ever.
struct Trickle {
    bytes: &'static [u8],
}

impl tenter::io::AsyncRead for Trickle {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.bytes.split_first() {
            None => Poll::Pending,
            Some((first, rest)) => {
                buffer[0] = *first;
                self.bytes = rest;
                Poll::Ready(Ok(1))
            }
        }
    }
}

impl tenter::io::AsyncWrite for Trickle {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buffer.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Goal: a client that has closed its sending side still gets its answer, also one that takes long.
#[test]
fn a_half_closed_client_gets_its_answer() {
    let (app, latch, waiters) = waiting();
    let mut server = Server::start(app);
    let mut client = server.connect();
    client.ask("/wait");
    client.socket().shutdown(Shutdown::Write).unwrap();
    spin_until("the request arrives", || {
        waiters.load(Ordering::SeqCst) == 1
    });
    latch.add_permits(1).unwrap();
    assert_eq!(client.answer().unwrap(), (200, "waited".into()));
    client.closed().unwrap();
    server.finish();
}

/// Goal: where the server is told so, a client that leaves takes its request with it.
#[test]
fn without_half_close_an_abandoned_request_is_dropped() {
    struct CountDrop(Arc<AtomicUsize>);
    impl Drop for CountDrop {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (arrived, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count_arrived, count_dropped) = (Arc::clone(&arrived), Arc::clone(&dropped));
    let wait = get(move || async move {
        let _guard = CountDrop(count_dropped);
        count_arrived.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<&str>().await
    });
    let mut server = Server::configured(Router::new().route("/", wait), |serve| {
        serve.half_close(false)
    });
    let client = server.connect();
    client.ask("/");
    spin_until("the request arrives", || {
        arrived.load(Ordering::SeqCst) == 1
    });
    drop(client);
    spin_until("the request is dropped", || {
        dropped.load(Ordering::SeqCst) == 1
    });
    server.finish();
}

/// Goal: requests that are followed at once by FIN are all answered; nothing hangs.
#[test]
fn data_followed_at_once_by_fin_is_answered() {
    let mut server = Server::start(hello());
    for _ in 0..1_000 {
        let mut client = server.connect();
        client.ask("/");
        client.socket().shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.answer().unwrap(), (200, "hello".into()));
    }
    assert_eq!(server.finish().accepted, 1_000);
}

/// Goal: resets at every stage end their own connection only, and are reported.
#[test]
fn a_reset_ends_its_own_connection_only() {
    let errors = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&errors);
    let (app, latch, waiters) = waiting();
    let mut server = Server::configured(app, move |serve| {
        serve.on_connection_error(move |_, _| {
            count.fetch_add(1, Ordering::SeqCst);
        })
    });
    let mut bystander = server.connect();
    assert_eq!(bystander.get("/"), (200, "hello".into()));
    for sent in [
        "",
        "GET /wait HT",
        "GET /wait HTTP/1.1\r\nhost: test\r\n\r\n",
    ] {
        let client = server.connect();
        client.send(sent);
        if sent.ends_with("\r\n\r\n") {
            spin_until("the request arrives", || {
                waiters.load(Ordering::SeqCst) == 1
            });
        }
        // Closing with a linger of zero sends RST instead of FIN.
        rustix::net::sockopt::set_socket_linger(client.socket(), Some(Duration::ZERO)).unwrap();
        drop(client);
    }
    latch.add_permits(1).unwrap();
    spin_until("a reset is reported", || errors.load(Ordering::SeqCst) >= 2);
    assert_eq!(bystander.get("/"), (200, "hello".into()));
    drop(bystander);
    let report = server.finish();
    assert_eq!((report.accepted, report.dropped), (4, 0));
}

/// Goal: what is no HTTP gets 400 and the end of its connection, and is reported.
#[test]
fn nonsense_is_refused() {
    let errors = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&errors);
    let mut server = Server::configured(hello(), move |serve| {
        serve.on_connection_error(move |_, error| {
            assert!(error.is_parse(), "{error}");
            count.fetch_add(1, Ordering::SeqCst);
        })
    });
    let mut client = server.connect();
    client.send("\0\0\0\0 this is not http\r\n\r\n");
    assert_eq!(client.answer().unwrap().0, 400);
    client.closed().unwrap();
    server.finish();
    assert_eq!(errors.load(Ordering::SeqCst), 1);
}

/// Goal: a graceful shutdown answers the request in hand, closes idle connections, and refuses new
/// ones.
#[test]
fn a_graceful_shutdown_drains() {
    let (app, latch, waiters) = waiting();
    let mut server = Server::start(app);
    let (mut idle, mut busy) = (server.connect(), server.connect());
    assert_eq!(idle.get("/"), (200, "hello".into()));
    busy.ask("/wait");
    spin_until("the request arrives", || {
        waiters.load(Ordering::SeqCst) == 1
    });
    server.stop();
    idle.closed().unwrap();
    spin_until("the listener closes", || {
        Client::connect(server.address).is_err()
    });
    assert!(
        server.report.try_recv().is_err(),
        "the server waits for the request in hand"
    );
    latch.add_permits(1).unwrap();
    assert_eq!(busy.answer().unwrap(), (200, "waited".into()));
    busy.closed().unwrap();
    let report = server.finish();
    assert_eq!((report.accepted, report.drained, report.dropped), (2, 2, 0));
}

/// Goal: the drain is bounded; what is left is dropped, counted and really gone.
#[test]
fn a_drain_that_takes_too_long_drops_what_is_left() {
    let (app, _latch, waiters) = waiting();
    let mut server =
        Server::configured(app, |serve| serve.drain_timeout(Duration::from_millis(50)));
    let (mut first, mut second) = (server.connect(), server.connect());
    first.ask("/wait");
    second.ask("/wait");
    spin_until("both requests arrive", || {
        waiters.load(Ordering::SeqCst) == 2
    });
    let report = server.finish();
    assert_eq!((report.drained, report.dropped), (0, 2));
    assert!(report.to_string().contains("dropped 2"), "{report}");
    first.cut_off();
    second.cut_off();
}

/// Goal: dropping the server's future closes the listener and drops its connections.
#[test]
fn dropping_the_server_drops_its_connections() {
    let (app, _latch, waiters) = waiting();
    let (tell_address, address) = mpsc::channel();
    let (stop, stopped) = oneshot::<()>();
    let (end, ended) = mpsc::channel::<()>();
    let runtime = thread::spawn(move || {
        tenter::run(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell_address.send(listener.local_addr().unwrap()).unwrap();
            tenter::select! {
                _ = serve(listener, app).into_future() => unreachable!("nobody ends it"),
                _ = stopped => {}
            }
            // The connections are gone although the runtime goes on.
            spin_until_async(|| ended.try_recv().is_ok()).await;
        });
    });
    let address = address.recv_timeout(HANG).unwrap();
    let mut client = Client::connect(address).unwrap();
    client.ask("/wait");
    spin_until("the request arrives", || {
        waiters.load(Ordering::SeqCst) == 1
    });
    let _ = stop.send(());
    client.cut_off();
    end.send(()).unwrap();
    runtime.join().unwrap();
}

/// Goal: a server in a task that is cancelled finishes what it has begun, and takes nothing new.
#[test]
fn a61_a_cancelled_server_finishes_its_requests() {
    let (app, latch, waiters) = waiting();
    let (tell_address, address) = mpsc::channel();
    let (stop, stopped) = oneshot::<()>();
    let runtime = thread::spawn(move || {
        tenter::run(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell_address.send(listener.local_addr().unwrap()).unwrap();
            let server = tenter::spawn(async move { serve(listener, app).await });
            let _ = stopped.await;
            server.cancel_and_wait().await.unwrap_err();
        });
    });
    let address = address.recv_timeout(HANG).unwrap();
    let mut client = Client::connect(address).unwrap();
    client.ask("/wait");
    spin_until("the request arrives", || {
        waiters.load(Ordering::SeqCst) == 1
    });
    let _ = stop.send(());
    spin_until("nothing new is taken", || Client::connect(address).is_err());
    assert!(!runtime.is_finished(), "it waits for the request");
    latch.add_permits(1).unwrap();
    assert_eq!(client.answer().unwrap(), (200, "waited".into()));
    runtime.join().unwrap();
}

async fn spin_until_async(condition: impl Fn() -> bool) {
    while !condition() {
        tenter::task::yield_now().await;
    }
}

#[test]
fn a_panic_of_the_service_ends_its_connection_only() {
    async fn panics() -> &'static str {
        panic!("on purpose, by the test of a panicking service")
    }
    let mut server = Server::start(hello().route("/panic", get(panics)));
    let mut bystander = server.connect();
    assert_eq!(bystander.get("/"), (200, "hello".into()));
    for _ in 0..3 {
        let mut client = server.connect();
        client.ask("/panic");
        client.cut_off();
    }
    assert_eq!(bystander.get("/"), (200, "hello".into()));
    drop(bystander);
    let report = server.finish();
    assert_eq!(
        (report.accepted, report.dropped),
        (4, 0),
        "a panic gives its place back"
    );
}

/// Goal: with one place the second client waits, and is served when the first has left.
#[test]
fn max_connections_makes_clients_wait() {
    let mut server = Server::configured(hello(), |serve| serve.max_connections(1));
    let mut first = server.connect();
    assert_eq!(first.get("/"), (200, "hello".into()));
    let mut second = server.connect();
    second.ask("/");
    second
        .socket()
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let error = second.answer().unwrap_err();
    assert!(
        matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
        ),
        "{error}"
    );
    second.socket().set_read_timeout(Some(HANG)).unwrap();
    drop(first);
    assert_eq!(second.answer().unwrap(), (200, "hello".into()));
    drop(second);
    assert_eq!(server.finish().accepted, 2);
}

/// Goal: a client that does not read its answer holds up nobody.
#[test]
fn a_client_that_never_reads_holds_up_nobody() {
    let large = get(|| async { "x".repeat(32 << 20) });
    let mut server = Server::configured(hello().route("/large", large), |serve| {
        serve.drain_timeout(Duration::from_millis(10))
    });
    let stalled: Vec<Client> = (0..8)
        .map(|_| {
            let client = server.connect();
            client.ask("/large");
            client
        })
        .collect();
    let mut client = server.connect();
    for _ in 0..100 {
        assert_eq!(client.get("/"), (200, "hello".into()));
    }
    drop(client);
    assert_eq!(server.finish().dropped, stalled.len());
}

#[test]
fn two_hundred_connections_at_once_are_all_served() {
    let mut server = Server::start(hello());
    let mut clients: Vec<Client> = (0..200).map(|_| server.connect()).collect();
    for _ in 0..10 {
        clients.iter().for_each(|client| client.ask("/"));
        for client in &mut clients {
            assert_eq!(client.answer().unwrap(), (200, "hello".into()));
        }
    }
    drop(clients);
    let report = server.finish();
    assert_eq!((report.accepted, report.dropped), (200, 0));
}

/// Goal: futures of the server may be spawned, and are what the documentation says.
#[test]
fn the_futures_of_the_server_are_send() {
    fn send<T: Send>(_: &T) {}
    tenter::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = serve(listener, hello());
        assert!(format!("{server:?}").contains("max_connections"));
        send(&server);
        let mut future = server.into_future();
        send(&future);
        poll_fn(|cx| {
            assert!(Pin::new(&mut future).poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    });
}
