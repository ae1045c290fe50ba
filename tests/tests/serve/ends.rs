//! The ways in which a server ends.

use std::future::pending;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tenter::io::AsyncWriteExt;
use tenter::net::{ServeOptions, Server, TcpListener, TcpStream, serve};
use tenter::sync::Semaphore;
use tenter::{Builder, Runtime, shield};
use tenter_tests::support::{
    Count, Meeting, Slot, assert_says, build, every, foreign_block_on, panic_of, settle,
};

use crate::support::{
    Tcp, Waiting, converse, echo, is_answered, listener, on_every, patient, refused, until,
};

/// Goal: a server that closes refuses new clients, and lets those that it has finish.
#[test]
fn closing_drains() {
    on_every(|| async {
        let server = Waiting::start(patient()).await;
        let mut clients = server.serve(3).await;
        server.server.close();
        assert!(server.server.is_closing());
        refused(server.address).await;
        settle().await;
        assert!(!server.server.is_closed(), "it waits for the three");
        server.let_go(3);
        let report = server.server.closed().await.expect("closed on request");
        assert_eq!(
            (report.accepted, report.completed, report.drained),
            (3, 3, 3)
        );
        assert_eq!((report.cancelled, report.open, report.stuck), (0, 0, 0));
        assert_eq!(server.gone.get(), 3, "nothing of them is left");
        for client in &mut clients {
            assert!(is_answered(client).await);
        }
        assert_eq!(server.server.report(), report);
        assert_eq!(server.server.closed().await.expect("again"), report);
    });
}

/// Goal: connections learn that the server closes, before the drain timeout.
#[test]
fn connections_are_asked_to_finish() {
    on_every(|| async {
        let (listener, address) = listener().await;
        let goodbye = |mut connection: Tcp| async move {
            let closing = connection.closing.clone();
            assert!(!closing.is_requested());
            closing.requested().await;
            assert!(closing.is_requested());
            connection
                .stream
                .write_all(b"!")
                .await
                .expect("the client is there");
        };
        let server = serve(listener, goodbye, patient());
        let mut client = TcpStream::connect(address).await.expect("listens");
        until("it is accepted", || server.open_connections() == 1).await;
        settle().await;
        server.close();
        assert!(is_answered(&mut client).await);
        let report = server.closed().await.expect("closed on request");
        assert_eq!((report.completed, report.drained), (1, 1));
    });
}

/// Goal: the drain is bounded. What is left is cancelled, and gone when the end is told.
#[test]
fn a_drain_that_takes_too_long_cancels_what_is_left() {
    on_every(|| async {
        let options = ServeOptions::new().drain_timeout(Duration::from_millis(20));
        let server = Waiting::start(options).await;
        let mut clients = server.serve(130).await;
        server.server.close();
        let report = server.server.closed().await.expect("closed on request");
        assert_eq!(
            (report.accepted, report.cancelled, report.drained),
            (130, 130, 0)
        );
        assert_eq!(server.gone.get(), 130);
        for client in &mut clients {
            assert!(!is_answered(client).await);
        }
    });
}

/// Goal: no time to drain is none: what is ready to finish may, nobody is waited for.
#[test]
fn a_drain_timeout_of_zero_cancels_at_once() {
    on_every(|| async {
        let server = Waiting::start(ServeOptions::new().drain_timeout(Duration::ZERO)).await;
        let _clients = server.serve(2).await;
        server.server.close();
        let report = server.server.closed().await.expect("closed on request");
        assert_eq!((report.accepted, report.cancelled), (2, 2));
    });
}

#[test]
fn aborting_cancels_at_once_also_in_the_middle_of_a_drain() {
    on_every(|| async {
        for is_draining in [false, true] {
            let server = Waiting::start(patient()).await;
            let _clients = server.serve(3).await;
            if is_draining {
                server.server.close();
                refused(server.address).await;
                settle().await;
            }
            server.server.abort();
            server.server.abort();
            let report = server.server.closed().await.expect("closed on request");
            assert_eq!((report.accepted, report.cancelled), (3, 3));
            assert_eq!(server.gone.get(), 3);
        }
    });
}

/// Goal: a server without a client ends at once, and one that was closed before it was polled too.
#[test]
fn an_idle_server_ends_at_once() {
    on_every(|| async {
        let (listener, address) = listener().await;
        let server = serve(listener, echo, patient());
        server.close();
        let report = server.closed().await.expect("closed on request");
        assert_eq!(report, Default::default());
        TcpListener::bind(address)
            .await
            .expect("the listener is closed");
    });
}

/// Goal: dropping the handle detaches.
#[test]
fn a_server_whose_handle_is_dropped_goes_on() {
    every(|builder| {
        let runtime = build(builder);
        runtime.block_on(async {
            let (listener, address) = listener().await;
            drop(serve(listener, echo, patient()));
            settle().await;
            for text in ["one", "two"] {
                let mut client = TcpStream::connect(address).await.expect("listens");
                converse(&mut client, text).await;
            }
        });
    });
}

/// Goal: dropping the future of a server closes the listener there and then, and cancels.
#[test]
fn dropping_the_future_of_a_server_ends_it() {
    on_every(|| async {
        let (listener, address) = listener().await;
        let dropped = Count::new();
        let count = dropped.clone();
        let handler = move |connection: Tcp| {
            let dropped = count.on_drop();
            async move {
                pending::<()>().await;
                drop((connection, dropped));
            }
        };
        let mut server = Box::pin(Server::new(listener, handler, patient()));
        let handle = server.handle();
        let mut client = TcpStream::connect(address).await.expect("listens");
        std::future::poll_fn(|cx| {
            assert!(server.as_mut().poll(cx).is_pending());
            match handle.open_connections() {
                1 => Poll::Ready(()),
                _ => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            }
        })
        .await;
        drop(server);
        TcpListener::bind(address)
            .await
            .expect("the port is free at once");
        let error = handle.closed().await.expect_err("nobody closed it");
        assert!(!error.is_listener());
        assert_eq!((error.report().accepted, error.report().cancelled), (1, 1));
        assert_says(&error.to_string(), &["was dropped before it was closed"]);
        until("the handler is gone", || dropped.get() == 1).await;
        assert!(!is_answered(&mut client).await);
    });
}

/// Goal: a server that was never polled tells those who wait for its end when it is dropped.
#[test]
fn dropping_a_server_that_never_ran_is_told() {
    on_every(|| async {
        let (listener, _) = listener().await;
        let server = Server::new(listener, echo, patient());
        let handle = server.handle();
        drop(server);
        let error = handle.closed().await.expect_err("it was dropped");
        assert_eq!(error.report().accepted, 0);
    });
}

/// Goal: the end of the runtime is told to those who wait for the server on other threads.
#[test]
fn the_end_of_the_runtime_ends_the_server() {
    every(|builder| {
        let runtime = build(builder);
        let (server, client) = runtime.block_on(async {
            let server = Waiting::start(patient()).await;
            let clients = server.serve(1).await;
            (server.server, clients)
        });
        drop(runtime);
        let error = foreign_block_on(server.closed()).expect_err("nobody closed it");
        assert!(!error.is_listener());
        assert_eq!(error.report().accepted, 1);
        drop(client);
    });
}

/// Goal: a server on a runtime that has ended is dropped, and says so.
#[test]
fn a_server_on_a_runtime_that_has_ended_is_told() {
    every(|builder| {
        let runtime = build(builder);
        let (listener, _) = runtime.block_on(listener());
        let handle = runtime.handle().clone();
        drop(runtime);
        let _entered = handle.enter();
        let server = serve(listener, echo, patient());
        let error = foreign_block_on(server.closed()).expect_err("it never ran");
        assert_says(&error.to_string(), &["its runtime has shut down"]);
        let error = std::io::Error::from(error);
        assert_eq!(error.kind(), std::io::ErrorKind::Interrupted);
    });
}

#[test]
fn outside_a_runtime_a_server_is_refused_with_advice() {
    let runtime = Runtime::new().expect("a runtime");
    let listeners = [(); 2].map(|()| runtime.block_on(listener()).0);
    let [first, second] = listeners;
    let texts = [
        panic_of(|| serve(first, echo, patient())),
        panic_of(|| Server::new(second, echo, patient())),
    ];
    let names = ["tenter::net::serve", "tenter::net::Server::new"];
    for (text, name) in texts.iter().zip(names) {
        assert_says(
            text,
            &[name, file!(), "no tenter runtime", "handle.enter()"],
        );
    }
}

/// Goal: a cancelled handler may finish what it shields, within the grace.
#[test]
fn a_shielded_handler_is_waited_for() {
    on_every(|| async {
        let (listener, address) = listener().await;
        let latch = Arc::new(Semaphore::new(0));
        let last_steps = Arc::clone(&latch);
        let handler = move |connection: Tcp| {
            let last_steps = Arc::clone(&last_steps);
            async move {
                shield(async { drop(last_steps.acquire().await) }).await;
                drop(connection);
            }
        };
        let options = patient().cancel_grace(Duration::MAX);
        let server = serve(listener, handler, options);
        let _client = TcpStream::connect(address).await.expect("listens");
        until("it is accepted", || server.open_connections() == 1).await;
        settle().await;
        server.abort();
        settle().await;
        assert!(!server.is_closed(), "the shield is respected");
        latch.add_permits(1).expect("not too many");
        let report = server.closed().await.expect("closed on request");
        assert_eq!(report.completed + report.cancelled, 1);
    });
}

/// Goal: a handler that does not leave is named, and does not keep the end from being told.
#[test]
fn a_handler_that_does_not_leave_is_named() {
    let runtime = build(Builder::multi_thread().workers(2));
    let (meeting, ended) = (Meeting::new(2), Slot::new());
    let (leaves, tells) = (Arc::clone(&meeting), ended.clone());
    runtime.block_on(async {
        let (listener, address) = listener().await;
        let begun = Count::new();
        let begins = begun.clone();
        let handler = move |connection: Tcp| {
            let (meeting, ended) = (Arc::clone(&leaves), tells.clone());
            let begins = begins.clone();
            async move {
                begins.add();
                // A poll that does not end.
                meeting.meet();
                ended.put(());
                drop(connection);
            }
        };
        let options = patient().cancel_grace(Duration::from_millis(10));
        let server = serve(listener, handler, options);
        let client = TcpStream::connect(address).await.expect("listens");
        until("it begins", || begun.get() == 1).await;
        server.abort();
        let report = server.closed().await.expect("closed on request");
        assert_eq!((report.accepted, report.stuck, report.open), (1, 1, 0));
        let [stuck] = &report.stuck_connections[..] else {
            panic!("one is stuck: {report}")
        };
        assert_eq!(stuck.peer, client.local_addr().ok());
        assert_says(
            &report.to_string(),
            &["stuck: the connection of 127.0.0.1:", ", task "],
        );
        meeting.meet();
        ended.take();
    });
}

/// Goal: waiting for the end may be given up, and begun again.
#[test]
fn waiting_for_the_end_is_cancel_safe() {
    on_every(|| async {
        let server = Waiting::start(patient()).await;
        let _clients = server.serve(1).await;
        for _ in 0..3 {
            let mut waiting = Box::pin(server.server.closed());
            std::future::poll_fn(|cx| {
                assert!(waiting.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
        }
        server.server.abort();
        assert!(server.server.closed().await.is_ok());
    });
}
