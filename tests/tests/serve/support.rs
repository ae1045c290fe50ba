//! A server to talk to, and clients that run in the same runtime.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tenter::Builder;
use tenter::io::{AsyncReadExt, AsyncWriteExt};
use tenter::net::{Connection, ServeOptions, ServerHandle, TcpListener, TcpStream, serve};
use tenter::sync::Semaphore;
use tenter::task::yield_now;
use tenter_tests::support::{Count, alone, build, ends, every};

/// What handlers get.
pub type Tcp = Connection<TcpStream, SocketAddr>;

/// Runs `test` on every flavour, and sees that no task is left when it has ended.
pub fn on_every<F: Future<Output = ()>>(test: impl Fn() -> F + Send + Sync + 'static) {
    every(move |builder: Builder| {
        let runtime = build(builder);
        runtime.block_on(async {
            test().await;
            // All but what the flavour itself keeps, which is nothing.
            until("no task is left", || {
                tenter::Handle::current().metrics().alive_tasks <= 1
            })
            .await;
        });
    });
}

/// Runs the test `name` where nothing else happens, and fails if it does not end.
pub fn in_a_process_of_its_own(name: &str, body: impl FnOnce() + Send + 'static) {
    if alone(name) {
        ends(name, body);
    }
}

/// Waits for something that other tasks or the system bring about. A hang is found by the watchdog
/// of the test.
pub async fn until(_what: &str, condition: impl Fn() -> bool) {
    while !condition() {
        yield_now().await;
    }
}

/// A listener at a port that the system chose.
pub async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

/// Options of a server that waits for its connections for ever.
pub fn patient() -> ServeOptions {
    ServeOptions::new().drain_timeout(Duration::MAX)
}

/// A server whose handlers wait until the test opens the latch, then send one byte.
pub struct Waiting {
    pub server: ServerHandle,
    pub address: SocketAddr,
    /// Opens with `add_permits`: one for each handler that is to go on.
    pub latch: Arc<Semaphore>,
    /// Handlers that began.
    pub begun: Count,
    /// Handlers whose future is gone.
    pub gone: Count,
}

impl Waiting {
    pub async fn start(options: ServeOptions) -> Waiting {
        let (listener, address) = listener().await;
        let latch = Arc::new(Semaphore::new(0));
        let (begun, gone) = (Count::new(), Count::new());
        let handler = {
            let (latch, begun, gone) = (Arc::clone(&latch), begun.clone(), gone.clone());
            move |connection: Tcp| {
                wait_then_send(connection, Arc::clone(&latch), begun.clone(), gone.clone())
            }
        };
        let server = serve(listener, handler, options);
        Waiting {
            server,
            address,
            latch,
            begun,
            gone,
        }
    }

    /// Connects so many clients. Their connections may not be accepted yet.
    pub async fn connect(&self, count: usize) -> Vec<TcpStream> {
        let mut clients = Vec::new();
        for _ in 0..count {
            clients.push(TcpStream::connect(self.address).await.expect("listens"));
        }
        clients
    }

    /// Connects so many clients, and waits for their handlers.
    pub async fn serve(&self, count: usize) -> Vec<TcpStream> {
        let before = self.begun.get();
        let clients = self.connect(count).await;
        until("all handlers begin", || self.begun.get() == before + count).await;
        clients
    }

    /// Lets so many handlers finish.
    pub fn let_go(&self, count: usize) {
        self.latch.add_permits(count).expect("not too many");
    }
}

async fn wait_then_send(mut connection: Tcp, latch: Arc<Semaphore>, begun: Count, gone: Count) {
    let _gone = gone.on_drop();
    begun.add();
    if let Ok(permit) = latch.acquire().await {
        permit.forget();
    }
    let _ = connection.stream.write_all(b"!").await;
}

/// Sends back what it gets.
pub async fn echo(mut connection: Tcp) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = connection.stream.read(&mut buffer).await {
        if connection.stream.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// Whether the server answers this client.
pub async fn is_answered(client: &mut TcpStream) -> bool {
    let mut byte = [0];
    matches!(client.read(&mut byte).await, Ok(1))
}

/// Sends a text and reads it back.
pub async fn converse(client: &mut TcpStream, text: &str) {
    client.write_all(text.as_bytes()).await.expect("sent");
    let mut answer = vec![0; text.len()];
    client.read_exact(&mut answer).await.expect("answered");
    assert_eq!(answer, text.as_bytes());
}

/// Waits until nobody listens at the address any more.
pub async fn refused(address: SocketAddr) {
    while TcpStream::connect(address).await.is_ok() {
        yield_now().await;
    }
}
