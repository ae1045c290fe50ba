//! smol: an executor of async-executor, driven by `async-io`'s `block_on`.
//!
//! smol has no channel for one value (futures-channel's stands in), no signal (a channel of capacity
//! one stands in) and no timeout (a race against a timer, as its documentation shows).

mod engine;

use std::future::Future;
use std::io;
use std::net;
use std::os::unix;
use std::path::PathBuf;
use std::time::Duration;

use futures_channel::oneshot;
use smol::channel;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::lock::Semaphore;
use smol::{Async, Timer};
use smol_hyper::rt::FuturesIo;

use self::engine::{Engine, Shared};
pub use self::engine::{Local, Pool, StaticPool};
use super::{Peer, Workers};
use crate::server;

/// One of smol's executors with what belongs to it.
#[derive(Debug)]
pub struct Smol<E>(E);

impl<E: Engine> Peer for Smol<E> {
    type Sender = oneshot::Sender<u64>;
    type Receiver = oneshot::Receiver<u64>;
    type Semaphore = Semaphore;
    type Signal = (channel::Sender<()>, channel::Receiver<()>);
    type Listener = Async<net::TcpListener>;
    type Stream = Async<net::TcpStream>;

    fn new() -> Self {
        Self(E::start())
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + Send + Unpin
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        E::spawn(future)
    }

    fn spawn_detached<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        E::spawn(future).detach();
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        smol::future::yield_now()
    }

    async fn sleep(duration: Duration) {
        Timer::after(duration).await;
    }

    async fn timeout<F>(duration: Duration, future: F) -> Option<F::Output>
    where
        F: Future + Send,
        F::Output: Send,
    {
        let timer = async {
            Timer::after(duration).await;
            None
        };
        smol::future::or(async { Some(future.await) }, timer).await
    }

    fn oneshot() -> (Self::Sender, Self::Receiver) {
        oneshot::channel()
    }

    fn send(sender: Self::Sender, value: u64) {
        // A receiver that is gone is the receiver's affair.
        let _ = sender.send(value);
    }

    async fn receive(receiver: Self::Receiver) -> u64 {
        receiver.await.expect("the sender sends")
    }

    fn semaphore(permits: usize) -> Semaphore {
        Semaphore::new(permits)
    }

    async fn take_permit(semaphore: &Semaphore) {
        drop(semaphore.acquire().await);
    }

    fn signal() -> Self::Signal {
        channel::bounded(1)
    }

    fn notify(signal: &Self::Signal) {
        // A full channel holds the one stored notification already.
        let _ = signal.0.try_send(());
    }

    async fn notified(signal: &Self::Signal) {
        signal.1.recv().await.expect("both ends are here");
    }

    fn listener(socket: net::TcpListener) -> Self::Listener {
        Async::new_nonblocking(socket).expect("a socket that can be polled")
    }

    async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
        let (stream, _) = listener.accept().await?;
        stream.get_ref().set_nodelay(true)?;
        Ok(stream)
    }

    fn stream(socket: net::TcpStream) -> Self::Stream {
        Async::new_nonblocking(socket).expect("a socket that can be polled")
    }

    async fn read(stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<usize> {
        stream.read(buffer).await
    }

    async fn write(stream: &mut Self::Stream, bytes: &[u8]) -> io::Result<()> {
        stream.write_all(bytes).await
    }

    async fn http(stream: Self::Stream) {
        server::hello(FuturesIo::new(stream)).await;
    }
}

impl<E: Shared> Workers for Smol<E> {
    type Remote = E::Remote;
    type Task = smol::Task<()>;
    type Datagram = Async<net::UdpSocket>;
    type Unix = Async<unix::net::UnixStream>;

    fn remote(&self) -> Self::Remote {
        self.0.remote()
    }

    fn spawn_from<F>(remote: &Self::Remote, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        E::spawn_from(remote, future);
    }

    fn spawn_kept<F>(future: F) -> Self::Task
    where
        F: Future<Output = ()> + Send + 'static,
    {
        E::spawn(future)
    }

    fn cancel(task: Self::Task) {
        drop(task);
    }

    fn spawn_blocking<F>(work: F) -> impl Future<Output = ()> + Send + Unpin
    where
        F: FnOnce() + Send + 'static,
    {
        smol::unblock(work)
    }

    fn datagram(socket: net::UdpSocket) -> Self::Datagram {
        Async::new_nonblocking(socket).expect("a socket that can be polled")
    }

    async fn send_datagram(socket: &Self::Datagram, bytes: &[u8]) {
        let sent = socket.send(bytes).await;
        assert_eq!(sent.expect("the other end is there"), bytes.len());
    }

    async fn receive_datagram(socket: &Self::Datagram, buffer: &mut [u8]) -> usize {
        socket.recv(buffer).await.expect("the other end is there")
    }

    fn unix(socket: unix::net::UnixStream) -> Self::Unix {
        Async::new_nonblocking(socket).expect("a socket that can be polled")
    }

    async fn read_unix(stream: &mut Self::Unix, buffer: &mut [u8]) -> io::Result<usize> {
        stream.read(buffer).await
    }

    async fn write_unix(stream: &mut Self::Unix, bytes: &[u8]) -> io::Result<()> {
        stream.write_all(bytes).await
    }

    async fn read_file(path: PathBuf) -> io::Result<Vec<u8>> {
        smol::fs::read(path).await
    }

    async fn copy_file(from: PathBuf, to: PathBuf) -> io::Result<u64> {
        let mut from = smol::fs::File::open(from).await?;
        let mut to = smol::fs::File::create(to).await?;
        let copied = smol::io::copy(&mut from, &mut to).await?;
        to.flush().await?;
        Ok(copied)
    }
}
