//! Connections: one that was made is somebody's, one that was given up is closed.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net;
use std::os::fd::AsFd;
use std::os::unix::net as unix;
use std::time::Duration;

use rustix::net::sockopt;
use tenter::io::{Async, AsyncReadExt, AsyncWriteExt, Interest};
use tenter::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream, lookup_host};
use tenter_tests::support::poll_once;

use crate::harness::{Case, case};
use crate::reads::{Far, part};

/// On a virtual clock, any other time passes while a thread or the system is awaited.
const EVER: Duration = Duration::MAX;

pub fn cases() -> Vec<Case> {
    let mut cases = connecting();
    cases.extend(binding());
    cases.extend(accepting());
    cases.extend(reading());
    cases.extend(writing());
    cases
}

/// A listener of the standard library, and whether a fresh connection to it works.
struct Wall(net::TcpListener);

impl Wall {
    fn new() -> Self {
        Self(net::TcpListener::bind("127.0.0.1:0").expect("a port"))
    }

    fn address(&self) -> net::SocketAddr {
        self.0.local_addr().expect("it is bound")
    }

    /// By name, so that there is a lookup to wait for.
    fn name(&self) -> String {
        format!("localhost:{}", self.address().port())
    }

    /// The connection works, or there is none; and another does.
    async fn answers(&self, connected: Option<std::io::Result<TcpStream>>) {
        let fresh = TcpStream::connect(self.address()).await;
        for stream in connected.into_iter().chain([fresh]) {
            let mut stream = stream.expect("there is a listener");
            let ours = stream.local_addr().expect("it is connected");
            let mut theirs = loop {
                let (theirs, from) = self.0.accept().expect("it is there");
                if from == ours {
                    break theirs;
                }
            };
            theirs.write_all(b"!").expect("there is room");
            stream.read_exact(&mut [0]).await.expect("it was sent");
        }
    }
}

fn connecting() -> Vec<Case> {
    vec![
        case("net::tcp::StreamSocket::connect", 1, |cut| async move {
            let wall = Wall::new();
            let connected = cut.of(TcpStream::connect(wall.name())).await;
            wall.answers(connected).await;
        })
        .with_threads(),
        case(
            "net::tcp::StreamSocket::connect_timeout",
            1,
            |cut| async move {
                let wall = Wall::new();
                let connect = TcpStream::connect_timeout(wall.name(), EVER);
                let connected = cut.of(connect).await;
                wall.answers(connected).await;
            },
        )
        .with_threads(),
        case("net::socket::TcpSocket::connect", 1, |cut| async move {
            let wall = Wall::new();
            let socket = TcpSocket::new_v4().unwrap();
            let connected = cut.of(socket.connect(wall.address())).await;
            wall.answers(connected).await;
        })
        .out_of_budget(),
        // Nobody answers: the attempt is given up at the last push.
        case("net::tcp::StreamSocket::connect", 2, |cut| async move {
            let wall = Wall::new();
            rustix::net::listen(&wall.0, 0).unwrap();
            let first = net::TcpStream::connect(wall.address()).unwrap();
            let (mut gate, mut far) = Far::pair(8);
            let mut buffer = [0; 4];
            let given_up = async {
                tenter::select! {
                    _ = TcpStream::connect(wall.address()) => unreachable!("there is no room"),
                    _ = gate.read_exact(&mut buffer) => {}
                }
            };
            cut.pushed(given_up, |n| far.put(&part(n))).await;
            drop(wall.0.accept().unwrap());
            drop(first);
            wall.answers(None).await;
        }),
        // In line behind as many as the listener has room for.
        case("net::unix::StreamSocket::connect", 1, |cut| async move {
            let name = SocketName::new();
            let listener = unix::UnixListener::bind(&name.0).unwrap();
            rustix::net::listen(&listener, 0).unwrap();
            let first = unix::UnixStream::connect(&name.0).unwrap();
            let mut accepted = Vec::new();
            let connected = cut
                .pushed(UnixStream::connect(&name.0), |n| {
                    if n == 1 {
                        accepted.push(listener.accept().unwrap().0);
                    }
                })
                .await;
            let made = connected.map(|stream| stream.unwrap());
            rustix::net::listen(&listener, 8).unwrap();
            let _fresh = unix::UnixStream::connect(&name.0).unwrap();
            listener.set_nonblocking(true).unwrap();
            while let Ok((stream, _)) = listener.accept() {
                accepted.push(stream);
            }
            // The first, the fresh one, and the one in between if it was made.
            assert_eq!(accepted.len(), 2 + usize::from(made.is_some()));
            drop(first);
        }),
        case("net::lookup::lookup_host", 1, |cut| async move {
            let found = cut.of(lookup_host("localhost:80")).await;
            assert!(found.is_none_or(|found| !found.unwrap().is_empty()));
        })
        .with_threads(),
    ]
}

/// A name for a Unix socket, free again in the end.
pub struct SocketName(pub std::path::PathBuf);

impl SocketName {
    pub fn new() -> Self {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tenter-drops-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for SocketName {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn binding() -> Vec<Case> {
    vec![
        case("net::tcp::ListeningSocket::bind", 1, |cut| async move {
            let port = Wall::new().address().port();
            let bound = cut.of(TcpListener::bind(format!("localhost:{port}"))).await;
            drop(bound.transpose().unwrap());
            // Nobody listens there any more.
            net::TcpListener::bind(("127.0.0.1", port)).unwrap();
        })
        .with_threads(),
    ]
}

/// Connections that say who they are.
struct Callers {
    to: net::SocketAddr,
    calls: Vec<net::TcpStream>,
}

impl Callers {
    fn call(&mut self) {
        let mut stream = net::TcpStream::connect(self.to).expect("there is a listener");
        let number = u8::try_from(self.calls.len()).expect("few calls");
        stream.write_all(&[number]).expect("there is room");
        self.calls.push(stream);
    }

    /// Every one that was made is among the `accepted`, or comes now.
    async fn all_answered(mut self, mut accepted: Vec<TcpStream>, listener: &TcpListener) {
        self.call();
        while accepted.len() < self.calls.len() {
            accepted.push(listener.accept().await.unwrap().0);
        }
        let mut numbers = BTreeSet::new();
        for mut stream in accepted {
            let mut number = [0];
            stream.read_exact(&mut number).await.unwrap();
            numbers.insert(number[0]);
        }
        assert_eq!(numbers.len(), self.calls.len());
    }
}

fn accepting() -> Vec<Case> {
    vec![
        case(
            "net::listener::ListeningSocket::accept",
            1,
            |cut| async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let to = listener.local_addr().unwrap();
                let mut callers = Callers {
                    to,
                    calls: Vec::new(),
                };
                let accepted = cut.pushed(listener.accept(), |_| callers.call()).await;
                let accepted = accepted.map(|accepted| accepted.unwrap().0);
                callers
                    .all_answered(accepted.into_iter().collect(), &listener)
                    .await;
            },
        ),
        case("net::incoming::Incoming::next", 1, |cut| async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let to = listener.local_addr().unwrap();
            let mut callers = Callers {
                to,
                calls: Vec::new(),
            };
            let mut incoming = listener.incoming();
            let accepted = cut.pushed(incoming.next(), |_| callers.call()).await;
            let mut accepted: Vec<_> = accepted.map(|stream| stream.unwrap()).into_iter().collect();
            callers.call();
            accepted.push(incoming.next().await.unwrap());
            callers.all_answered(accepted, &listener).await;
        })
        .keeps_waker(),
        case(
            "net::listener::ListeningSocket::accept",
            1,
            |cut| async move {
                let name = SocketName::new();
                let listener = UnixListener::bind(&name.0).unwrap();
                let mut calls = Vec::new();
                let accepted = cut
                    .pushed(listener.accept(), |_| {
                        calls.push(unix::UnixStream::connect(&name.0).unwrap());
                    })
                    .await;
                let accepted = accepted.map(|accepted| accepted.unwrap());
                for _ in usize::from(accepted.is_some())..calls.len() {
                    listener.accept().await.unwrap();
                }
                assert_eq!(
                    listener.try_accept().unwrap_err().kind(),
                    ErrorKind::WouldBlock
                );
            },
        ),
    ]
}

/// A stream of tenter's, and its other end.
fn pair() -> (UnixStream, unix::UnixStream) {
    let (near, far) = unix::UnixStream::pair().expect("two sockets");
    (UnixStream::from_std(near).expect("a socket"), far)
}

/// What was `sent` is what was `seen` and what is left.
async fn all_came(mut seen: Vec<u8>, sent: &[u8], near: &mut UnixStream, far: unix::UnixStream) {
    drop(far);
    near.read_to_end(&mut seen).await.expect("it was ended");
    assert_eq!(seen, sent);
}

fn reading() -> Vec<Case> {
    vec![
        case(
            "net::stream::StreamSocket::readable async_fd::Async::readable",
            1,
            |cut| async move {
                let (mut near, mut far) = pair();
                // A new source may always be ready.
                while poll_once(&mut near.readable()).is_ready() {
                    near.try_read(&mut [0]).unwrap_err();
                }
                let ready = cut
                    .pushed(near.readable(), |n| far.write_all(&part(n)).unwrap())
                    .await;
                let mut byte = [0];
                let read = near.try_read(&mut byte);
                assert!(ready.is_none() || read.as_ref().is_ok_and(|count| *count == 1));
                let seen = read.map_or(Vec::new(), |_| byte.to_vec());
                far.write_all(b"xyz").unwrap();
                drop(far);
                let mut rest = Vec::new();
                near.read_to_end(&mut rest).await.unwrap();
                assert!([seen, rest].concat().ends_with(b"xyz"));

                let (near, mut far) = unix::UnixStream::pair().unwrap();
                let near = Async::new(near).unwrap();
                while poll_once(&mut near.readable()).is_ready() {
                    let nothing = || ErrorKind::WouldBlock.into();
                    near.try_io(Interest::READABLE, || Err::<(), _>(nothing()))
                        .unwrap_err();
                }
                cut.pushed(near.readable(), |n| far.write_all(&part(n)).unwrap())
                    .await;
                far.write_all(b"!").unwrap();
                near.readable().await.unwrap();
            },
        ),
        case("net::stream::StreamSocket::peek", 1, |cut| async move {
            let ((mut near, mut far), mut buffer) = (pair(), [0; 2]);
            let mut sent = Vec::new();
            let peeked = cut
                .pushed(near.peek(&mut buffer), |n| {
                    far.write_all(&part(n)).unwrap();
                    sent.extend(part(n));
                })
                .await;
            assert!(peeked.is_none_or(|count| count.unwrap() == 2 && buffer == sent[..2]));
            all_came(Vec::new(), &sent, &mut near, far).await;
        }),
        case(
            "net::split::ReadHalf::peek net::split_owned::OwnedReadHalf::peek \
             ext::read::AsyncReadExt::read",
            1,
            |cut| async move {
                let ((mut near, far), mut buffer) = (pair(), [0; 2]);
                // Each waits for more than was there, so what the others left is taken first.
                let take = |near: &UnixStream| while near.try_read(&mut [0; 8]).is_ok() {};
                let sent = RefCell::new(Vec::new());
                let put = |bytes: &[u8]| {
                    (&far).write_all(bytes).unwrap();
                    sent.borrow_mut().extend_from_slice(bytes);
                };
                let (read, _write) = near.split();
                cut.pushed(read.peek(&mut buffer), |_| put(b"ab")).await;
                take(&near);
                let (mut read, write) = near.into_split();
                cut.pushed(read.peek(&mut buffer), |_| put(b"cd")).await;
                take(read.stream());
                let count = cut.pushed(read.read(&mut buffer), |_| put(b"ef")).await;
                let count = count.map_or(0, |count| count.unwrap());
                let mut near = read.unsplit(write).unwrap();
                let mut seen = buffer[..count].to_vec();
                put(b"gh");
                drop(far);
                near.read_to_end(&mut seen).await.unwrap();
                assert!(sent.borrow().ends_with(&seen) && seen.len() >= 2);
            },
        )
        .keeps_waker(),
        case("async_fd::Async::read_with", 1, |cut| async move {
            let (near, mut far) = unix::UnixStream::pair().unwrap();
            let near = Async::new(near).unwrap();
            let (mut buffer, mut sent) = ([0; 2], Vec::new());
            let read = cut
                .pushed(near.read_with(|mut near| near.read(&mut buffer)), |n| {
                    far.write_all(&part(n)).unwrap();
                    sent.extend(part(n));
                })
                .await;
            let count = read.map_or(0, |count| count.unwrap());
            let mut near = UnixStream::from_std(near.into_inner()).unwrap();
            all_came(buffer[..count].to_vec(), &sent, &mut near, far).await;
        }),
        case("ext::read::AsyncReadExt::read_exact", 3, |cut| async move {
            let ((mut near, mut far), mut buffer) = (pair(), [0; 8]);
            let mut sent = Vec::new();
            cut.pushed(near.read_exact(&mut buffer), |n| {
                far.write_all(&part(n)).unwrap();
                sent.extend(part(n));
            })
            .await;
            drop(far);
            let mut rest = Vec::new();
            near.read_to_end(&mut rest).await.unwrap();
            let read = sent.len() - rest.len();
            assert_eq!([&buffer[..read], &rest].concat(), sent);
        })
        .keeps_waker(),
    ]
}

/// A stream in which nothing more has room, its other end, and how much is in it.
fn full() -> (UnixStream, unix::UnixStream, usize) {
    let (near, far) = pair();
    sockopt::set_socket_send_buffer_size(near.as_fd(), 1).expect("a size");
    far.set_nonblocking(true).expect("a socket");
    let mut count = 0;
    while let Ok(written) = near.try_write(&[b'-'; 512]) {
        count += written;
    }
    (near, far, count)
}

/// Reads what is there.
fn drain(far: &mut unix::UnixStream, came: &mut Vec<u8>) {
    let end = far.read_to_end(came);
    assert!(end.is_ok_and(|_| true) || !came.is_empty());
}

fn writing() -> Vec<Case> {
    vec![
        case(
            "net::stream::StreamSocket::writable async_fd::Async::writable",
            1,
            |cut| async move {
                let (near, mut far, count) = full();
                let mut came = Vec::new();
                let ready = cut
                    .pushed(near.writable(), |_| drain(&mut far, &mut came))
                    .await;
                // The first readiness of a source is a guess.
                let written = near.try_write(b"a").unwrap_or(0);
                assert!(ready.is_none() || written == 1 || came.is_empty());
                drop(near);
                drain(&mut far, &mut came);
                assert_eq!(came.len(), count + written);

                let (near, mut far, _) = full();
                let near = Async::new(near.into_std()).unwrap();
                while poll_once(&mut near.writable()).is_ready() {
                    let full = || ErrorKind::WouldBlock.into();
                    near.try_io(Interest::WRITABLE, || Err::<(), _>(full()))
                        .unwrap_err();
                }
                cut.pushed(near.writable(), |_| drain(&mut far, &mut came))
                    .await;
                drain(&mut far, &mut came);
                near.writable().await.unwrap();
            },
        ),
        case("async_fd::Async::write_with", 1, |cut| async move {
            let (near, mut far, count) = full();
            let near = Async::new(near.into_std()).unwrap();
            let mut came = Vec::new();
            let write = near.write_with(|mut near| near.write(b"abc"));
            let written = cut.pushed(write, |_| drain(&mut far, &mut came)).await;
            let written = written.map_or(0, |count| count.unwrap());
            drop(near);
            drain(&mut far, &mut came);
            assert_eq!(came[count..], b"abc"[..written]);
        }),
        case(
            "ext::write::AsyncWriteExt::write_all",
            2,
            |cut| async move {
                let (mut near, mut far, count) = full();
                let data: Vec<u8> = (0..=250).collect::<Vec<u8>>().repeat(count / 100 + 400);
                let mut came = Vec::new();
                let written = cut
                    .pushed(near.write_all(&data), |_| drain(&mut far, &mut came))
                    .await;
                drop(near);
                drain(&mut far, &mut came);
                assert!(data.starts_with(&came[count..]));
                assert!(
                    written.is_none_or(|done| done.is_ok() && came.len() == count + data.len())
                );
            },
        )
        .keeps_waker(),
    ]
}
