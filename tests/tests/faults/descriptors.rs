//! Faults 25, 30 and 50 on a runtime: descriptors that run out, that are closed underneath, and a
//! notifier that is full.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, connect, socket};
use tenter::io::{Async, AsyncReadExt, AsyncWriteExt};
use tenter::net::{TcpListener, TcpStream};
use tenter::task::yield_now;
use tenter::{JoinHandle, spawn};
use tenter_tests::support::{alone, assert_says, build, thread};

use crate::system::{
    descriptors, every_flavour, exhaust_descriptors, limit_descriptors, opened_since, pair,
    real_clocks,
};

/// Serves for ever, and counts the errors of `accept`.
async fn serve(listener: TcpListener, errors: Arc<AtomicUsize>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(spawn(echo(stream))),
            Err(error) => {
                assert_says(
                    &error.to_string(),
                    &["cannot accept", "ulimit -n", "next try"],
                );
                errors.fetch_add(1, Ordering::AcqRel);
            }
        }
    }
}

async fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 64];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

async fn round_trip(stream: &mut TcpStream) {
    stream.write_all(b"ping").await.expect("written");
    let mut back = [0; 4];
    stream.read_exact(&mut back).await.expect("read");
    assert_eq!(&back, b"ping");
}

async fn connected(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = TcpStream::connect(address).await.expect("connected");
        round_trip(&mut client).await;
        clients.push(client);
    }
    clients
}

/// Goal: a server that has no descriptor left serves the connections that it has, tries again in
/// growing pauses and not all the time, and takes those who waited once there is room.
#[test]
fn fault_25_a_server_without_descriptors_goes_on() {
    if !alone("descriptors::fault_25_a_server_without_descriptors_goes_on") {
        return;
    }
    limit_descriptors(64);
    for builder in real_clocks() {
        let label = format!("{builder:?}");
        let before = descriptors();
        let runtime = build(builder);
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("bound");
            let errors = Arc::new(AtomicUsize::new(0));
            let server = spawn(serve(listener, Arc::clone(&errors)));
            let mut clients = connected(address, 4).await;
            let late = || socket(AddressFamily::INET, SocketType::STREAM, None);
            let late = [(); 3].map(|()| late().expect("a socket"));
            let full = exhaust_descriptors();
            let start = Instant::now();
            // The system completes these connections; the server has no numbers for them.
            late.iter()
                .for_each(|late| connect(late, &address).expect("completed"));
            let mut seen = 0;
            while seen < 4 {
                for client in &mut clients {
                    round_trip(client).await;
                }
                seen = errors.load(Ordering::Acquire);
                let least = Duration::from_millis(5 * ((1 << seen.max(1)) / 2 - 1));
                let passed = start.elapsed();
                assert!(passed >= least, "{label}: {seen} errors in {passed:?}");
            }
            drop(full);
            for late in late {
                let late = std::net::TcpStream::from(late);
                round_trip(&mut TcpStream::from_std(late).expect("registered")).await;
            }
            connected(address, 4).await;
            drop(clients);
            server.cancel();
            server.await.expect_err("it serves for ever");
        });
        drop(runtime);
        assert_eq!(descriptors(), before, "{label}");
    }
}

/// Goal: where a library closes a number that it has lent, and opens another file of the same
/// number, the newcomer gets its own events, also after the old source is dropped; and nobody else
/// notices anything.
/// Method: echoes go on all the time; the lost source waits when its number is closed.
#[test]
fn fault_30_a_number_that_is_used_again() {
    if !alone("descriptors::fault_30_a_number_that_is_used_again") {
        return;
    }
    for builder in every_flavour() {
        let label = format!("{builder:?}");
        let before = descriptors();
        let runtime = build(builder);
        runtime.block_on(async {
            let errors = Arc::new(AtomicUsize::new(0));
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("bound");
            let server = spawn(serve(listener, errors));
            let others: Vec<JoinHandle<()>> = (0..4)
                .map(|_| {
                    spawn(async move {
                        let mut client = connected(address, 1).await.remove(0);
                        for _ in 0..200 {
                            round_trip(&mut client).await;
                        }
                    })
                })
                .collect();
            for _ in 0..20 {
                lose_one(&label).await;
            }
            for other in others {
                other.await.expect("no panic");
            }
            server.cancel();
            server.await.expect_err("it serves for ever");
        });
        drop(runtime);
        assert_eq!(descriptors(), before, "{label}");
    }
}

async fn lose_one(label: &str) {
    let (lost, lost_peer) = UnixStream::pair().expect("a pair");
    let number = lost.into_raw_fd();
    // SAFETY: it is not open for as long as that, which is the fault. Nobody but this test uses
    // the number meanwhile.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let lost = Arc::new(Async::new(borrowed).expect("registered"));
    let waiting = spawn({
        let lost = Arc::clone(&lost);
        async move { lost.readable().await }
    });
    yield_now().await;
    let (newcomer, mut peer) = UnixStream::pair().expect("a pair");
    let newcomer = OwnedFd::from(newcomer);
    // SAFETY: takes two numbers and touches no memory; closes what `number` was.
    let again = unsafe { libc::dup2(newcomer.as_raw_fd(), number) };
    assert_eq!(again, number);
    drop(newcomer);
    // SAFETY: `dup2` has just made it, and nobody else owns it.
    let newcomer: UnixStream = unsafe { std::os::fd::FromRawFd::from_raw_fd(number) };
    let newcomer = Async::new(newcomer).expect("registered");
    let read = || newcomer.read_with(|mut stream| stream.read(&mut [0; 8]));
    peer.write_all(b"1").expect("written");
    assert_eq!(read().await.expect("read"), 1, "{label}");
    // What waits for the lost one waits until it is told otherwise; it is nobody's event.
    waiting.cancel();
    let _ = waiting.await;
    drop(lost);
    let hears = spawn(async move {
        let count = newcomer
            .read_with(|mut stream| stream.read(&mut [0; 8]))
            .await;
        (count, newcomer)
    });
    yield_now().await;
    peer.write_all(b"22").expect("written");
    let (count, _newcomer) = hears.await.expect("no panic");
    assert_eq!(count.expect("read"), 2, "{label}");
    drop(lost_peer);
}

/// Goal: whoever sleeps in the poller is woken also when the count behind the notifier is full.
#[test]
fn fault_50_a_full_notifier_wakes() {
    if !alone("descriptors::fault_50_a_full_notifier_wakes") {
        return;
    }
    for builder in every_flavour() {
        let before = descriptors();
        let runtime = build(builder);
        let (client, server) = runtime.block_on(pair());
        let notifiers = opened_since(&before, "[eventfd]");
        assert!(!notifiers.is_empty());
        for _ in 0..50 {
            for number in &notifiers {
                // SAFETY: it is open for as long as the runtime lives.
                let notifier = unsafe { BorrowedFd::borrow_raw(*number) };
                let _ = rustix::io::read(notifier, &mut [0; 8]);
                let _ = rustix::io::write(notifier, &(u64::MAX - 1).to_ne_bytes());
            }
            let (sender, receiver) = tenter::sync::oneshot::oneshot();
            let waits = runtime.spawn(receiver);
            let sends = thread(move || sender.send(7));
            assert_eq!(runtime.block_on(waits).expect("no panic"), Ok(7));
            assert_eq!(sends.join(), Ok(()));
        }
        drop((client, server, runtime));
        assert_eq!(descriptors(), before);
    }
}
