//! Messages: each comes once and whole, or was not sent.

use std::net;
use std::os::fd::AsFd;
use std::os::unix::net as unix;

use rustix::net::sockopt;
use tenter::net::{DatagramBatch, UdpSocket, UnixDatagram};
use tenter_tests::support::poll_once;

use crate::harness::{Case, case};
use crate::reads::part;
use crate::streams::SocketName;

pub fn cases() -> Vec<Case> {
    let mut cases = receiving();
    cases.extend(sending());
    cases.extend(unix_sending());
    cases
}

/// A socket of tenter's, and one of the standard library that sends to it.
struct Pair {
    near: UdpSocket,
    far: net::UdpSocket,
    sent: Vec<Vec<u8>>,
}

impl Pair {
    fn new() -> Self {
        let near = net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        let far = net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        far.connect(near.local_addr().expect("it is bound"))
            .expect("a peer");
        near.connect(far.local_addr().expect("it is bound"))
            .expect("a peer");
        let near = UdpSocket::from_std(near).expect("a socket");
        let sent = Vec::new();
        Self { near, far, sent }
    }

    /// All that was sent is among the `seen`, or comes now.
    async fn all_came(mut self, mut seen: Vec<Vec<u8>>) {
        send(&self.far, &mut self.sent, 20);
        let mut buffer = [0; 16];
        while seen.len() < self.sent.len() {
            let count = self.near.recv(&mut buffer).await.expect("there is one");
            seen.push(buffer[..count].to_vec());
        }
        assert_eq!(seen, self.sent);
    }

    /// What comes at the other end.
    fn came(&self) -> Vec<Vec<u8>> {
        self.far.set_nonblocking(true).expect("a socket");
        let mut buffer = [0; 16];
        let mut came = Vec::new();
        while let Ok(count) = self.far.recv(&mut buffer) {
            came.push(buffer[..count].to_vec());
        }
        came
    }
}

fn send(far: &net::UdpSocket, sent: &mut Vec<Vec<u8>>, number: usize) {
    far.send(&part(number)).expect("there is room");
    sent.push(part(number).to_vec());
}

fn receiving() -> Vec<Case> {
    vec![
        case("net::datagram::DatagramSocket::recv", 1, |cut| async move {
            let (mut pair, mut buffer) = (Pair::new(), [0; 16]);
            let recv = pair.near.recv(&mut buffer);
            let push = |n| send(&pair.far, &mut pair.sent, n);
            let count = cut.pushed(recv, push).await.map(|count| count.unwrap());
            pair.all_came(
                count
                    .map(|count| buffer[..count].to_vec())
                    .into_iter()
                    .collect(),
            )
            .await;
        }),
        case(
            "net::datagram::DatagramSocket::recv_from",
            1,
            |cut| async move {
                let (mut pair, mut buffer) = (Pair::new(), [0; 16]);
                let recv = pair.near.recv_from(&mut buffer);
                let push = |n| send(&pair.far, &mut pair.sent, n);
                let count = cut.pushed(recv, push).await.map(|got| got.unwrap().0);
                pair.all_came(
                    count
                        .map(|count| buffer[..count].to_vec())
                        .into_iter()
                        .collect(),
                )
                .await;
            },
        ),
        case(
            "net::datagram::DatagramSocket::peek net::datagram::DatagramSocket::peek_from",
            1,
            |cut| async move {
                let (mut pair, mut buffer) = (Pair::new(), [0; 16]);
                let peek = pair.near.peek(&mut buffer);
                let push = |n| send(&pair.far, &mut pair.sent, n);
                cut.pushed(peek, push).await.transpose().unwrap();
                pair.all_came(Vec::new()).await;
                let mut pair = Pair::new();
                let peek = pair.near.peek_from(&mut buffer);
                let push = |n| send(&pair.far, &mut pair.sent, n);
                cut.pushed(peek, push).await.transpose().unwrap();
                pair.all_came(Vec::new()).await;
            },
        ),
        case(
            "net::datagram::DatagramSocket::readable",
            1,
            |cut| async move {
                let mut pair = Pair::new();
                // A new source may always be ready.
                while poll_once(&mut pair.near.readable()).is_ready() {
                    pair.near.try_recv(&mut [0]).unwrap_err();
                }
                let readable = pair.near.readable();
                let push = |n| send(&pair.far, &mut pair.sent, n);
                cut.pushed(readable, push).await.transpose().unwrap();
                pair.all_came(Vec::new()).await;
            },
        ),
        case(
            "net::udp_batch::DatagramSocket::recv_many",
            1,
            |cut| async move {
                let (mut pair, mut batch) = (Pair::new(), DatagramBatch::new(4, 16));
                let recv = pair.near.recv_many(&mut batch);
                let push = |n| {
                    send(&pair.far, &mut pair.sent, n);
                    send(&pair.far, &mut pair.sent, n + 1);
                };
                cut.pushed(recv, push).await.transpose().unwrap();
                let came = batch.iter().map(|(bytes, _)| bytes.to_vec()).collect();
                pair.all_came(came).await;
            },
        ),
    ]
}

/// UDP has always room: the receiver drops what is too much.
fn sending() -> Vec<Case> {
    vec![
        case("net::datagram::DatagramSocket::send", 1, |cut| async move {
            let pair = Pair::new();
            let sent = cut.of(pair.near.send(b"one")).await.transpose().unwrap();
            assert_eq!(pair.came().len(), usize::from(sent.is_some()));
        })
        .out_of_budget(),
        // With a name to look up.
        case("net::udp::DatagramSocket::send_to", 1, |cut| async move {
            let pair = Pair::new();
            let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let other = net::UdpSocket::bind("127.0.0.1:0").unwrap();
            other.set_nonblocking(true).unwrap();
            let to = format!("localhost:{}", other.local_addr().unwrap().port());
            let sent = cut.of(near.send_to(b"one", to)).await.transpose().unwrap();
            assert_eq!(other.recv(&mut [0; 16]).is_ok(), sent.is_some());
            drop(pair);
        })
        .with_threads(),
        case("net::udp::DatagramSocket::connect", 1, |cut| async move {
            let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let other = net::UdpSocket::bind("127.0.0.1:0").unwrap();
            let to = format!("localhost:{}", other.local_addr().unwrap().port());
            let connected = cut.of(near.connect(to)).await.transpose().unwrap();
            assert_eq!(near.peer_addr().is_ok(), connected.is_some());
        })
        .with_threads(),
        case("net::udp::DatagramSocket::bind", 1, |cut| async move {
            let port = {
                let socket = net::UdpSocket::bind("127.0.0.1:0").unwrap();
                socket.local_addr().unwrap().port()
            };
            let bound = cut.of(UdpSocket::bind(format!("localhost:{port}"))).await;
            drop(bound.transpose().unwrap());
            net::UdpSocket::bind(("127.0.0.1", port)).unwrap();
        })
        .with_threads(),
        case(
            "net::udp_batch::DatagramSocket::send_many",
            1,
            |cut| async move {
                let pair = Pair::new();
                let messages: [&[u8]; 3] = [b"one", b"two", b"three"];
                let sent = cut.of(pair.near.send_many(&messages)).await;
                let sent = sent.map_or(0, |count| count.unwrap());
                assert_eq!(pair.came(), messages[..sent]);
            },
        )
        .out_of_budget(),
        case(
            "net::udp_batch::DatagramSocket::send_many_to",
            1,
            |cut| async move {
                let pair = Pair::new();
                let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                let other = net::UdpSocket::bind("127.0.0.1:0").unwrap();
                other.set_nonblocking(true).unwrap();
                let to = other.local_addr().unwrap();
                let messages: [(&[u8], _); 2] = [(b"one", to), (b"two", to)];
                let sent = cut.of(near.send_many_to(&messages)).await;
                let sent = sent.map_or(0, |count| count.unwrap());
                let mut came = 0;
                while other.recv(&mut [0; 16]).is_ok() {
                    came += 1;
                }
                assert_eq!(came, sent);
                drop(pair);
            },
        )
        .out_of_budget(),
    ]
}

/// A socket that has sent as much as its peer takes, and how many messages that was.
fn full() -> (UnixDatagram, unix::UnixDatagram, usize) {
    let (near, far) = unix::UnixDatagram::pair().expect("two sockets");
    sockopt::set_socket_send_buffer_size(near.as_fd(), 1).expect("a size");
    far.set_nonblocking(true).expect("a socket");
    let near = UnixDatagram::from_std(near).expect("a socket");
    let mut count = 0;
    while near.try_send(&[b'-'; 512]).is_ok() {
        count += 1;
    }
    (near, far, count)
}

/// Takes all messages that are there, and counts them.
fn drain(far: &unix::UnixDatagram) -> usize {
    let mut count = 0;
    while far.recv(&mut [0; 512]).is_ok() {
        count += 1;
    }
    count
}

fn unix_sending() -> Vec<Case> {
    vec![
        case(
            "net::datagram::DatagramSocket::writable",
            1,
            |cut| async move {
                let (near, far, mut came) = full();
                cut.pushed(near.writable(), |_| came += drain(&far)).await;
                drain(&far);
                near.writable().await.unwrap();
                assert_eq!(near.try_send(b"one").unwrap(), 3);
            },
        ),
        case("net::datagram::DatagramSocket::send", 1, |cut| async move {
            let (near, far, count) = full();
            let mut came = 0;
            let sent = cut.pushed(near.send(b"one"), |_| came += drain(&far)).await;
            let sent = usize::from(sent.transpose().unwrap().is_some());
            assert_eq!(came + drain(&far), count + sent);
        }),
        case(
            "net::unix_datagram::DatagramSocket::send_to",
            1,
            |cut| async move {
                let name = SocketName::new();
                let far = unix::UnixDatagram::bind(&name.0).unwrap();
                far.set_nonblocking(true).unwrap();
                let near = unix::UnixDatagram::unbound().unwrap();
                sockopt::set_socket_send_buffer_size(near.as_fd(), 1).unwrap();
                near.set_nonblocking(true).unwrap();
                let mut count = 0;
                while near.send_to(&[b'-'; 512], &name.0).is_ok() {
                    count += 1;
                }
                let near = UnixDatagram::from_std(near).unwrap();
                let mut came = 0;
                let sent = cut
                    .pushed(near.send_to(b"one", &name.0), |_| came += drain(&far))
                    .await;
                let sent = usize::from(sent.transpose().unwrap().is_some());
                assert_eq!(came + drain(&far), count + sent);
            },
        ),
    ]
}
