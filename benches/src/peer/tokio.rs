//! tokio, `current_thread` and `multi_thread`, timers and I/O enabled.

use std::future::{Future, poll_fn};
use std::io;
use std::net;
use std::os::unix;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::ready;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use tokio::sync::{Notify, Semaphore, oneshot};

use super::{Peer, Workers};
use crate::server;

/// A runtime of tokio with so many workers; with none, tasks run in `block_on`.
#[derive(Debug)]
pub struct Tokio<const WORKERS: usize>(tokio::runtime::Runtime);

impl<const WORKERS: usize> Peer for Tokio<WORKERS> {
    type Sender = oneshot::Sender<u64>;
    type Receiver = oneshot::Receiver<u64>;
    type Semaphore = Semaphore;
    type Signal = Notify;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn new() -> Self {
        let mut builder = match WORKERS {
            0 => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        let runtime = builder.worker_threads(WORKERS.max(1)).enable_all().build();
        Self(runtime.expect("a runtime of tokio"))
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + Send + Unpin
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let mut handle = tokio::spawn(future);
        poll_fn(move |cx| {
            let joined = ready!(Pin::new(&mut handle).poll(cx));
            std::task::Poll::Ready(joined.expect("a benchmark's task does not fail"))
        })
    }

    fn spawn_detached<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(tokio::spawn(future));
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        tokio::task::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(duration)
    }

    async fn timeout<F>(duration: Duration, future: F) -> Option<F::Output>
    where
        F: Future + Send,
        F::Output: Send,
    {
        tokio::time::timeout(duration, future).await.ok()
    }

    async fn children<F>(count: usize, child: impl Fn() -> F + Send)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut set = tokio::task::JoinSet::new();
        for _ in 0..count {
            set.spawn(child());
        }
        set.join_all().await;
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
        drop(semaphore.acquire().await.expect("nobody closes it"));
    }

    fn signal() -> Notify {
        Notify::new()
    }

    fn notify(signal: &Notify) {
        signal.notify_one();
    }

    fn notified(signal: &Notify) -> impl Future<Output = ()> + Send {
        signal.notified()
    }

    fn listener(socket: net::TcpListener) -> TcpListener {
        TcpListener::from_std(socket).expect("a socket that can be polled")
    }

    async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn stream(socket: net::TcpStream) -> TcpStream {
        TcpStream::from_std(socket).expect("a socket that can be polled")
    }

    async fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        stream.read(buffer).await
    }

    async fn write(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
        stream.write_all(bytes).await
    }

    async fn http(stream: TcpStream) {
        server::hello(TokioIo::new(stream)).await;
    }
}

impl<const WORKERS: usize> Workers for Tokio<WORKERS> {
    type Remote = tokio::runtime::Handle;
    type Task = tokio::task::JoinHandle<()>;
    type Datagram = UdpSocket;
    type Unix = UnixStream;

    fn remote(&self) -> Self::Remote {
        self.0.handle().clone()
    }

    fn spawn_from<F>(remote: &Self::Remote, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(remote.spawn(future));
    }

    fn spawn_kept<F>(future: F) -> Self::Task
    where
        F: Future<Output = ()> + Send + 'static,
    {
        tokio::spawn(future)
    }

    fn cancel(task: Self::Task) {
        task.abort();
    }

    fn spawn_blocking<F>(work: F) -> impl Future<Output = ()> + Send + Unpin
    where
        F: FnOnce() + Send + 'static,
    {
        let mut handle = tokio::task::spawn_blocking(work);
        poll_fn(move |cx| {
            ready!(Pin::new(&mut handle).poll(cx)).expect("a benchmark's work does not fail");
            std::task::Poll::Ready(())
        })
    }

    fn datagram(socket: net::UdpSocket) -> Self::Datagram {
        UdpSocket::from_std(socket).expect("a socket that can be polled")
    }

    async fn send_datagram(socket: &Self::Datagram, bytes: &[u8]) {
        let sent = socket.send(bytes).await;
        assert_eq!(sent.expect("the other end is there"), bytes.len());
    }

    async fn receive_datagram(socket: &Self::Datagram, buffer: &mut [u8]) -> usize {
        socket.recv(buffer).await.expect("the other end is there")
    }

    fn unix(socket: unix::net::UnixStream) -> Self::Unix {
        UnixStream::from_std(socket).expect("a socket that can be polled")
    }

    async fn read_unix(stream: &mut Self::Unix, buffer: &mut [u8]) -> io::Result<usize> {
        stream.read(buffer).await
    }

    async fn write_unix(stream: &mut Self::Unix, bytes: &[u8]) -> io::Result<()> {
        stream.write_all(bytes).await
    }

    async fn read_file(path: PathBuf) -> io::Result<Vec<u8>> {
        tokio::fs::read(path).await
    }

    async fn copy_file(from: PathBuf, to: PathBuf) -> io::Result<u64> {
        let mut from = tokio::fs::File::open(from).await?;
        let mut to = tokio::fs::File::create(to).await?;
        let copied = tokio::io::copy(&mut from, &mut to).await?;
        to.flush().await?;
        Ok(copied)
    }
}
