//! The servers under load, each in a process of its own: on one thread pinned to a processor, or with
//! two workers on two.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use socket2::{Domain, Socket, Type};

use crate::operation::connected_pair;
use crate::operation::workers::{Hog, Hogs};
use crate::peer::{Peer, PeerId};
use crate::{child, machine, with_peer, with_workers};

#[cfg(feature = "completion")]
mod completion;
mod raw;

/// The buffers of the echo servers.
const SMALL: usize = 1024;
/// See [`SMALL`].
const LARGE: usize = 16 * 1024;

/// What a child process serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Sends back what it reads, with a buffer that is larger than a message.
    Echo,
    /// The same with a buffer of 16 KiB.
    EchoLarge,
    /// The same beside eight tasks that compute for 100 µs and yield.
    EchoBesideHogs,
    /// HTTP/1 keep-alive, `Hello, World!`.
    Http,
    /// Nothing: a thousand sockets that are silent and a thousand timers an hour away.
    Idle,
}

impl Service {
    const ALL: [Self; 5] = [
        Self::Echo,
        Self::EchoLarge,
        Self::EchoBesideHogs,
        Self::Http,
        Self::Idle,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::EchoLarge => "echo-large",
            Self::EchoBesideHogs => "echo-beside-hogs",
            Self::Http => "http",
            Self::Idle => "idle",
        }
    }

    /// The service with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }
}

/// Runs a service in this process until standard input ends; see [`child`] for the conversation.
pub fn run(service: Service, peer: PeerId, workers: bool) -> io::Result<()> {
    machine::raise_file_limit();
    if let Some(echo) = own_echo(peer) {
        machine::pin(machine::BESIDE);
        return match service {
            Service::Echo => echo(listen()?, SMALL),
            Service::EchoLarge => echo(listen()?, LARGE),
            other => Err(io::Error::other(format!(
                "{peer} does not serve {}",
                other.name()
            ))),
        };
    }
    if workers {
        machine::pin(machine::WORKERS);
        with_workers!(peer, P => offer::<P>(service))
    } else {
        machine::pin(machine::BESIDE);
        with_peer!(peer, P => offer::<P>(service))
    }
}

fn offer<P: Peer>(service: Service) -> io::Result<()> {
    match service {
        Service::Echo => serve::<P, _>(|| (), echo::<P, SMALL>),
        Service::EchoLarge => serve::<P, _>(|| (), echo::<P, LARGE>),
        Service::EchoBesideHogs => serve::<P, _>(hogs::<P>, echo::<P, SMALL>),
        Service::Http => serve::<P, _>(|| (), P::http),
        Service::Idle => idle::<P>(),
    }
}

/// Starts tasks that never end.
fn hogs<P: Peer>() {
    Hogs::start::<P>(Hog::Computing(Duration::from_micros(100)), 8);
}

/// Accepts connections and gives each a task, after whatever has to stand beside them.
fn serve<P, F>(beside: fn(), each: fn(P::Stream) -> F) -> io::Result<()>
where
    P: Peer,
    F: Future<Output = ()> + Send + 'static,
{
    let socket = listen()?;
    P::new().block_on(async {
        beside();
        let listener = P::listener(socket);
        loop {
            P::spawn_detached(each(P::accept(&listener).await?));
        }
    })
}

/// A socket that listens and does not block, announced.
fn listen() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    // A thousand connect at once.
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    let socket = TcpListener::from(socket);
    child::announce(&socket.local_addr()?.to_string())?;
    Ok(socket)
}

/// The echo server of a peer that has one of its own.
fn own_echo(peer: PeerId) -> Option<fn(TcpListener, usize) -> io::Result<()>> {
    match peer {
        PeerId::Epoll => Some(raw::echo),
        #[cfg(feature = "completion")]
        PeerId::Compio => Some(completion::compio),
        #[cfg(feature = "completion")]
        PeerId::Monoio => Some(completion::monoio),
        _ => None,
    }
}

/// Sends back what it reads until the other side ends. The buffer has room to spare, as in a real
/// server: a runtime that takes a short read for the last one may do so.
async fn echo<P: Peer, const BUFFER: usize>(mut stream: P::Stream) {
    let mut buffer = [0; BUFFER];
    while let Ok(length @ 1..) = P::read(&mut stream, &mut buffer).await {
        if P::write(&mut stream, &buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// Waits for a thousand sockets and a thousand timers, none of which ever come.
fn idle<P: Peer>() -> io::Result<()> {
    P::new().block_on(async {
        for _ in 0..500 {
            let (near, far) = connected_pair();
            P::spawn_detached(echo::<P, SMALL>(P::stream(near)));
            P::spawn_detached(echo::<P, SMALL>(P::stream(far)));
        }
        for _ in 0..1_000 {
            P::spawn_detached(P::sleep(Duration::from_secs(3_600)));
        }
        // Every task has been polled before the last one says so.
        P::spawn(async { child::announce("idle") }).await?;
        std::future::pending().await
    })
}

/// Serves `Hello, World!` by hyper on one connection.
pub async fn hello<I>(io: I)
where
    I: hyper::rt::Read + hyper::rt::Write + Send + Unpin,
{
    let service = service_fn(|_: Request<Incoming>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(
            b"Hello, World!",
        ))))
    });
    // A client that goes away is no failure of the server.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(io, service)
        .await;
}
