//! UDP, on every back end and on the background driver.
//!
//! That sending waits for room is tested in `unix_datagram.rs`, by the same code: over the loopback interface a
//! UDP socket is never full, because what is sent counts for its receiver at once.

mod rig;

use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::pin::{Pin, pin};
use std::task::Poll;

use rig::{Rig, join_all, poll_once};
use tenter_io::Interest;
use tenter_io::net::{AttemptErrors, DatagramBatch, UdpSocket};

on_every_backend! {
    messages_arrive_whole_and_name_their_sender,
    connected_sockets_hear_their_peer_alone,
    peeking_takes_nothing,
    an_empty_message_is_a_message,
    what_does_not_fit_is_cut_off,
    many_tasks_share_one_socket,
    poll_functions_and_tries_do_the_same,
    a_refused_message_is_an_error_of_the_next_call,
    a_receiver_that_waits_is_woken,
    a_batch_takes_what_is_there,
    many_messages_are_sent_at_once,
    a_batch_moves_about_a_thousand_at_a_time,
    an_error_behind_a_batch_is_told_by_the_next_call,
    names_are_looked_up,
    multicast_reaches_who_has_joined,
    from_the_standard_library_and_back,
}

async fn bound() -> io::Result<UdpSocket> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await
}

async fn pair() -> io::Result<(UdpSocket, UdpSocket)> {
    let (one, two) = (bound().await?, bound().await?);
    one.connect(two.local_addr()?).await?;
    two.connect(one.local_addr()?).await?;
    Ok((one, two))
}

fn messages_arrive_whole_and_name_their_sender(rig: &mut Rig) {
    rig.block_on(async {
        let (one, two) = (bound().await?, bound().await?);
        let mut buffer = [0; 64];
        for message in [&b"first"[..], b"second", b"third"] {
            assert_eq!(
                one.send_to(message, two.local_addr()?).await?,
                message.len()
            );
        }
        for message in [&b"first"[..], b"second", b"third"] {
            let (count, from) = two.recv_from(&mut buffer).await?;
            assert_eq!((&buffer[..count], from), (message, one.local_addr()?));
        }
        io::Result::Ok(())
    })
    .expect("messages");
}

fn connected_sockets_hear_their_peer_alone(rig: &mut Rig) {
    rig.block_on(async {
        let (one, two) = pair().await?;
        assert_eq!(one.peer_addr()?, two.local_addr()?);
        let stranger = bound().await?;
        stranger.send_to(b"psst", two.local_addr()?).await?;
        one.send(b"hello").await?;
        let mut buffer = [0; 64];
        let count = two.recv(&mut buffer).await?;
        assert_eq!(&buffer[..count], b"hello");
        let error = stranger.peer_addr().expect_err("it has no peer");
        assert_eq!(error.kind(), io::ErrorKind::NotConnected);
        io::Result::Ok(())
    })
    .expect("connected");
}

fn peeking_takes_nothing(rig: &mut Rig) {
    rig.block_on(async {
        let (one, two) = pair().await?;
        one.send(b"here").await?;
        let mut buffer = [0; 64];
        assert_eq!(two.peek(&mut buffer).await?, 4);
        let (count, from) = two.peek_from(&mut buffer).await?;
        assert_eq!((count, from), (4, one.local_addr()?));
        assert_eq!(poll_fn(|cx| two.poll_peek(cx, &mut buffer)).await?, 4);
        let (count, _) = poll_fn(|cx| two.poll_peek_from(cx, &mut buffer)).await?;
        assert_eq!(count, 4);
        assert_eq!(two.recv(&mut buffer).await?, 4);
        assert!(poll_once(pin!(two.recv(&mut buffer))).is_pending());
        io::Result::Ok(())
    })
    .expect("peek");
}

/// Fault 38, as it is for datagrams.
fn an_empty_message_is_a_message(rig: &mut Rig) {
    rig.block_on(async {
        let (one, two) = pair().await?;
        assert_eq!(one.send(b"").await?, 0);
        assert_eq!(one.try_send(b"x")?, 1);
        let mut buffer = [0; 8];
        assert_eq!(two.recv(&mut buffer).await?, 0);
        assert_eq!(two.recv(&mut buffer).await?, 1);
        io::Result::Ok(())
    })
    .expect("empty");
}

fn what_does_not_fit_is_cut_off(rig: &mut Rig) {
    rig.block_on(async {
        let (one, two) = pair().await?;
        one.send(b"too long").await?;
        one.send(b"next").await?;
        let mut buffer = [0; 3];
        assert_eq!(two.recv(&mut buffer).await?, 3);
        assert_eq!(&buffer, b"too");
        let mut buffer = [0; 8];
        assert_eq!(two.recv(&mut buffer).await?, 4);
        // One that is too long for any packet is refused, and the next is not.
        let error = one.send(&[0; 70_000]).await.expect_err("too long");
        assert!(error.raw_os_error().is_some(), "{error}");
        one.send(b"fits").await?;
        assert_eq!(two.recv(&mut buffer).await?, 4);
        io::Result::Ok(())
    })
    .expect("cut");
}

fn many_tasks_share_one_socket(rig: &mut Rig) {
    rig.block_on(async {
        let (one, two) = pair().await.expect("a pair");
        let mut futures: Vec<Pin<Box<dyn Future<Output = u64> + '_>>> = Vec::new();
        for _ in 0..20 {
            futures.push(Box::pin(async {
                let mut buffer = [0; 8];
                assert_eq!(two.recv(&mut buffer).await.expect("received"), 8);
                u64::from_be_bytes(buffer)
            }));
        }
        for number in 0..20_u64 {
            let one = &one;
            futures.push(Box::pin(async move {
                one.send(&number.to_be_bytes()).await.expect("sent");
                0
            }));
        }
        let sum: u64 = join_all(futures).await.into_iter().sum();
        assert_eq!(sum, (0..20).sum());
    });
}

fn poll_functions_and_tries_do_the_same(rig: &mut Rig) {
    rig.block_on(async {
        let (one, two) = pair().await?;
        let free = bound().await?;
        let mut buffer = [0; 8];
        let error = two.try_recv(&mut buffer).expect_err("nothing is there");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        poll_fn(|cx| one.poll_writable(cx)).await?;
        assert_eq!(poll_fn(|cx| one.poll_send(cx, b"a")).await?, 1);
        poll_fn(|cx| two.poll_readable(cx)).await?;
        assert_eq!(poll_fn(|cx| two.poll_recv(cx, &mut buffer)).await?, 1);
        let to = free.local_addr()?;
        let from = bound().await?;
        assert_eq!(poll_fn(|cx| from.poll_send_to(cx, b"bc", to)).await?, 2);
        let (count, sender) = poll_fn(|cx| free.poll_recv_from(cx, &mut buffer)).await?;
        assert_eq!((count, sender), (2, from.local_addr()?));
        assert_eq!(from.try_send_to(b"def", to)?, 3);
        free.readable().await?;
        assert_eq!(free.try_recv_from(&mut buffer)?.0, 3);
        free.writable().await?;
        let cloned = free.try_io(Interest::WRITABLE, || Ok(7))?;
        assert_eq!(cloned, 7);
        assert!(free.take_error()?.is_none());
        io::Result::Ok(())
    })
    .expect("poll");
}

fn a_refused_message_is_an_error_of_the_next_call(rig: &mut Rig) {
    rig.block_on(async {
        let one = bound().await?;
        // A port that was free a moment ago.
        let nobody = bound().await?.local_addr()?;
        one.connect(nobody).await?;
        one.send(b"anybody?").await?;
        let mut buffer = [0; 8];
        let error = one.recv(&mut buffer).await.expect_err("nobody");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        // The socket is well.
        assert!(poll_once(pin!(one.recv(&mut buffer))).is_pending());
        io::Result::Ok(())
    })
    .expect("refused");
}

fn a_receiver_that_waits_is_woken(rig: &mut Rig) {
    rig.block_on(async {
        let (one, two) = pair().await.expect("a pair");
        let mut buffer = [0; 8];
        for round in 0..100_u8 {
            let mut recv = pin!(two.recv(&mut buffer));
            assert!(poll_once(recv.as_mut()).is_pending());
            one.send(&[round]).await.expect("sent");
            assert_eq!(recv.await.expect("received"), 1);
        }
    });
}

fn a_batch_takes_what_is_there(rig: &mut Rig) {
    rig.block_on(async {
        let (one, two) = pair().await?;
        let mut batch = DatagramBatch::new(4, 8);
        assert_eq!((batch.capacity(), batch.len()), (4, 0));
        assert!(poll_once(pin!(two.recv_many(&mut batch))).is_pending());
        for number in 0..6_u8 {
            one.send(&vec![number; usize::from(number)]).await?;
        }
        let mut received = Vec::new();
        while received.len() < 6 {
            let count = two.recv_many(&mut batch).await?;
            assert!((1..=4).contains(&count));
            assert_eq!(batch.iter().len(), count);
            for (message, from) in batch.iter() {
                assert_eq!(from, one.local_addr()?);
                received.push(message.to_vec());
            }
        }
        let expected: Vec<_> = (0..6_u8).map(|n| vec![n; usize::from(n)]).collect();
        assert_eq!(received, expected);
        assert!(poll_once(pin!(two.recv_many(&mut batch))).is_pending());
        assert!(batch.is_empty() && format!("{batch:?}").contains("capacity: 4"));
        io::Result::Ok(())
    })
    .expect("a batch");
}

fn many_messages_are_sent_at_once(rig: &mut Rig) {
    rig.block_on(async {
        let (one, two) = pair().await?;
        let bodies: Vec<[u8; 2]> = (0..100_u16).map(u16::to_be_bytes).collect();
        let messages: Vec<&[u8]> = bodies.iter().map(|body| &body[..]).collect();
        assert_eq!(one.send_many(&[]).await?, 0);
        let mut batch = DatagramBatch::new(64, 16);
        let (mut sent, mut received) = (0, Vec::new());
        while sent < messages.len() {
            // More than one system call takes.
            sent += one.send_many(&messages[sent..]).await?;
            while received.len() < sent {
                two.recv_many(&mut batch).await?;
                received.extend(batch.iter().map(|(message, _)| message.to_vec()));
            }
        }
        assert_eq!(received, messages);
        // To two sockets in turns.
        let (three, four) = (bound().await?, bound().await?);
        let to = [three.local_addr()?, four.local_addr()?];
        let addressed: Vec<(&[u8], SocketAddr)> = (0..10)
            .map(|index| (messages[index], to[index % 2]))
            .collect();
        let sender = bound().await?;
        let mut sent = 0;
        while sent < addressed.len() {
            sent += sender.send_many_to(&addressed[sent..]).await?;
        }
        let mut buffer = [0; 16];
        for index in 0..10 {
            let receiver = [&three, &four][index % 2];
            let (count, from) = receiver.recv_from(&mut buffer).await?;
            assert_eq!(&buffer[..count], messages[index]);
            assert_eq!(from, sender.local_addr()?);
        }
        io::Result::Ok(())
    })
    .expect("many");
}

/// However much there is, other tasks have their turn.
fn a_batch_moves_about_a_thousand_at_a_time(rig: &mut Rig) {
    rig.block_on(async {
        let (one, two) = pair().await?;
        let messages = vec![&b"x"[..]; 20_000];
        assert!(one.send_many(&messages).await? <= 1024);
        let addressed = vec![(&b"x"[..], two.local_addr()?); 20_000];
        let sender = bound().await?;
        assert!(sender.send_many_to(&addressed).await? <= 1024);
        // A receiver that has room for more messages than that.
        let receiver = bound().await?;
        receiver.set_recv_buffer_size(8 << 20)?;
        let addressed = vec![(&b"x"[..], receiver.local_addr()?); 1024];
        for _ in 0..2 {
            sender.send_many_to(&addressed).await?;
        }
        let mut batch = DatagramBatch::new(20_000, 1);
        assert!(receiver.recv_many(&mut batch).await? <= 1024);
        io::Result::Ok(())
    })
    .expect("many");
}

fn an_error_behind_a_batch_is_told_by_the_next_call(rig: &mut Rig) {
    rig.block_on(async {
        let (one, two) = pair().await?;
        let nobody = bound().await?.local_addr()?;
        // A message, and behind it the refusal of one that was sent.
        one.send(b"here").await?;
        two.readable().await?;
        two.connect(nobody).await?;
        two.send(b"anybody?").await?;
        let mut batch = DatagramBatch::new(4, 8);
        let mut outcomes = (0, 0);
        while outcomes != (1, 1) {
            match two.recv_many(&mut batch).await {
                Ok(count) => {
                    outcomes.0 += count;
                    assert_eq!(
                        batch.iter().next().map(|(message, _)| message),
                        Some(&b"here"[..])
                    );
                }
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
                    assert!(batch.is_empty());
                    outcomes.1 += 1;
                }
            }
        }
        assert!(poll_once(pin!(two.recv_many(&mut batch))).is_pending());
        io::Result::Ok(())
    })
    .expect("both");
}

fn names_are_looked_up(rig: &mut Rig) {
    rig.block_on(async {
        let one = UdpSocket::bind("localhost:0").await?;
        let two = UdpSocket::bind((one.local_addr()?.ip(), 0)).await?;
        let port = two.local_addr()?.port();
        one.send_to(b"by name", ("localhost", port)).await?;
        let mut buffer = [0; 16];
        assert_eq!(two.recv(&mut buffer).await?, 7);
        one.connect(two.local_addr()?).await?;
        let error = one.connect("no address").await.expect_err("no port");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        // The socket's family is chosen, wherever it stands.
        let v4 = bound().await?;
        let to = [
            SocketAddr::from((Ipv6Addr::LOCALHOST, 9)),
            two.local_addr()?,
        ];
        if two.local_addr()?.is_ipv4() {
            v4.send_to(b"here", &to).await?;
            assert_eq!(two.recv(&mut buffer).await?, 4);
        }
        let error = UdpSocket::bind(two.local_addr()?).await.expect_err("taken");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let inside = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<AttemptErrors>());
        assert_eq!(inside.expect("the attempts").attempts().len(), 1);
        let error = v4.send_to(b"", &[]).await.expect_err("no address");
        assert!(
            error.to_string().contains("no address was given"),
            "{error}"
        );
        io::Result::Ok(())
    })
    .expect("names");
}

fn multicast_reaches_who_has_joined(rig: &mut Rig) {
    rig.block_on(async {
        let group = Ipv4Addr::new(239, 255, 77, 13);
        let receiver = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        let port = receiver.local_addr()?.port();
        receiver.join_multicast_v4(group, Ipv4Addr::LOCALHOST)?;
        let sender = bound().await?;
        sender.set_multicast_if_v4(Ipv4Addr::LOCALHOST)?;
        assert_eq!(sender.multicast_if_v4()?, Ipv4Addr::LOCALHOST);
        sender.set_multicast_loop_v4(true)?;
        sender.set_multicast_ttl_v4(0)?;
        sender.send_to(b"all", (group, port)).await?;
        let mut buffer = [0; 16];
        let (count, from) = receiver.recv_from(&mut buffer).await?;
        assert_eq!(
            (&buffer[..count], from),
            (&b"all"[..], sender.local_addr()?)
        );
        receiver.leave_multicast_v4(group, Ipv4Addr::LOCALHOST)?;
        let error = receiver
            .leave_multicast_v4(group, Ipv4Addr::LOCALHOST)
            .expect_err("it has left");
        assert!(error.raw_os_error().is_some(), "{error}");
        io::Result::Ok(())
    })
    .expect("multicast");
}

fn from_the_standard_library_and_back(rig: &mut Rig) {
    let _inside = rig.enter();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("bound");
    let socket = UdpSocket::try_from(socket).expect("taken over");
    assert!(format!("{socket:?}").contains("UdpSocket"));
    let socket = UdpSocket::try_from(OwnedFd::from(socket)).expect("by its descriptor");
    assert_eq!(socket.local_addr().expect("bound"), address);
    let socket = std::net::UdpSocket::from(socket);
    let error = socket.recv(&mut [0]).expect_err("it stays non-blocking");
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    UdpSocket::try_from(OwnedFd::from(tcp)).expect_err("TCP");
}

#[test]
fn options_are_those_of_the_socket() {
    let mut rig = Rig::new(tenter_io::Backend::Best);
    rig.block_on(async {
        let socket = bound().await?;
        assert!(!socket.broadcast()?);
        let to = (Ipv4Addr::BROADCAST, 9);
        let error = socket.send_to(b"", to).await.expect_err("not allowed yet");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        socket.set_broadcast(true)?;
        assert!(socket.broadcast()?);
        socket.set_ttl(12)?;
        assert_eq!(socket.ttl()?, 12);
        socket.set_tos(0x08)?;
        assert_eq!(socket.tos()?, 0x08);
        socket.set_multicast_ttl_v4(3)?;
        assert_eq!(socket.multicast_ttl_v4()?, 3);
        socket.set_multicast_loop_v4(false)?;
        assert!(!socket.multicast_loop_v4()?);
        assert!(socket.send_buffer_size()? > 0 && socket.recv_buffer_size()? > 0);
        let Ok(socket) = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).await else {
            return Ok(());
        };
        socket.set_ttl(13)?;
        assert_eq!(socket.ttl()?, 13);
        socket.set_multicast_loop_v6(false)?;
        assert!(!socket.multicast_loop_v6()?);
        socket.set_multicast_hops_v6(4)?;
        assert_eq!(socket.multicast_hops_v6()?, 4);
        let group = Ipv6Addr::new(0xff01, 0, 0, 0, 0, 0, 0, 0x77);
        socket.set_multicast_if_v6(0)?;
        assert_eq!(socket.multicast_if_v6()?, 0);
        if socket.join_multicast_v6(group, 1).is_ok() {
            socket.leave_multicast_v6(group, 1)?;
        }
        io::Result::Ok(())
    })
    .expect("options");
}

#[test]
fn a_batch_without_room_is_refused() {
    std::panic::catch_unwind(|| DatagramBatch::new(0, 8)).expect_err("no room");
    let batch = DatagramBatch::new(1, 0);
    assert_eq!(batch.iter().count(), 0);
}

/// The first poll sends what there is room for: nothing is allocated, nothing waits.
#[test]
fn sending_to_an_address_takes_one_poll() {
    let mut rig = Rig::new(tenter_io::Backend::Best);
    let socket = rig.block_on(bound()).expect("bound");
    let _inside = rig.enter();
    let to = socket.local_addr().expect("bound");
    let sent = poll_once(pin!(socket.send_to(b"me", to)));
    assert!(matches!(sent, Poll::Ready(Ok(2))));
}
