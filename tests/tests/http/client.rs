//! The connections of the client of `tenter-http`: when they are used again, and when not.

use std::future::{Future, IntoFuture, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::routing::{get, post};
use tenter::net::TcpListener;
use tenter::sync::Semaphore;
use tenter_http::{Client, ErrorKind, serve};

use crate::harness::{HANG, Scripted, Server};
use crate::{hello, spin_until, spin_until_async, waiting};

/// On a runtime with a real clock.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    tenter::run(async { tenter::time::timeout(HANG, test).await.expect("it hangs") })
}

pub fn url(address: impl std::fmt::Display, path: &str) -> String {
    format!("http://{address}{path}")
}

fn count_up(counter: &Arc<AtomicUsize>) -> usize {
    counter.fetch_add(1, Ordering::SeqCst) + 1
}

/// Goal: a hundred requests one after the other use one connection, also those with a body, and
/// those of other clones.
#[test]
fn one_connection_is_used_again_and_again() {
    let echo = |body: Bytes| async move { body };
    let app = hello().route("/echo", post(echo));
    let mut server = Server::start(app.route("/empty", get(|| async {})));
    let address = server.address;
    run(async move {
        let client = Client::new();
        for number in 0..100 {
            let response = client.clone().get(url(address, "/")).await.unwrap();
            assert!(response.ok());
            assert_eq!(response.peer(), address);
            assert_eq!(response.text().await.unwrap(), "hello");
            let body = "x".repeat(number * 100);
            let sent = client.post(url(address, "/echo")).body(body.clone()).await;
            assert_eq!(sent.unwrap().bytes().await.unwrap(), body);
            // What has no body gives its connection back without being read.
            let response = client.get(url(address, "/empty")).await.unwrap();
            assert_eq!(response.status(), 200);
        }
    });
    assert_eq!(server.finish().accepted, 1);
}

/// Goal: with two places, two requests are under way and no more, over two connections in all.
#[test]
fn places_per_host_are_kept_to() {
    let (latch, seen) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (wait_for, count) = (Arc::clone(&latch), Arc::clone(&seen));
    let wait = get(move || async move {
        count_up(&count);
        wait_for.acquire().await.unwrap().forget();
        "waited"
    });
    let mut server = Server::start(Router::new().route("/wait", wait));
    let address = server.address;
    run(async move {
        let client = Client::builder().max_per_host(2).build();
        let ask = |_| {
            let client = client.clone();
            tenter::spawn(async move {
                let response = client.get(url(address, "/wait")).await.unwrap();
                response.text().await.unwrap()
            })
        };
        let tasks: Vec<_> = (0..20).map(ask).collect();
        for number in 0..20 {
            let expected = 20.min(number + 2);
            spin_until_async(|| seen.load(Ordering::SeqCst) >= expected).await;
            assert_eq!(seen.load(Ordering::SeqCst), expected, "two at a time");
            latch.add_permits(1).unwrap();
        }
        for task in tasks {
            assert_eq!(task.await.unwrap(), "waited");
        }
    });
    assert_eq!(server.finish().accepted, 2);
}

/// Goal: the place of a request that was dropped, or has failed, is free again; the time spent
/// waiting for one counts.
#[test]
fn a_place_comes_back_from_whatever_end() {
    let (app, _latch, waiters) = waiting();
    let server = Server::start(app);
    let address = server.address;
    run(async move {
        let client = Client::builder().max_per_host(1).build();
        let held = client.clone();
        let first = tenter::spawn(async move { held.get(url(address, "/wait")).await.map(drop) });
        spin_until_async(|| waiters.load(Ordering::SeqCst) == 1).await;
        let limit = Duration::from_millis(20);
        let late = client
            .get(url(address, "/"))
            .timeout(limit)
            .await
            .unwrap_err();
        assert!(late.is_timeout());
        assert_eq!(
            late.to_string(),
            format!(
                "GET http://{address}/: timed out after 20ms, waiting for one of the 1 places at \
                 {address}"
            )
        );
        first.cancel_and_wait().await.unwrap_err();
        for _ in 0..3 {
            let unread = client.get(url(address, "/")).await.unwrap();
            drop(unread);
        }
        assert!(client.get(url(address, "/")).await.is_ok());
    });
}

/// Goal: a request that is dropped before its answer, or before the end of its body, takes its
/// connection with it, and the next one gets its own answer.
#[test]
fn a_dropped_request_closes_its_connection() {
    let (told, closed) = mpsc::channel();
    let arrived = Arc::new(AtomicUsize::new(0));
    let arrive = Arc::clone(&arrived);
    let address = Scripted::start(move |number, mut connection| {
        while let Some(request) = connection.request() {
            count_up(&arrive);
            match request.split(' ').nth(1).unwrap() {
                "/silent" => {}
                "/part" => connection.answer("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart"),
                _ => connection.text("its own"),
            }
        }
        let _ = told.send(number);
    });
    run(async move {
        let client = Client::new();
        let own = async || {
            let response = client.get(url(address, "/own")).await.unwrap();
            assert_eq!(response.text().await.unwrap(), "its own");
        };
        own().await;
        // Before its answer, by the cancellation of its task.
        let asking = client.clone();
        let task =
            tenter::spawn(async move { asking.get(url(address, "/silent")).await.map(drop) });
        spin_until_async(|| arrived.load(Ordering::SeqCst) == 2).await;
        task.cancel_and_wait().await.unwrap_err();
        own().await;
        // Before its answer, by a timeout around it.
        let silent = client.get(url(address, "/silent"));
        tenter::time::timeout(Duration::from_millis(20), silent)
            .await
            .unwrap_err();
        own().await;
        // Before the end of its body.
        let mut part = client.get(url(address, "/part")).await.unwrap();
        assert_eq!(part.chunk().await.unwrap().unwrap(), "part");
        drop(part);
        own().await;
        let ended = move || closed.recv_timeout(HANG).unwrap();
        let ended = tenter::spawn_blocking(move || [ended(), ended(), ended()]);
        let mut ended = ended.await.unwrap();
        ended.sort_unstable();
        assert_eq!(ended, [0, 1, 2], "each closed, and none used again");
    });
}

/// Goal: a server that closes a connection instead of answering again is asked once more, if that
/// changes nothing there. An exchange that breaks otherwise is an error that says so.
#[test]
fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let address = Scripted::start(move |_, mut connection| {
        count_up(&count);
        let Some(_) = connection.request() else {
            return;
        };
        connection.text("first");
        // Closed with the second request in hand.
        connection.request();
    });
    run(async move {
        let client = Client::new();
        for opened in 1..4 {
            let response = client.get(url(address, "/")).await.unwrap();
            assert_eq!(response.text().await.unwrap(), "first");
            assert_eq!(connections.load(Ordering::SeqCst), opened);
        }
        let error = client.post(url(address, "/")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exchange);
        let text = error.to_string();
        let start = format!("POST http://{address}/: the exchange with {address} failed: ");
        assert!(
            text.len() > start.len() && text.starts_with(&start),
            "{text}"
        );
        assert_eq!(
            connections.load(Ordering::SeqCst),
            3,
            "a POST is not sent twice"
        );
    });
}

/// Goal: idle connections are closed when their time is up, and all with the client.
#[test]
fn idle_connections_are_closed() {
    let (told, closed) = mpsc::channel();
    let address = Scripted::start(move |number, mut connection| {
        while connection.request().is_some() {
            connection.text("hello");
        }
        let _ = told.send(number);
    });
    run(async move {
        let closed = move || {
            closed
                .recv_timeout(HANG)
                .map(|number| (number, closed))
                .unwrap()
        };
        let short = Client::builder()
            .pool_idle_timeout(Duration::from_millis(20))
            .build();
        let response = short.get(url(address, "/")).await.unwrap();
        response.text().await.unwrap();
        let (number, closed) = tenter::spawn_blocking(closed).await.unwrap();
        assert_eq!(number, 0, "after its time");
        let long = Client::new();
        let response = long.get(url(address, "/")).await.unwrap();
        response.text().await.unwrap();
        drop(long);
        let closed = move || closed.recv_timeout(HANG).unwrap();
        let number = tenter::spawn_blocking(closed).await.unwrap();
        assert_eq!(number, 1, "with its client");
        drop(short);
    });
}

/// Goal: many tasks on many workers share a client, and every one gets its own answer.
#[test]
fn many_workers_share_a_client() {
    let echo = |body: Bytes| async move { body };
    let mut server = Server::start(Router::new().route("/", post(echo)));
    let address = server.address;
    let runtime = tenter::Builder::multi_thread().workers(4).build().unwrap();
    runtime.block_on(async move {
        let client = Client::builder().max_per_host(8).build();
        let ask = |number: usize| {
            let client = client.clone();
            tenter::spawn(async move {
                for round in 0..20 {
                    let body = format!("{number}/{round}");
                    let request = client.post(url(address, "/")).body(body.clone());
                    assert_eq!(request.await.unwrap().text().await.unwrap(), body);
                }
            })
        };
        for task in (0..50).map(ask).collect::<Vec<_>>() {
            task.await.unwrap();
        }
    });
    drop(runtime);
    spin_until("the connections are closed", || {
        server.report.try_recv().is_err()
    });
    assert_eq!(server.finish().accepted, 8);
}

/// Goal: a request that is dropped at whatever point of its way harms nobody. Method: drop it after
/// its first poll, its second, and so on; after each, another request gets its own answer.
#[tenter::test]
async fn a_request_may_be_dropped_at_every_poll() {
    let echo = |Path(name): Path<String>| async move {
        tenter::task::yield_now().await;
        name.repeat(10_000)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/{name}", get(echo));
    let server = tenter::spawn(serve(listener, app).into_future()).cancel_on_drop();
    let fetch = async |client: &Client, name: String| {
        let response = client.get(url(address, &format!("/{name}"))).await.unwrap();
        assert_eq!(response.text().await.unwrap(), name.repeat(10_000));
    };
    // With a connection that is opened anew, and with one that is there already.
    for has_connection in [false, true] {
        for polls in 0.. {
            let client = Client::builder().max_per_host(1).build();
            if has_connection {
                fetch(&client, "first".to_owned()).await;
            }
            let mut left = polls;
            let mut dropped = Box::pin(fetch(&client, format!("dropped{polls}")));
            let done = poll_fn(|cx| match left {
                0 => Poll::Ready(false),
                _ => {
                    left -= 1;
                    dropped.as_mut().poll(cx).map(|()| true)
                }
            });
            let done = done.await;
            drop(dropped);
            fetch(&client, format!("own{polls}")).await;
            if done {
                assert!(polls > 2, "it is polled while it waits");
                break;
            }
        }
    }
    drop(server);
}

/// Goal: the deadline of a scope ends the request in it, and closes its connection; the client goes
/// on as before.
#[tenter::test]
async fn the_deadline_of_a_scope_closes_the_connection() {
    let (told, closed) = mpsc::channel();
    let address = Scripted::start(move |number, mut connection| {
        while let Some(request) = connection.request() {
            if !request.starts_with("GET /silent ") {
                connection.text("its own");
            }
        }
        let _ = told.send(number);
    });
    // The server is in another thread, for whose answers no virtual clock waits: without limits of its
    // own the client has no timer to which it could jump.
    let client = Client::builder()
        .timeout(Duration::MAX)
        .connect_timeout(Duration::MAX)
        .pool_idle_timeout(Duration::MAX)
        .max_per_host(1)
        .build();
    let ask = async |path: &str| client.get(url(address, path)).await?.text().await;
    assert_eq!(ask("/").await.unwrap(), "its own");
    let start = tenter::time::now();
    let limit = Duration::from_secs(2);
    let silent = tenter::move_on_after(limit, async |_| ask("/silent").await);
    assert!(silent.await.is_none());
    assert_eq!(start.elapsed(), limit);
    let closed = tenter::spawn_blocking(move || closed.recv_timeout(HANG));
    assert_eq!(closed.await.unwrap(), Ok(0));
    assert_eq!(ask("/").await.unwrap(), "its own");
}

/// Goal: a server and a client on one runtime with a virtual clock take the time that the server
/// sleeps, and no other.
#[tenter::test]
async fn a_virtual_clock_reaches_through_the_sockets() {
    let sleepy = |Path(milliseconds): Path<u64>| async move {
        tenter::time::sleep(Duration::from_millis(milliseconds)).await;
        "slept"
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/{milliseconds}", get(sleepy));
    let server = tenter::spawn(serve(listener, app).into_future()).cancel_on_drop();
    let start = tenter::time::now();
    let client = Client::new();
    let ask = |milliseconds: u64| {
        let request = client.get(url(address, &format!("/{milliseconds}")));
        tenter::spawn(async move {
            let text = request.await.unwrap().text().await.unwrap();
            (text, start.elapsed())
        })
    };
    for (task, milliseconds) in [ask(3_000), ask(100), ask(20_000)]
        .into_iter()
        .zip([3_000, 100, 20_000])
    {
        let expected = Duration::from_millis(milliseconds);
        assert_eq!(task.await.unwrap(), ("slept".to_owned(), expected));
    }
    drop(server);
}

#[test]
fn the_futures_of_the_client_are_send() {
    fn is_send_and_sync<T: Send + Sync>() {}
    fn is_send<T: Send>(_: &T) {}
    is_send_and_sync::<Client>();
    is_send_and_sync::<tenter_http::ClientBuilder>();
    is_send_and_sync::<tenter_http::RequestBuilder>();
    is_send_and_sync::<tenter_http::Error>();
    is_send_and_sync::<tenter_http::ConnectError>();
    is_send_and_sync::<tenter_http::Connector>();
    run(async {
        let client = Client::new();
        is_send(&client.get("http://a/").into_future());
        let read = async || client.get("http://a/").await?.text().await;
        is_send(&read());
    });
}
