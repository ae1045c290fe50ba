//! What the system may do to a server.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tenter::Builder;
use tenter::net::{TcpStream, serve};
use tenter::sync::Notify;
use tenter_tests::support::{Count, Slot, assert_says, build, settle};

use crate::support::{
    converse, echo, in_a_process_of_its_own, is_answered, listener, on_every, patient, until,
};

/// Leaves room for so many further descriptors, until the result is dropped.
fn leave_room_for(count: usize) -> NoRoom {
    let before = getrlimit(Resource::Nofile);
    let open = std::fs::read_dir("/proc/self/fd").expect("Linux").count();
    let limit = Rlimit {
        current: Some((open + 2 * count + 64) as u64),
        maximum: before.maximum,
    };
    setrlimit(Resource::Nofile, limit).expect("it may be lowered");
    let mut fillers = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        fillers.push(file);
    }
    fillers.truncate(fillers.len() - count);
    NoRoom { before, fillers }
}

struct NoRoom {
    before: Rlimit,
    fillers: Vec<std::fs::File>,
}

impl Drop for NoRoom {
    fn drop(&mut self) {
        self.fillers.clear();
        setrlimit(Resource::Nofile, self.before).expect("it may be raised to the maximum");
    }
}

/// Goal: a server out of descriptors serves those that it has, reports each failed accept, and goes
/// on when there is room again (fault 25).
/// Method: room for ten, and thirty clients who are connected before.
#[test]
fn a_server_out_of_descriptors_recovers() {
    in_a_process_of_its_own("faults::a_server_out_of_descriptors_recovers", || {
        for builder in [
            Builder::current_thread(),
            Builder::multi_thread().workers(2),
        ] {
            build(builder).block_on(async {
                let (listener, address) = listener().await;
                let mut clients = Vec::new();
                for _ in 0..30 {
                    clients.push(TcpStream::connect(address).await.expect("listens"));
                }
                let (failed, first) = (Count::new(), Slot::new());
                let (counts, tells) = (failed.clone(), first.clone());
                let options = patient().on_accept_error(move |error| {
                    if counts.add() == 0 {
                        tells.put(error.to_string());
                    }
                });
                let _no_room = leave_room_for(10);
                let server = serve(listener, echo, options);
                until("an accept fails", || failed.get() > 0).await;
                assert_says(
                    &first.take(),
                    &["cannot accept a connection at 127.0.0.1:", "ulimit -n"],
                );
                assert!(server.open_connections() <= 10);
                // The clients are in the order of the backlog: the first is served, the last is not.
                converse(&mut clients[0], "I was the first").await;
                let mut last = clients.pop().expect("thirty");
                for client in clients {
                    drop(client);
                    settle().await;
                }
                converse(&mut last, "there is room again").await;
                drop(last);
                until("all have left", || server.open_connections() == 0).await;
                server.close();
                let report = server.closed().await.expect("closed on request");
                assert_eq!((report.accepted, report.completed), (30, 30));
                assert_eq!(report.accept_errors, failed.get() as u64);
                // Pauses that double from 5 ms: this is minutes of them.
                assert!(report.accept_errors < 1_000, "{report}");
            });
        }
    });
}

/// Goal: a server that pauses because it has no room closes without waiting for the pause.
/// Method: the clock is virtual: had anything waited for it, it would have moved.
#[test]
fn a_server_that_pauses_closes_at_once() {
    in_a_process_of_its_own("faults::a_server_that_pauses_closes_at_once", || {
        build(Builder::deterministic(1)).block_on(async {
            let (listener, address) = listener().await;
            let mut clients = Vec::new();
            for _ in 0..4 {
                clients.push(TcpStream::connect(address).await.expect("listens"));
            }
            let failed = Arc::new(Notify::new());
            let tells = Arc::clone(&failed);
            let options = patient().on_accept_error(move |_| tells.notify_one());
            let _no_room = leave_room_for(2);
            let server = serve(listener, echo, options);
            failed.notified().await;
            let (begun, accepted) = (tenter::time::now(), server.report().accepted);
            assert!(accepted < 4);
            server.close();
            drop(clients);
            let report = server.closed().await.expect("closed on request");
            assert_eq!(tenter::time::now(), begun);
            assert_eq!((report.accepted, report.completed), (accepted, accepted));
            assert_eq!(report.accept_errors, 1);
        });
    });
}

/// Goal: a hook that panics is told and survived.
#[test]
fn a_hook_that_panics_does_not_end_the_server() {
    in_a_process_of_its_own("faults::a_hook_that_panics_does_not_end_the_server", || {
        build(Builder::current_thread()).block_on(async {
            let (listener, address) = listener().await;
            let mut client = TcpStream::connect(address).await.expect("listens");
            let called = Count::new();
            let counts = called.clone();
            let options = patient().on_accept_error(move |_| {
                counts.add();
                panic!("the hook panics");
            });
            let no_room = leave_room_for(0);
            let server = serve(listener, echo, options);
            until("an accept fails", || called.get() > 0).await;
            drop(no_room);
            converse(&mut client, "served in the end").await;
            server.abort();
            server.closed().await.expect("closed on request");
        });
    });
}

/// Goal: a listener that is none any more ends the server with an error that says what was served;
/// the connections finish.
#[test]
fn a_listener_that_fails_ends_the_server_after_its_connections() {
    on_every(|| async {
        let (listener, address) = listener().await;
        let underneath = listener.as_fd().try_clone_to_owned().expect("a descriptor");
        let server = serve(listener, echo, patient());
        let mut client = TcpStream::connect(address).await.expect("listens");
        converse(&mut client, "before").await;
        rustix::net::shutdown(&underneath, rustix::net::Shutdown::Both).expect("a socket");
        until("the server closes", || server.is_closing()).await;
        settle().await;
        converse(&mut client, "after").await;
        assert!(!server.is_closed());
        drop(client);
        let error = server.closed().await.expect_err("the listener failed");
        assert!(error.is_listener());
        let report = error.report();
        assert_eq!(
            (report.accepted, report.completed, report.drained),
            (1, 1, 1)
        );
        let text = error.to_string();
        assert_says(
            &text,
            &[&address.to_string(), "can accept no more", "1 completed"],
        );
        assert!(std::error::Error::source(&error).is_some());
        let error = std::io::Error::from(error);
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    });
}

/// Goal: a failure that nobody would hear of is told on standard error, also when the last handle is
/// dropped after it; one that somebody heard of is not.
#[test]
fn a_failure_that_nobody_observes_is_told() {
    const NAME: &str = "faults::a_failure_that_nobody_observes_is_told";
    let captured = |command: &mut std::process::Command| {
        command.stderr(std::process::Stdio::piped());
    };
    let judge = |child: std::process::Child| {
        let output = child.wait_with_output().expect("it ends");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{text}");
        let told = text.matches("can accept no more connections").count();
        assert_eq!(told, 2, "{text}");
    };
    if !tenter_tests::support::alone_with(NAME, captured, judge) {
        return;
    }
    build(Builder::current_thread()).block_on(async {
        for way in 0..3 {
            let (listener, _) = listener().await;
            let underneath = listener.as_fd().try_clone_to_owned().expect("a descriptor");
            let server = serve(listener, echo, patient());
            let fail = || rustix::net::shutdown(&underneath, rustix::net::Shutdown::Both);
            match way {
                0 => {
                    drop(server);
                    fail().expect("a socket");
                    until("it ends", || {
                        tenter::Handle::current().metrics().alive_tasks <= 1
                    })
                    .await;
                }
                1 => {
                    fail().expect("a socket");
                    until("it ends", || server.is_closed()).await;
                    drop(server);
                }
                _ => {
                    fail().expect("a socket");
                    server.closed().await.expect_err("the listener failed");
                    drop(server);
                }
            }
        }
    });
}

/// Goal: a descriptor that is closed and replaced underneath does not keep the server from ending
/// (fault 30). The system tells nobody of it, so that is all that can be promised.
#[test]
fn a_listener_that_was_replaced_underneath_can_be_closed() {
    in_a_process_of_its_own(
        "faults::a_listener_that_was_replaced_underneath_can_be_closed",
        || {
            build(Builder::current_thread()).block_on(async {
                let (listener, address) = listener().await;
                let fd = std::os::fd::AsRawFd::as_raw_fd(&listener);
                let server = serve(listener, echo, patient());
                let mut client = TcpStream::connect(address).await.expect("listens");
                converse(&mut client, "before").await;
                let nothing = std::fs::File::open("/dev/null").expect("it is there");
                // SAFETY: the number stays open, and is closed by its owner.
                let replaced = unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&nothing), fd) };
                assert_eq!(replaced, fd);
                assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
                converse(&mut client, "after").await;
                server.close();
                drop(client);
                let report = tenter::time::timeout(Duration::from_secs(60), server.closed()).await;
                assert_eq!(
                    report
                        .expect("it ends")
                        .expect("closed on request")
                        .completed,
                    1
                );
            });
        },
    );
}

#[test]
fn a_client_that_resets_before_it_is_accepted_harms_nobody() {
    on_every(|| async {
        let (listener, address) = listener().await;
        for _ in 0..5 {
            let client = TcpStream::connect(address).await.expect("listens");
            rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO))
                .expect("a socket");
        }
        let server = serve(listener, echo, patient());
        let mut client = TcpStream::connect(address).await.expect("listens");
        converse(&mut client, "hello").await;
        assert!(!is_answered_after_reset(&mut client).await);
        until("all have left", || server.open_connections() == 0).await;
        server.close();
        let report = server.closed().await.expect("closed on request");
        assert_eq!(report.accepted, report.completed);
    });
}

/// Ends the client's side; there is no further answer.
async fn is_answered_after_reset(client: &mut TcpStream) -> bool {
    client
        .shutdown(std::net::Shutdown::Write)
        .expect("connected");
    is_answered(client).await
}
