//! A61, A64, X23: servers.

use std::net::SocketAddr;
use std::sync::Arc;

use std::time::Duration;

use tenter::gather;
use tenter::io::{AsyncReadExt, AsyncWriteExt};
use tenter::net::{Connection, ServeOptions, TcpListener, TcpStream, serve};
use tenter::sync::Event;
use tenter::task::yield_now;
use tenter_tests::support::{Log, build, every};

type Tcp = Connection<TcpStream, SocketAddr>;

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

/// Sends `text`, and returns everything that comes back.
async fn ask(address: SocketAddr, text: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(text.as_bytes()).await?;
    stream.close().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn echo(mut connection: Tcp) {
    let mut text = String::new();
    let read = connection.stream.read_to_string(&mut text).await;
    assert_ne!(text, "panic", "as it was asked to");
    if read.is_ok() {
        let _ = connection.stream.write_all(text.as_bytes()).await;
    }
}

/// Goal: every connection has a task of its own; one that fails is reported once, is closed, and leaves
/// the others and the server alone.
#[test]
fn a61_every_connection_has_a_task_of_its_own() {
    every(|builder| {
        let reports = Log::new();
        let reported = reports.clone();
        let builder = builder.on_unobserved(move |failure| reported.add(failure.kind()));
        build(builder).block_on(async {
            let (listener, address) = listener().await;
            let server = serve(listener, echo, ServeOptions::new());
            let (one, failed, two) = gather!(
                ask(address, "one"),
                ask(address, "panic"),
                ask(address, "two")
            )
            .await;
            assert_eq!(one.expect("answered"), "one");
            assert_eq!(two.expect("answered"), "two");
            // Closed, with or without a word.
            assert_eq!(failed.unwrap_or_default(), "");
            assert_eq!(ask(address, "three").await.expect("it lives"), "three");
            server.close();
            let report = server.closed().await.expect("closed on request");
            assert_eq!((report.accepted, report.panicked), (4, 1));
        });
        assert_eq!(reports.take().len(), 1);
    });
}

/// Goal: `close` stops listening, and `closed` waits for the connections that there are; it may be asked
/// before the close, and by several.
#[test]
fn a64_closed_waits_for_the_close_and_for_the_last_connection() {
    every(|builder| {
        build(builder).block_on(async {
            let (listener, address) = listener().await;
            let finish = Arc::new(Event::new());
            let entered = Arc::new(Event::new());
            let handler = {
                let (finish, entered) = (Arc::clone(&finish), Arc::clone(&entered));
                move |mut connection: Tcp| {
                    let (finish, entered) = (Arc::clone(&finish), Arc::clone(&entered));
                    async move {
                        entered.set();
                        finish.wait().await;
                        let _ = connection.stream.write_all(b"done").await;
                    }
                }
            };
            let options = ServeOptions::new().drain_timeout(Duration::MAX);
            let server = Arc::new(serve(listener, handler, options));
            let waits = tenter::spawn({
                let server = Arc::clone(&server);
                async move { server.closed().await }
            });
            let client = tenter::spawn(ask(address, ""));
            entered.wait().await;
            assert!(!waits.is_finished());
            server.close();
            // Nobody is let in any more.
            while TcpStream::connect(address).await.is_ok() {
                yield_now().await;
            }
            assert!(!waits.is_finished(), "one is still there");
            assert_eq!(server.open_connections(), 1);
            finish.set();
            let answer = client.await.expect("no panic").expect("answered");
            assert_eq!(answer, "done");
            let report = waits.await.expect("no panic").expect("closed on request");
            assert_eq!(report.completed, 1);
            server.close();
            assert!(server.closed().await.is_ok(), "any number of times");
        });
    });
}

/// Goal: `abort` does not wait for connections: they are cancelled, and gone when `closed` returns.
#[test]
fn a64_abort_ends_the_connections() {
    every(|builder| {
        build(builder).block_on(async {
            let (listener, address) = listener().await;
            let options = ServeOptions::new().drain_timeout(Duration::MAX);
            let server = serve(listener, |_: Tcp| std::future::pending(), options);
            let client = tenter::spawn(ask(address, ""));
            while server.open_connections() == 0 {
                yield_now().await;
            }
            server.abort();
            server.closed().await.expect("closed on request");
            assert_eq!(server.open_connections(), 0);
            assert_eq!(client.await.expect("no panic").unwrap_or_default(), "");
        });
    });
}

/// Goal: a server for as many clients as there may be: who comes beyond waits outside.
#[test]
fn x23_never_more_connections_than_allowed() {
    every(|builder| {
        build(builder).block_on(async {
            let (listener, address) = listener().await;
            let options = ServeOptions::new().max_connections(2);
            let server = Arc::new(serve(listener, echo, options));
            let most = Log::new();
            let seen = most.clone();
            let handle = Arc::clone(&server);
            let clients = (0..8).map(|number| {
                let (seen, handle) = (seen.clone(), Arc::clone(&handle));
                async move {
                    let text = format!("client {number}");
                    let answer = ask(address, &text).await;
                    seen.add(handle.open_connections());
                    assert_eq!(answer.expect("in its turn"), text);
                }
            });
            tenter::gather(clients).await;
            assert!(most.take().into_iter().all(|open| open <= 2));
            server.close();
            let report = server.closed().await.expect("closed on request");
            assert_eq!(report.accepted, 8);
        });
    });
}

/// Goal: of the addresses of a name the one that answers is used, without a word about the others.
#[tenter::test]
async fn x23_connecting_finds_the_address_that_answers() {
    let (listener, address) = listener().await;
    let server = serve(listener, echo, ServeOptions::new());
    // `localhost` has two addresses on most machines, and the server has only the older one.
    let mut stream = TcpStream::connect(("localhost", address.port()))
        .await
        .expect("one answers");
    stream.write_all(b"hello").await.expect("it reads");
    stream.close().await.expect("one direction");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    assert_eq!(answer, "hello");
    server.close();
    server.closed().await.expect("closed on request");
}
