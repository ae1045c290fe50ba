//! `TcpSocket`, and the options of sockets.

mod rig;

use std::io;
use std::net::{SocketAddr, UdpSocket as StdUdp};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use rig::Rig;
use tenter_io::net::{Keepalive, TcpListener, TcpSocket, TcpStream};
use tenter_io::{AsyncReadExt, AsyncWriteExt};

on_every_backend! {
    a_socket_listens_and_another_connects_to_it,
    options_set_before_are_those_of_the_connection,
    several_sockets_share_a_port,
    descriptors_go_in_and_out,
}

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

fn a_socket_listens_and_another_connects_to_it(rig: &mut Rig) {
    rig.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuse_address(true)?;
        socket.bind(any())?;
        let address = socket.local_addr()?;
        let listener = socket.listen(16)?;
        assert_eq!(listener.local_addr()?, address);
        let mut client = TcpSocket::new_for(address)?.connect(address).await?;
        let (mut server, peer) = listener.accept().await?;
        assert_eq!(peer, client.local_addr()?);
        client.write_all(b"hello").await?;
        let mut buffer = [0; 5];
        server.read_exact(&mut buffer).await?;
        assert_eq!(&buffer, b"hello");
        io::Result::Ok(())
    })
    .expect("a connection");
}

fn options_set_before_are_those_of_the_connection(rig: &mut Rig) {
    rig.block_on(async {
        let listener = TcpListener::bind(any()).await?;
        let socket = TcpSocket::new_v4()?;
        let keepalive = Keepalive::new()
            .idle(Duration::from_secs(60))
            .interval(Duration::from_secs(7))
            .count(3);
        socket.set_keepalive(Some(keepalive))?;
        socket.set_nodelay(true)?;
        socket.set_linger(Some(Duration::from_secs(4)))?;
        socket.set_ttl(44)?;
        let stream = socket.connect(listener.local_addr()?).await?;
        assert_eq!(stream.keepalive()?, Some(keepalive));
        assert!(stream.nodelay()?);
        assert_eq!(stream.linger()?, Some(Duration::from_secs(4)));
        assert_eq!(stream.ttl()?, 44);
        stream.set_keepalive(None)?;
        assert_eq!(stream.keepalive()?, None);
        stream.set_linger(None)?;
        io::Result::Ok(())
    })
    .expect("options");
}

fn several_sockets_share_a_port(rig: &mut Rig) {
    rig.block_on(async {
        let listen = |address| {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuse_port(true)?;
            socket.bind(address)?;
            socket.listen(64)
        };
        let first = listen(any())?;
        let address = first.local_addr()?;
        let second = listen(address)?;
        // Who has not said that it shares gets nothing.
        let lonely = TcpSocket::new_v4()?;
        let error = lonely.bind(address).expect_err("it is taken");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        // Each connection goes to one of the two, and both get some: the system hashes the ports.
        let mut clients = Vec::new();
        let mut taken = [0, 0];
        while taken.contains(&0) {
            clients.push(TcpStream::connect(address).await?);
            assert!(
                clients.len() < 1_000,
                "one of the two gets nothing: {taken:?}"
            );
            let mut accepts = [first.accept(), second.accept()];
            let (index, accepted) = std::future::poll_fn(|cx| {
                for (index, accept) in accepts.iter_mut().enumerate() {
                    if let Poll::Ready(accepted) = Pin::new(accept).poll(cx) {
                        return Poll::Ready((index, accepted));
                    }
                }
                Poll::Pending
            })
            .await;
            accepted?;
            taken[index] += 1;
        }
        io::Result::Ok(())
    })
    .expect("shared");
}

fn descriptors_go_in_and_out(rig: &mut Rig) {
    let _inside = rig.enter();
    let socket = TcpSocket::new_v4().expect("a socket");
    assert_eq!(socket.as_fd().as_raw_fd(), socket.as_raw_fd());
    let fd = OwnedFd::from(socket);
    let socket = TcpSocket::try_from(fd).expect("back");
    socket.bind(any()).expect("bound");
    let listener = socket.listen(4).expect("listens");
    let listener = TcpListener::try_from(OwnedFd::from(listener)).expect("back");
    let address = listener.local_addr().expect("bound");
    let stream = rig
        .block_on(TcpStream::connect(address))
        .expect("connected");
    let stream = TcpStream::try_from(OwnedFd::from(stream)).expect("back");
    assert_eq!(stream.peer_addr().expect("a peer"), address);
    // Another kind of socket is refused, and so is what is no socket.
    let udp = OwnedFd::from(StdUdp::bind(any()).expect("a port"));
    let number = udp.as_raw_fd();
    let error = TcpStream::try_from(udp).expect_err("UDP");
    assert!(
        error
            .to_string()
            .contains(&format!("file descriptor {number} is no socket")),
        "{error}"
    );
    let (unix, _other) = std::os::unix::net::UnixStream::pair().expect("a pair");
    TcpStream::try_from(OwnedFd::from(unix)).expect_err("another family");
    let file = std::fs::File::open("/dev/null").expect("a file");
    TcpSocket::try_from(OwnedFd::from(file)).expect_err("a file");
}

#[test]
fn options_are_those_of_the_socket() {
    for socket in [TcpSocket::new_v4(), TcpSocket::new_v6()] {
        // A machine without IPv6 has nothing to set.
        let Ok(socket) = socket else { continue };
        socket.set_reuse_address(true).expect("set");
        assert!(socket.reuse_address().expect("get"));
        socket.set_reuse_port(true).expect("set");
        assert!(socket.reuse_port().expect("get"));
        socket.set_nodelay(true).expect("set");
        assert!(socket.nodelay().expect("get"));
        socket.set_send_buffer_size(20_000).expect("set");
        assert!(socket.send_buffer_size().expect("get") >= 20_000);
        socket.set_recv_buffer_size(30_000).expect("set");
        assert!(socket.recv_buffer_size().expect("get") >= 30_000);
        socket
            .set_linger(Some(Duration::from_secs(3)))
            .expect("set");
        assert_eq!(socket.linger().expect("get"), Some(Duration::from_secs(3)));
        // A part of a second must not turn into none, which is a reset.
        for (asked, set) in [
            (Duration::from_millis(1), Duration::from_secs(1)),
            (Duration::from_millis(2_500), Duration::from_secs(3)),
            (
                Duration::from_secs(1 << 32),
                Duration::from_secs(i32::MAX as u64),
            ),
            (Duration::MAX, Duration::from_secs(i32::MAX as u64)),
        ] {
            socket.set_linger(Some(asked)).expect("set");
            assert_eq!(socket.linger().expect("get"), Some(set));
        }
        socket.set_ttl(55).expect("set");
        assert_eq!(socket.ttl().expect("get"), 55);
        socket.set_tos(0x10).expect("set");
        assert_eq!(socket.tos().expect("get"), 0x10);
        assert_eq!(socket.keepalive().expect("get"), None);
        socket.set_keepalive(Some(Keepalive::new())).expect("set");
        assert!(socket.keepalive().expect("get").is_some());
        assert!(socket.take_error().expect("get").is_none());
        assert!(format!("{socket:?}").contains("TcpSocket"));
    }
}

#[test]
fn only_v6_is_a_matter_of_ipv6() {
    if let Ok(socket) = TcpSocket::new_v6() {
        for only in [true, false] {
            socket.set_only_v6(only).expect("set");
            assert_eq!(socket.only_v6().expect("get"), only);
        }
    }
}

#[test]
fn what_the_system_does_not_take_is_explained() {
    let socket = TcpSocket::new_v4().expect("a socket");
    let keepalive = Keepalive::new().idle(Duration::ZERO);
    let error = socket.set_keepalive(Some(keepalive)).expect_err("no time");
    assert!(error.to_string().contains("at least a second"), "{error}");
    let error = socket
        .bind("192.0.2.1:1".parse().expect("an address"))
        .expect_err("not of this machine");
    assert!(error.to_string().contains("192.0.2.1:1"), "{error}");
    assert!(!format!("{:?}", socket.local_addr()).contains("192.0.2.1"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_socket_is_bound_to_an_interface() {
    let socket = TcpSocket::new_v4().expect("a socket");
    let error = socket
        .bind_device(Some(b"no-such-device"))
        .expect_err("no such interface");
    assert!(error.to_string().contains("`no-such-device`"), "{error}");
    match socket.bind_device(Some(b"lo")) {
        Ok(()) => assert_eq!(socket.device().expect("get"), Some(b"lo".to_vec())),
        // Older systems ask for a privilege.
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::PermissionDenied),
    }
}
