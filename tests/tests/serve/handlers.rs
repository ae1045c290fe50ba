//! Handlers that panic.

use std::sync::Arc;

use tenter::UnobservedKind;
use tenter::net::{TcpStream, serve};
use tenter_tests::support::{Count, Log, OnDrop, build, every};

use crate::support::{Tcp, converse, echo, is_answered, listener, patient, until};

/// Goal: a panic ends its own connection, is reported as the panic of a task with the place where
/// the server was made, and leaves the others and the server alone.
/// Method: the handler's closure, its future and a destructor panic, each for one client.
#[test]
fn a_panic_ends_its_own_connection_only() {
    every(|builder| {
        let reports = Log::new();
        let seen = reports.clone();
        let told = Count::new();
        let tells = told.clone();
        let builder = builder.on_unobserved(move |failure| {
            let at = failure.spawned_at();
            seen.add((
                failure.kind(),
                failure.message().to_owned(),
                at.file(),
                at.line(),
            ));
            tells.add();
        });
        let served_in = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let line = Arc::clone(&served_in);
        build(builder).block_on(async move {
            let (listener, address) = listener().await;
            let mut turn = 0;
            let handler = move |connection: Tcp| {
                turn += 1;
                assert!(turn != 2, "the closure panics");
                let turn = turn;
                async move {
                    let _panics = OnDrop(move || assert!(turn != 4, "the destructor panics"));
                    assert!(turn != 3, "the future panics");
                    echo(connection).await;
                }
            };
            let server = serve(listener, handler, patient());
            line.store(line!() - 1, std::sync::atomic::Ordering::Relaxed);
            let mut bystander = TcpStream::connect(address).await.expect("listens");
            converse(&mut bystander, "first").await;
            for _ in 0..2 {
                let mut client = TcpStream::connect(address).await.expect("listens");
                assert!(!is_answered(&mut client).await);
            }
            let mut client = TcpStream::connect(address).await.expect("listens");
            converse(&mut client, "last words").await;
            drop(client);
            until("all panics are told", || told.get() == 3).await;
            converse(&mut bystander, "still there").await;
            drop(bystander);
            until("all have left", || server.open_connections() == 0).await;
            server.close();
            let report = server.closed().await.expect("closed on request");
            // The panic of the destructor was inside the poll.
            assert_eq!(
                (report.accepted, report.completed, report.panicked),
                (4, 1, 3)
            );
        });
        let line = served_in.load(std::sync::atomic::Ordering::Relaxed);
        let texts = [
            "the closure panics",
            "the future panics",
            "the destructor panics",
        ];
        let mut reports = reports.take();
        reports.sort_by_key(|(_, text, ..)| texts.iter().position(|known| known == text));
        assert_eq!(reports.len(), 3);
        for (report, text) in reports.iter().zip(texts) {
            assert_eq!(
                *report,
                (UnobservedKind::Panic, text.to_owned(), file!(), line)
            );
        }
    });
}

/// Goal: a panic is no way around the limit.
#[test]
fn panics_give_their_places_back() {
    every(|builder| {
        build(builder.on_unobserved(|_| ())).block_on(async {
            let (listener, address) = listener().await;
            let mut turn = 0;
            let handler = move |connection: Tcp| {
                turn += 1;
                assert!(turn % 3 != 1, "the closure panics");
                let panics = turn % 3 == 2;
                async move {
                    assert!(!panics, "the future panics");
                    echo(connection).await;
                }
            };
            let server = serve(listener, handler, patient().max_connections(1));
            for turn in 1..=9 {
                let mut client = TcpStream::connect(address).await.expect("listens");
                if turn % 3 == 0 {
                    converse(&mut client, "served").await;
                } else {
                    assert!(!is_answered(&mut client).await);
                }
            }
            server.close();
            let report = server.closed().await.expect("closed on request");
            assert_eq!((report.completed, report.panicked), (3, 6));
        });
    });
}
