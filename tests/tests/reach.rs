//! How far a scope reaches into what waits for the system: connecting, which shares the time that it leaves among
//! the addresses; requests; signals.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tenter::net::{TcpListener, TcpStream};
use tenter::signal::{SignalKind, signals};
use tenter::time::{now, sleep, timeout};
use tenter::{CancelScope, Outcome, fail_after, move_on_after};

const MILLISECOND: Duration = Duration::from_millis(1);

/// An address that does not answer: a listener whose queue is full.
struct Mute {
    address: SocketAddr,
    _listener: rustix::fd::OwnedFd,
    _fillers: Vec<rustix::fd::OwnedFd>,
}

impl Mute {
    fn new() -> Mute {
        use rustix::net::{AddressFamily, SocketFlags, SocketType};
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket =
            || rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None);
        let listener = socket().expect("a socket");
        let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        rustix::net::bind(&listener, &any).expect("bound");
        rustix::net::listen(&listener, 0).expect("listens");
        let name = rustix::net::getsockname(&listener).expect("bound");
        let address = SocketAddr::try_from(name).expect("IP");
        let fillers = (0..4)
            .map(|_| {
                let filler = socket().expect("a socket");
                // In progress, or for ever in line.
                let _ = rustix::net::connect(&filler, &address);
                filler
            })
            .collect();
        Mute {
            address,
            _listener: listener,
            _fillers: fillers,
        }
    }
}

/// Goal: addresses that do not answer share the time that the scope leaves with those that do.
#[tenter::test]
async fn x23_a_silent_address_does_not_take_the_time_of_the_others() {
    let silent = [Mute::new(), Mute::new(), Mute::new()];
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("bound");
    let all: Vec<_> = silent
        .iter()
        .map(|mute| mute.address)
        .chain([address])
        .collect();
    let begin = now();
    let connected = timeout(100 * MILLISECOND, TcpStream::connect(&all[..])).await;
    let stream = connected.expect("in time").expect("it answers");
    assert_eq!(stream.peer_addr().expect("connected"), address);
    // A quarter for the first, a third of the rest for the second, and so on.
    assert_eq!(now() - begin, 75 * MILLISECOND);

    let begin = now();
    let limit = 100 * MILLISECOND;
    let connected = TcpStream::connect_timeout(&all[..], limit).await;
    connected.expect("in time");
    assert_eq!(now() - begin, 75 * MILLISECOND);

    // Where there is time, everybody has what the RFC gives; where there is none, a little.
    let begin = now();
    let connected = timeout(60_000 * MILLISECOND, TcpStream::connect(&all[..])).await;
    connected.expect("in time").expect("it answers");
    assert_eq!(now() - begin, 750 * MILLISECOND);
    let begin = now();
    let connected = timeout(35 * MILLISECOND, TcpStream::connect(&all[..])).await;
    connected.expect("in time").expect("it answers");
    assert_eq!(now() - begin, 30 * MILLISECOND);
}

/// Goal: whichever scope has the deadline, it counts, the nearest of them; what a shield keeps away does not.
#[tenter::test]
async fn x23_attempts_know_the_nearest_deadline() {
    let silent = Mute::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let all = [silent.address, listener.local_addr().expect("bound")];
    let connect = async || {
        let begin = now();
        TcpStream::connect(&all[..]).await.expect("it answers");
        now() - begin
    };
    let nested = move_on_after(1_000 * MILLISECOND, async |_| {
        let inner = fail_after(40 * MILLISECOND, async |_| connect().await);
        inner.await.expect("in time")
    });
    assert_eq!(nested.await, Some(20 * MILLISECOND));
    let until = now() + 40 * MILLISECOND;
    let scope = CancelScope::new().deadline(until);
    let inside = tenter::task_group(async |group| {
        let addresses = all;
        let child = group.spawn(async move {
            let begin = now();
            drop(
                TcpStream::connect(&addresses[..])
                    .await
                    .expect("it answers"),
            );
            Ok::<_, ()>(now() - begin)
        });
        Ok(child.await.expect("no panic"))
    });
    let inside = scope.run(inside).await.done().expect("in time");
    assert_eq!(
        inside.expect("no failure"),
        20 * MILLISECOND,
        "a child of a group"
    );
    let shielded = timeout(40 * MILLISECOND, tenter::shield(connect())).await;
    assert!(shielded.is_err(), "a shield has all the time");
}

/// Goal: a limit that is over at the same moment as the scope's leaves it to the scope to say so.
#[tenter::test]
async fn a_scope_says_that_its_time_is_over_and_not_what_it_cuts_off() {
    let silent = Mute::new();
    let limit = 10 * MILLISECOND;
    let begin = now();
    let connect = async || TcpStream::connect_timeout(silent.address, limit).await;
    assert!(timeout(limit, connect()).await.is_err());
    let scope = CancelScope::new().deadline(now() + limit);
    assert!(matches!(scope.run(connect()).await, Outcome::Cancelled(_)));
    assert_eq!(now() - begin, 2 * limit);
    // With its own limit the nearer one, the error is its own.
    let error = timeout(2 * limit, connect()).await.expect("in time");
    let error = error.expect_err("nobody answers");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    // And so it is where a shield keeps the scope's end away; what is ready then counts.
    let shielded = timeout(limit, async {
        let error = tenter::shield(connect()).await.expect_err("nobody answers");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    });
    assert!(shielded.await.is_ok());
}

/// Goal: the same for a request: the scope says so, and the client goes on.
#[tenter::test]
async fn a_scope_says_that_its_time_is_over_and_not_the_request_in_it() {
    let silent = Mute::new();
    let limit = 10 * MILLISECOND;
    let client = tenter_http::Client::new();
    let address = format!("http://{}/", silent.address);
    let ask = async || client.get(address.as_str()).timeout(limit).await;
    let begin = now();
    assert!(timeout(limit, ask()).await.is_err());
    let error = timeout(2 * limit, ask()).await.expect("in time");
    assert!(error.expect_err("nobody answers").is_timeout());
    let client = tenter_http::Client::builder()
        .connect_timeout(limit)
        .build();
    let connect = async || client.get(address.as_str()).await;
    assert!(timeout(limit, connect()).await.is_err());
    let error = timeout(2 * limit, connect()).await.expect("in time");
    assert!(error.expect_err("nobody answers").is_connect());
    assert_eq!(now() - begin, 4 * limit);
}

/// Goal: every scope that waits for a signal gets it; one that was cut off listens no longer, and takes nothing
/// from the others.
#[tenter::test]
async fn every_scope_that_waits_for_a_signal_gets_it() {
    let kind = SignalKind::user_defined2();
    let wait = async || {
        let mut signals = signals([kind]).expect("they listen");
        signals.recv().await
    };
    assert!(timeout(MILLISECOND, wait()).await.is_err());
    let (first, second, cut, ()) = tenter::gather!(
        CancelScope::new().run(wait()),
        timeout(Duration::MAX, wait()),
        timeout(MILLISECOND, wait()),
        async {
            sleep(2 * MILLISECOND).await;
            // SAFETY: nothing but the number of a signal goes in.
            assert_eq!(unsafe { libc::raise(kind.as_raw()) }, 0);
        }
    )
    .await;
    assert_eq!(first, Outcome::Done(Some(kind)));
    assert_eq!(second, Ok(Some(kind)));
    assert!(cut.is_err());
    assert!(
        timeout(MILLISECOND, wait()).await.is_err(),
        "who comes later has missed it"
    );
}
