//! How many connections there are at a time.

use tenter::net::ServeOptions;
use tenter_tests::support::{assert_says, panic_of, settle};

use crate::support::{Waiting, is_answered, on_every, patient, until};

/// Goal: at the limit the rest waits in the backlog, and one is accepted for each that leaves.
#[test]
fn the_limit_is_never_exceeded_and_always_reached() {
    on_every(|| async {
        let server = Waiting::start(patient().max_connections(2)).await;
        let mut clients = server.connect(7).await;
        for done in 0..5 {
            until("two are served", || server.begun.get() == done + 2).await;
            settle().await;
            assert_eq!(server.begun.get() - server.gone.get(), 2);
            assert_eq!(server.server.open_connections(), 2);
            assert_eq!(server.server.report().accepted, done as u64 + 2);
            server.let_go(1);
            until("one has left", || server.gone.get() == done + 1).await;
        }
        server.let_go(2);
        for client in &mut clients {
            assert!(is_answered(client).await);
        }
        server.server.close();
        let report = server.server.closed().await.expect("closed on request");
        assert_eq!((report.accepted, report.completed), (7, 7));
    });
}

/// Goal: a place is given back whichever way its connection ended.
#[test]
fn a_cancelled_or_panicked_connection_gives_its_place_back() {
    on_every(|| async {
        let server = Waiting::start(patient().max_connections(1)).await;
        for turn in 0..3 {
            let mut client = server.serve(1).await;
            server.let_go(1);
            assert!(is_answered(&mut client[0]).await);
            until("it has left", || server.gone.get() == turn + 1).await;
        }
        server.server.abort();
        let report = server.server.closed().await.expect("closed on request");
        assert_eq!((report.accepted, report.completed), (3, 3));
    });
}

/// Goal: a server at its limit, which does not accept, closes all the same.
#[test]
fn a_server_at_its_limit_closes() {
    on_every(|| async {
        let server = Waiting::start(patient().max_connections(1)).await;
        let mut clients = server.serve(1).await;
        clients.extend(server.connect(3).await);
        settle().await;
        server.server.close();
        server.let_go(1);
        let report = server.server.closed().await.expect("closed on request");
        assert_eq!((report.accepted, report.drained), (1, 1));
        assert!(is_answered(&mut clients[0]).await);
        for client in &mut clients[1..] {
            assert!(!is_answered(client).await, "the backlog is refused");
        }
    });
}

#[test]
fn a_limit_of_none_is_refused() {
    let text = panic_of(|| ServeOptions::new().max_connections(0));
    assert_says(&text, &["max_connections(0)", "at least one"]);
    let unlimited = ServeOptions::new().max_connections(usize::MAX);
    assert_says(&format!("{unlimited:?}"), &["max_connections: None"]);
}
