//! Fault 37: very many peers that never read.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
use rustix::net::{AddressFamily, SocketType, connect, socket};
use tenter::io::{AsyncReadExt, AsyncWriteExt};
use tenter::net::TcpListener;
use tenter::task::yield_now;
use tenter::time::timeout;
use tenter::{JoinHandle, Runtime, spawn};
use tenter_tests::support::{alone, build};

use crate::memory::in_use;
use crate::system::{descriptors, limit_descriptors, pair, real_clocks};

const PEERS: usize = 1_000;

/// More than the system's buffers hold.
static MUCH: [u8; 1 << 20] = [0; 1 << 20];

/// Goal: a peer that never reads costs what its task and its socket cost, however often the server
/// tries; nothing is buffered for it; each operation can be bounded; and others are served.
/// Method: all of the peers at once, each with a bound that passes again and again.
#[test]
fn fault_37_a_thousand_peers_that_never_read() {
    if !alone("peers::fault_37_a_thousand_peers_that_never_read") {
        return;
    }
    limit_descriptors(2 * PEERS as u64 + 100);
    for builder in real_clocks() {
        let label = format!("{builder:?}");
        let before = descriptors();
        let runtime = build(builder);
        // What is allocated once, for so many connections, is there after the first time.
        let after = [(); 3].map(|()| {
            stall(&runtime, &label);
            in_use()
        });
        let grown = after[2].saturating_sub(after[1]);
        assert!(grown < 64 << 10, "{label}: {grown} bytes more: {after:?}");
        drop(runtime);
        assert_eq!(descriptors(), before, "{label}");
    }
}

fn stall(runtime: &Runtime, label: &str) {
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (mut one, mut other) = pair().await;
        let empty = in_use();
        let passed = Arc::new(AtomicUsize::new(0));
        let mut peers = Vec::new();
        for _ in 0..PEERS {
            peers.push(stalled(&listener, address, &passed).await);
        }
        let full = until(&passed, PEERS).await;
        let each = full.saturating_sub(empty) / PEERS;
        assert!(each < 4 << 10, "{label}: {each} bytes for each peer");
        let mut most = 0;
        for round in 2..6 {
            most = most.max(until(&passed, round * PEERS).await);
            one.write_all(b"x").await.expect("written");
            other.read_exact(&mut [0]).await.expect("read");
        }
        let grown = most.saturating_sub(full);
        assert!(
            grown < 64 << 10,
            "{label}: {grown} bytes more while it lasts"
        );
        for (_, task) in &peers {
            task.cancel();
        }
        for (_, task) in peers {
            let _ = task.await;
        }
    });
}

/// A connection whose one end never reads, and whose other end is served with bounded writes.
async fn stalled(
    listener: &TcpListener,
    address: SocketAddr,
    passed: &Arc<AtomicUsize>,
) -> (std::os::fd::OwnedFd, JoinHandle<()>) {
    let peer = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    set_socket_recv_buffer_size(&peer, 4 << 10).expect("set");
    connect(&peer, &address).expect("completed");
    let (mut stream, _) = listener.accept().await.expect("accepted");
    set_socket_send_buffer_size(&stream, 4 << 10).expect("set");
    let passed = Arc::clone(passed);
    let task = spawn(async move {
        loop {
            let bound = Duration::from_millis(50);
            let written = timeout(bound, stream.write_all(&MUCH)).await;
            assert!(written.is_err(), "nobody reads that much");
            passed.fetch_add(1, Ordering::AcqRel);
        }
    });
    (peer, task)
}

/// Waits until so many bounds have passed. Returns the bytes in use then.
async fn until(passed: &AtomicUsize, count: usize) -> usize {
    while passed.load(Ordering::Acquire) < count {
        tenter::time::sleep(Duration::from_millis(1)).await;
    }
    yield_now().await;
    in_use()
}
