//! TCP, on every back end and on the background driver.

mod rig;

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Shutdown};
use std::pin::Pin;
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use rig::{Rig, join_all, pair};
use tenter_io::net::{TcpListener, TcpStream};
use tenter_io::{AsyncReadExt, AsyncWriteExt};

on_every_backend! {
    an_echo_comes_back,
    data_then_end_is_never_missed,
    more_than_the_buffers_hold_arrives_whole,
    half_close_ends_one_direction_only,
    halves_of_one_stream_work_in_two_futures,
    owned_halves_are_put_together_only_with_their_own,
    peek_takes_nothing,
    vectored_reads_and_writes_move_all_buffers,
    reading_into_uninitialised_memory,
    empty_buffers_do_nothing,
    try_operations_never_wait,
    two_tasks_read_one_stream,
    connecting_names_every_attempt,
    connect_timeout_is_an_error_that_names_the_limit,
    many_connections_at_once,
}

fn an_echo_comes_back(rig: &mut Rig) {
    rig.block_on(async {
        let (mut client, mut server) = pair().await?;
        for round in 0..100_u8 {
            let message = [round; 64];
            client.write_all(&message).await?;
            let mut buffer = [0; 64];
            server.read_exact(&mut buffer).await?;
            server.write_all(&buffer).await?;
            let mut answer = [0; 64];
            client.read_exact(&mut answer).await?;
            assert_eq!(answer, message);
        }
        io::Result::Ok(())
    })
    .expect("echo");
}

/// The end may come on the same edge as the data: a direction that is cleared by a short read then
/// waits for an edge that has already been.
fn data_then_end_is_never_missed(rig: &mut Rig) {
    let rounds = if cfg!(debug_assertions) {
        2_000
    } else {
        25_000 // on four back ends
    };
    rig.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mut buffer = [0; 64];
        for round in 0..rounds {
            let client = std::net::TcpStream::connect(address)?;
            let (mut server, _) = listener.accept().await?;
            // A reset at the end of each, so that no port is left in its waiting state.
            socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO))?;
            let mut read = Box::pin(server.read(&mut buffer));
            if round % 2 == 0 {
                // The reader waits already.
                assert!(rig::poll_once(read.as_mut()).is_pending());
            }
            io::Write::write_all(&mut &client, b"last words")?;
            client.shutdown(Shutdown::Write)?;
            assert_eq!(read.await?, 10);
            assert_eq!(server.read(&mut buffer).await?, 0);
        }
        io::Result::Ok(())
    })
    .expect("all ends were seen");
}

fn more_than_the_buffers_hold_arrives_whole(rig: &mut Rig) {
    let sent: Vec<u8> = (0..4_000_000_u32).map(|n| (n % 251) as u8).collect();
    let received = rig.block_on(async {
        let (client, mut server) = pair().await.expect("a connection");
        let write = async {
            let (_read, mut write) = client.into_split();
            write.write_all(&sent).await.expect("written");
            write.close().await.expect("closed");
            Vec::new()
        };
        let read = async {
            let mut received = Vec::new();
            let count = server.read_to_end(&mut received).await.expect("read");
            assert_eq!(count, received.len());
            received
        };
        join_all(vec![Box::pin(write), Box::pin(read)])
            .await
            .remove(1)
    });
    assert!(received == sent, "what arrived is not what was sent");
}

/// Fault 35.
fn half_close_ends_one_direction_only(rig: &mut Rig) {
    rig.block_on(async {
        let (mut client, mut server) = pair().await?;
        client.shutdown(Shutdown::Write)?;
        let mut buffer = Vec::new();
        assert_eq!(server.read_to_end(&mut buffer).await?, 0);
        server.write_all(b"still here").await?;
        server.close().await?;
        client.read_to_end(&mut buffer).await?;
        assert_eq!(buffer, b"still here");
        io::Result::Ok(())
    })
    .expect("half-close");
}

fn halves_of_one_stream_work_in_two_futures(rig: &mut Rig) {
    rig.block_on(async {
        let (mut client, mut server) = pair().await?;
        let (mut reader, mut writer) = client.split();
        let there = async {
            for n in 0..1_000_u32 {
                writer.write_all(&n.to_be_bytes()).await.expect("written");
            }
            writer.close().await.expect("closed");
        };
        let echo = async {
            let mut buffer = [0; 4096];
            loop {
                match server.read(&mut buffer).await.expect("read") {
                    0 => break server.close().await.expect("closed"),
                    count => server.write_all(&buffer[..count]).await.expect("written"),
                }
            }
        };
        let back = async {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).await.expect("read");
            let expected: Vec<u8> = (0..1_000_u32).flat_map(u32::to_be_bytes).collect();
            assert!(all == expected);
        };
        join_all(vec![Box::pin(there), Box::pin(echo), Box::pin(back)]).await;
        io::Result::Ok(())
    })
    .expect("split");
}

fn owned_halves_are_put_together_only_with_their_own(rig: &mut Rig) {
    rig.block_on(async {
        let (one, two) = pair().await?;
        let (one_read, one_write) = one.into_split();
        let (two_read, two_write) = two.into_split();
        let error = one_read.unsplit(two_write).expect_err("not its own");
        assert!(error.to_string().contains("two different streams"));
        let (one_read, two_write) = (error.0, error.1);
        let mut one = one_read.unsplit(one_write).expect("its own");
        let mut two = two_read.unsplit(two_write).expect("its own");
        // Neither direction was closed by all this.
        one.write_all(b"a").await?;
        two.write_all(b"b").await?;
        let mut byte = [0];
        one.read_exact(&mut byte).await?;
        assert_eq!(&byte, b"b");
        // Dropping the half that writes is the end for the peer.
        let (_read, write) = one.into_split();
        two.read_exact(&mut byte).await?;
        drop(write);
        assert_eq!(two.read(&mut byte).await?, 0);
        io::Result::Ok(())
    })
    .expect("unsplit");
}

fn peek_takes_nothing(rig: &mut Rig) {
    rig.block_on(async {
        let (mut client, mut server) = pair().await?;
        client.write_all(b"abc").await?;
        let mut buffer = [0; 8];
        assert_eq!(server.peek(&mut buffer).await?, 3);
        assert_eq!(server.peek(&mut buffer[..2]).await?, 2);
        assert_eq!(server.read(&mut buffer).await?, 3);
        assert_eq!(&buffer[..3], b"abc");
        io::Result::Ok(())
    })
    .expect("peek");
}

fn vectored_reads_and_writes_move_all_buffers(rig: &mut Rig) {
    rig.block_on(async {
        let (client, server) = pair().await?;
        assert!(client.is_write_vectored());
        let mut writer = &client;
        let parts = [
            IoSlice::new(b"head"),
            IoSlice::new(b""),
            IoSlice::new(b"body"),
        ];
        let count =
            std::future::poll_fn(|cx| Pin::new(&mut writer).poll_write_vectored(cx, &parts))
                .await?;
        assert_eq!(count, 8);
        let (mut first, mut second) = ([0; 3], [0; 16]);
        let mut reader = &server;
        let count = std::future::poll_fn(|cx| {
            let mut parts = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
            Pin::new(&mut reader).poll_read_vectored(cx, &mut parts)
        })
        .await?;
        assert_eq!(count, 8);
        assert_eq!((&first, &second[..5]), (b"hea", &b"dbody"[..]));
        // More buffers than one system call takes.
        let many = vec![IoSlice::new(b"x"); 3_000];
        let count =
            std::future::poll_fn(|cx| Pin::new(&mut writer).poll_write_vectored(cx, &many)).await?;
        assert!((1..=3_000).contains(&count));
        io::Result::Ok(())
    })
    .expect("vectored");
}

fn reading_into_uninitialised_memory(rig: &mut Rig) {
    rig.block_on(async {
        let (mut client, server) = pair().await?;
        client.write_all(b"fresh").await?;
        let mut buffer = Box::<[u8]>::new_uninit_slice(64);
        let count = std::future::poll_fn(|cx| server.poll_read_uninit(cx, &mut buffer)).await?;
        assert_eq!(count, 5);
        // SAFETY: the first `count` bytes are initialised, says `poll_read_uninit`.
        let bytes: Vec<u8> = buffer[..count]
            .iter()
            .map(|byte| unsafe { byte.assume_init() })
            .collect();
        assert_eq!(bytes, b"fresh");
        let none: &mut [MaybeUninit<u8>] = &mut [];
        let count = std::future::poll_fn(|cx| server.poll_read_uninit(cx, none)).await?;
        assert_eq!(count, 0);
        io::Result::Ok(())
    })
    .expect("uninitialised");
}

/// Fault 38: tokio took a read into an empty buffer for the end of the stream (#8251).
fn empty_buffers_do_nothing(rig: &mut Rig) {
    rig.block_on(async {
        let (mut client, mut server) = pair().await?;
        assert_eq!(server.read(&mut []).await?, 0);
        assert_eq!(server.peek(&mut []).await?, 0);
        assert_eq!(client.write(&[]).await?, 0);
        client.write_all(&[]).await?;
        server.read_exact(&mut []).await?;
        assert_eq!(server.try_read(&mut [])?, 0);
        client.write_all(b"not the end").await?;
        let mut buffer = [0; 11];
        server.read_exact(&mut buffer).await?;
        assert_eq!(&buffer, b"not the end");
        io::Result::Ok(())
    })
    .expect("empty buffers");
}

fn try_operations_never_wait(rig: &mut Rig) {
    rig.block_on(async {
        let (client, server) = pair().await?;
        let mut buffer = [0; 16];
        let error = server.try_read(&mut buffer).expect_err("nothing is there");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(client.try_write(b"now")?, 3);
        server.readable().await?;
        assert_eq!(server.try_read(&mut buffer)?, 3);
        let mut full = 0;
        while let Ok(count) = client.try_write(&[0; 65_536]) {
            full += count;
        }
        assert!(full > 0);
        let mut sink = vec![0; full];
        let reader = async { (&server).read_exact(&mut sink).await };
        let writer = async { client.writable().await };
        join_all::<io::Result<()>>(vec![Box::pin(reader), Box::pin(writer)])
            .await
            .into_iter()
            .collect::<io::Result<()>>()
    })
    .expect("try");
}

/// Each byte is read by one of two tasks, and neither is forgotten: the second poll does not push
/// the first task's waker out.
fn two_tasks_read_one_stream(rig: &mut Rig) {
    let rounds = 50;
    let (mut client, server) = rig.pair();
    let server = std::sync::Arc::new(server);
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let server = std::sync::Arc::clone(&server);
            std::thread::spawn(move || {
                // On a thread of its own, woken by whoever turns the driver.
                Rig::Fallback.block_on(async {
                    let mut reader = &*server;
                    let mut byte = [0];
                    reader.read(&mut byte).await.expect("a byte or the end")
                })
            })
        })
        .collect();
    let mut spent = 0;
    while readers.iter().any(|reader| !reader.is_finished()) && spent < rounds * 100 {
        rig.block_on(client.write_all(b"!")).expect("written");
        if let Rig::Turned(driver) = rig {
            driver.turn(Some(Duration::from_millis(2))).expect("a turn");
        }
        std::thread::yield_now();
        spent += 1;
    }
    for reader in readers {
        assert_eq!(reader.join().expect("no panic"), 1);
    }
}

fn connecting_names_every_attempt(rig: &mut Rig) {
    // Ports that were free a moment ago.
    let closed: Vec<_> = (0..2)
        .map(|_| {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            listener.local_addr().expect("an address")
        })
        .collect();
    rig.block_on(async {
        let error = TcpStream::connect(closed[0]).await.expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(
            error.to_string().contains(&closed[0].to_string()),
            "{error}"
        );

        let error = TcpStream::connect(&closed[..]).await.expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        for address in &closed {
            assert!(error.to_string().contains(&address.to_string()), "{error}");
        }
        // The last one works.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addresses = [closed[0], closed[1], listener.local_addr().expect("bound")];
        let stream = TcpStream::connect(&addresses).await.expect("connected");
        assert_eq!(stream.peer_addr().expect("a peer"), addresses[2]);

        let error = TcpStream::connect(&[]).await.expect_err("no address");
        assert!(
            error.to_string().contains("no address was given"),
            "{error}"
        );
        let error = TcpListener::bind(listener.local_addr().expect("bound"))
            .await
            .expect_err("in use");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    });
}

fn connect_timeout_is_an_error_that_names_the_limit(rig: &mut Rig) {
    use tenter_timer::{Clock, Timers};
    let clock = Clock::virtual_from_zero();
    let timers = Timers::new(clock.clone(), std::task::Waker::noop().clone());
    let _entered = timers.enter();
    // A listener whose queue is full does not answer.
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
    socket.bind(&any.into()).expect("bound");
    socket.listen(0).expect("listens");
    let address = socket.local_addr().expect("bound").as_socket().expect("IP");
    let fillers: Vec<_> = (0..4)
        .map(|_| {
            let filler = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
                .expect("a socket");
            filler.set_nonblocking(true).expect("non-blocking");
            let _ = filler.connect(&address.into());
            filler
        })
        .collect();
    let _inside = rig.enter();
    let mut connect = Box::pin(TcpStream::connect_timeout(address, Duration::from_secs(3)));
    assert!(rig::poll_once(connect.as_mut()).is_pending());
    clock.advance_to(clock.now() + Duration::from_secs(3));
    timers.fire_due(clock.now());
    let std::task::Poll::Ready(Err(error)) = rig::poll_once(connect.as_mut()) else {
        panic!("it did not time out");
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(error.to_string().contains("3s"), "{error}");
    drop(fillers);
}

fn many_connections_at_once(rig: &mut Rig) {
    rig.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let mut futures: Vec<Pin<Box<dyn Future<Output = u32> + '_>>> = Vec::new();
        for n in 0..50_u32 {
            let listener = &listener;
            futures.push(Box::pin(async move {
                let (mut server, _) = listener.accept().await.expect("accepted");
                let mut bytes = [0; 4];
                server.read_exact(&mut bytes).await.expect("read");
                server.write_all(&bytes).await.expect("written");
                0
            }));
            futures.push(Box::pin(async move {
                let mut client = TcpStream::connect(address).await.expect("connected");
                client.write_all(&n.to_be_bytes()).await.expect("written");
                let mut bytes = [0; 4];
                client.read_exact(&mut bytes).await.expect("read");
                u32::from_be_bytes(bytes)
            }));
        }
        let sum: u32 = join_all(futures).await.into_iter().sum();
        assert_eq!(sum, (0..50).sum());
    });
}

#[test]
fn options_are_those_of_the_socket() {
    let mut rig = Rig::new(tenter_io::Backend::Best);
    let (client, server) = rig.pair();
    client.set_nodelay(true).expect("set");
    assert!(client.nodelay().expect("get"));
    client
        .set_linger(Some(Duration::from_secs(2)))
        .expect("set");
    assert_eq!(client.linger().expect("get"), Some(Duration::from_secs(2)));
    client.set_linger(None).expect("set");
    assert_eq!(client.linger().expect("get"), None);
    client.set_ttl(33).expect("set");
    assert_eq!(client.ttl().expect("get"), 33);
    assert_eq!(
        client.peer_addr().expect("peer"),
        server.local_addr().expect("local")
    );
    assert!(client.take_error().expect("get").is_none());
    assert!(format!("{client:?}").contains("TcpStream"));
    let std_stream = client.into_std();
    let _entered = rig.enter();
    TcpStream::try_from(std_stream).expect("back again");
}
