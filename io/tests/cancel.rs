//! Every future, dropped after each number of polls: nothing is lost, nothing is left, and the next
//! one works.

mod rig;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use rig::{Rig, pair, poll_once};
use tenter_io::net::{
    DatagramBatch, TcpListener, TcpSocket, TcpStream, UdpSocket, UnixDatagram, UnixListener,
    UnixStream, lookup_host,
};
use tenter_io::{AsyncReadExt, AsyncWriteExt};

on_every_backend! {
    connect_and_accept,
    reads,
    writes,
    waits,
    lookups,
    datagrams,
    batches,
    unix_streams,
    unix_datagrams,
    races,
}

/// Polls `future` until it is ready, or `limit` polls have been made: then it is dropped.
async fn polled_at_most<F: Future>(limit: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polls = 0;
    std::future::poll_fn(move |cx: &mut Context<'_>| {
        if polls == limit {
            return Poll::Ready(None);
        }
        polls += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // Polled again soon, whether or not something happened.
            Poll::Pending => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await
}

/// Runs `step` with each number of polls up to one that is enough.
fn at_every_poll<F>(rig: &mut Rig, mut step: impl FnMut(usize) -> F)
where
    F: Future<Output = io::Result<bool>>,
{
    let mut complete = 0;
    for limit in 0..10_000 {
        if rig.block_on(step(limit)).expect("no error") {
            complete += 1;
            if complete == 20 {
                return;
            }
        }
    }
    panic!("it is never ready");
}

fn connect_and_accept(rig: &mut Rig) {
    let listener = rig
        .block_on(TcpListener::bind("127.0.0.1:0"))
        .expect("a port");
    let address: SocketAddr = listener.local_addr().expect("bound");
    let listener = &listener;
    at_every_poll(rig, |limit| async move {
        let client = polled_at_most(limit, TcpStream::connect(address)).await;
        let accepted = polled_at_most(limit, listener.accept()).await;
        // Whatever was dropped, the listener serves the next one.
        let mut fresh = TcpStream::connect(address).await?;
        let marker = fresh.local_addr()?;
        let mut served = loop {
            let (stream, peer) = listener.accept().await?;
            if peer == marker {
                break stream;
            }
        };
        served.write_all(b"!").await?;
        fresh.read_exact(&mut [0]).await?;
        Ok(client.transpose()?.is_some() && accepted.transpose()?.is_some())
    });
}

fn reads(rig: &mut Rig) {
    let (mut client, mut server) = rig.pair();
    let (client, server) = (&mut client, &mut server);
    // One connection for all rounds, so that what a dropped future took would be missed.
    let mut written = 0_u8;
    let mut expected = 0_u8;
    for limit in (0..8).chain([usize::MAX]) {
        for late in [false, true] {
            rig.block_on(async {
                let mut buffer = [0; 3];
                if late {
                    assert!(
                        polled_at_most(limit.min(5), server.peek(&mut buffer))
                            .await
                            .is_none()
                    );
                    let none = polled_at_most(limit.min(5), server.read(&mut buffer)).await;
                    assert!(none.is_none());
                    assert!(
                        polled_at_most(limit.min(5), server.readable())
                            .await
                            .is_none_or(|ready| ready.is_ok())
                    );
                }
                client.write_all(&[written, written + 1]).await?;
                written += 2;
                let peeked = polled_at_most(limit, server.peek(&mut buffer))
                    .await
                    .transpose()?;
                assert!(peeked.is_none_or(|count| count >= 1 && buffer[0] == expected));
                while expected < written {
                    if let Some(count) = polled_at_most(limit, server.read(&mut buffer))
                        .await
                        .transpose()?
                    {
                        for byte in &buffer[..count] {
                            assert_eq!(*byte, expected, "a byte was lost");
                            expected += 1;
                        }
                    } else {
                        let count = server.read(&mut buffer[..1]).await?;
                        assert_eq!((count, buffer[0]), (1, expected), "a byte was lost");
                        expected += 1;
                    }
                }
                io::Result::Ok(())
            })
            .expect("no error");
        }
    }
}

fn writes(rig: &mut Rig) {
    for limit in 0..12 {
        rig.block_on(async {
            let (mut client, mut server) = pair().await?;
            // A write that was dropped while it waited has sent a part, from its beginning, and
            // nothing after. More than the system's buffers hold.
            let data: Vec<u8> = (0..=250).collect::<Vec<u8>>().repeat(100_000);
            let done = polled_at_most(limit, client.write_all(&data))
                .await
                .transpose()?;
            assert!(done.is_none(), "nobody reads");
            client.close().await?;
            let mut received = Vec::new();
            server.read_to_end(&mut received).await?;
            assert!(received[..] == data[..received.len()]);
            assert_eq!(received.is_empty(), limit == 0);
            io::Result::Ok(())
        })
        .expect("no error");
    }
}

fn waits(rig: &mut Rig) {
    let (mut client, server) = rig.pair();
    for limit in 0..6 {
        rig.block_on(async {
            let mut byte = [0];
            // An event that comes in the middle of a try leaves the source as it was.
            while poll_once(pin!(server.readable())).is_ready() {
                assert!(server.try_read(&mut byte).is_err(), "nothing is there");
            }
            assert!(polled_at_most(limit, server.readable()).await.is_none());
            client.write_all(b"x").await?;
            server.readable().await?;
            assert_eq!(server.try_read(&mut byte)?, 1);
            polled_at_most(limit, server.writable()).await.transpose()?;
            io::Result::Ok(())
        })
        .expect("no error");
    }
    if let Rig::Turned(driver) = rig {
        assert_eq!(driver.handle().waiting(), 0, "a dropped wait stays behind");
    }
}

fn lookups(rig: &mut Rig) {
    at_every_poll(rig, |limit| async move {
        let bound = polled_at_most(limit, TcpListener::bind("localhost:0")).await;
        Ok(bound.transpose()?.is_some())
    });
    // And a pinned one that is dropped in the middle.
    let mut bind = Box::pin(TcpListener::bind("localhost:0"));
    let _ = rig::poll_once(Pin::as_mut(&mut bind));
    drop(bind);
}

/// Receives the numbers from `expected` on, in their order: one that a dropped future took would be
/// missed, one that was sent twice would come twice.
fn check(message: &[u8], expected: &mut u16) {
    assert_eq!(message, expected.to_be_bytes(), "a message was lost");
    *expected += 1;
}

fn datagrams(rig: &mut Rig) {
    let mut expected = 0;
    let expected = &mut expected;
    rig.block_on(async {
        let one = UdpSocket::bind("127.0.0.1:0").await?;
        let two = UdpSocket::bind("127.0.0.1:0").await?;
        let to = two.local_addr()?;
        let mut next = 0_u16;
        for limit in (0..6).chain([usize::MAX]) {
            let mut buffer = [0; 8];
            // Nothing is there yet.
            let early = limit.min(4);
            let none = polled_at_most(early, two.recv_from(&mut buffer)).await;
            assert!(none.is_none());
            assert!(polled_at_most(early, two.peek(&mut buffer)).await.is_none());
            drop(polled_at_most(limit, UdpSocket::bind("127.0.0.1:0")).await);
            drop(polled_at_most(limit, one.connect(to)).await);
            for _ in 0..4 {
                let body = next.to_be_bytes();
                let sent = polled_at_most(limit, one.send_to(&body, to)).await;
                if sent.transpose()?.is_none() {
                    one.send_to(&body, to).await?;
                }
                next += 1;
            }
            while *expected < next {
                polled_at_most(limit, two.peek_from(&mut buffer)).await;
                let count = match polled_at_most(limit, two.recv(&mut buffer)).await {
                    Some(count) => count?,
                    None => two.recv(&mut buffer).await?,
                };
                check(&buffer[..count], expected);
            }
        }
        io::Result::Ok(())
    })
    .expect("no error");
}

fn batches(rig: &mut Rig) {
    let mut expected = 0;
    let expected = &mut expected;
    rig.block_on(async {
        let one = UdpSocket::bind("127.0.0.1:0").await?;
        let two = UdpSocket::bind("127.0.0.1:0").await?;
        one.connect(two.local_addr()?).await?;
        let mut batch = DatagramBatch::new(3, 8);
        let mut next = 0_u16;
        for limit in (0..6).chain([usize::MAX]) {
            let early = polled_at_most(limit.min(4), two.recv_many(&mut batch)).await;
            assert!(early.is_none());
            let bodies: Vec<[u8; 2]> = (next..next + 7).map(u16::to_be_bytes).collect();
            let messages: Vec<&[u8]> = bodies.iter().map(|body| &body[..]).collect();
            let mut sent = 0;
            while sent < messages.len() {
                let rest = &messages[sent..];
                sent += match polled_at_most(limit, one.send_many(rest)).await {
                    Some(count) => count?,
                    None => one.send_many(rest).await?,
                };
            }
            next += 7;
            while *expected < next {
                if polled_at_most(limit, two.recv_many(&mut batch))
                    .await
                    .is_none()
                {
                    two.recv_many(&mut batch).await?;
                }
                for (message, _) in batch.iter() {
                    check(message, expected);
                }
            }
        }
        io::Result::Ok(())
    })
    .expect("no error");
}

fn unix_streams(rig: &mut Rig) {
    let name = format!("tenter-cancel-{}-{:p}", std::process::id(), &raw const *rig);
    let path = std::env::temp_dir().join(name);
    let inside = rig.enter();
    let listener = UnixListener::bind(&path).expect("bound");
    drop(inside);
    let (listener, path) = (&listener, &path);
    at_every_poll(rig, |limit| async move {
        let client = polled_at_most(limit, UnixStream::connect(path)).await;
        let accepted = polled_at_most(limit, listener.accept()).await;
        // Whatever was dropped, the listener serves the next one.
        let mut fresh = UnixStream::connect(path).await?;
        fresh.write_all(b"!").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            let mut byte = [0];
            let peeked = polled_at_most(limit, stream.peek(&mut byte)).await;
            assert!(peeked.is_none_or(|count| count.is_ok()));
            let read = polled_at_most(limit, stream.read(&mut byte)).await;
            let count = match read {
                Some(count) => count?,
                None => stream.read(&mut byte).await?,
            };
            // Nothing is the end of one whose client was dropped.
            if count == 1 {
                break;
            }
        }
        Ok(client.transpose()?.is_some() && accepted.transpose()?.is_some())
    });
}

fn unix_datagrams(rig: &mut Rig) {
    let name = format!(
        "tenter-cancel-dgram-{}-{:p}",
        std::process::id(),
        &raw const *rig
    );
    let path = &std::env::temp_dir().join(name);
    let mut expected = 0;
    let expected = &mut expected;
    rig.block_on(async {
        let two = UnixDatagram::bind(path)?;
        let one = UnixDatagram::unbound()?;
        let mut next = 0_u16;
        for limit in 0..8 {
            let mut buffer = [0; 8];
            let early = polled_at_most(limit.min(4), two.recv(&mut buffer)).await;
            assert!(early.is_none());
            // More than the receiver has room for: a future that waits for it is dropped.
            loop {
                let body = next.to_be_bytes();
                if polled_at_most(limit.max(1), one.send_to(&body, path))
                    .await
                    .is_none()
                {
                    break;
                }
                next += 1;
            }
            assert!(next > *expected);
            while *expected < next {
                let count = match polled_at_most(limit, two.recv(&mut buffer)).await {
                    Some(count) => count?,
                    None => two.recv(&mut buffer).await?,
                };
                check(&buffer[..count], expected);
            }
        }
        io::Result::Ok(())
    })
    .expect("no error");
}

/// Several addresses, and a socket of one's own; `connect.rs` counts what is left.
fn races(rig: &mut Rig) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("non-blocking");
    let good: SocketAddr = listener.local_addr().expect("bound");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = nobody.local_addr().expect("bound");
    let listener = &listener;
    at_every_poll(rig, |limit| async move {
        let raced = polled_at_most(limit, TcpStream::connect(&[nobody, good])).await;
        let socket = TcpSocket::new_v4()?;
        let prepared = polled_at_most(limit, socket.connect(good)).await;
        // The queue stays short, and the next one gets through.
        while listener.accept().is_ok() {}
        TcpStream::connect(good).await?;
        Ok(raced.transpose()?.is_some() && prepared.transpose()?.is_some())
    });
    at_every_poll(rig, |limit| async move {
        let found = polled_at_most(limit, lookup_host("localhost:1")).await;
        Ok(found.transpose()?.is_some())
    });
}
