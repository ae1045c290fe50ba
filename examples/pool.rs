//! Run: `cargo run --release --example pool`: prints which connection of a pool serves what, and why
//!
//! A pool of connections, built from a semaphore and a queue: at most two connections, a limit on
//! how long one waits for them, a health check before one is used again. A connection that was
//! dropped in the middle of a request is thrown away. The server is one that the program starts.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tenter::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tenter::net::{TcpListener, TcpStream};
use tenter::sync::{LifoQueue, OwnedPermit, Semaphore};
use tenter::time::{Elapsed, timeout};

/// A pool of connections to one server. Clones share it.
#[derive(Clone)]
struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    address: SocketAddr,
    /// One for each connection that there may be in use.
    permits: Arc<Semaphore>,
    /// The connection that was used last is used first: the others may rest until they are closed.
    idle: LifoQueue<Connection>,
    opened: AtomicU32,
}

struct Connection {
    number: u32,
    stream: BufReader<TcpStream>,
}

/// A connection on loan. Dropping it gives it back.
struct Loan {
    pool: Pool,
    /// Empty while a request is under way: see `ask`.
    connection: Option<Connection>,
    _permit: OwnedPermit,
}

#[derive(Debug)]
enum PoolError {
    /// All connections were in use, and stayed so.
    Busy(Elapsed),
    Connect(io::Error),
}

impl Pool {
    fn new(address: SocketAddr, size: usize) -> Pool {
        let shared = Shared {
            address,
            permits: Arc::new(Semaphore::new(size)),
            idle: LifoQueue::unbounded(),
            opened: AtomicU32::new(0),
        };
        Pool {
            shared: Arc::new(shared),
        }
    }

    async fn acquire(&self, limit: Duration) -> Result<Loan, PoolError> {
        // The permit first: who has one may open a connection, and those who wait stand in line.
        let permit = Arc::clone(&self.shared.permits).acquire_owned();
        let permit = timeout(limit, permit).await.map_err(PoolError::Busy)?;
        let permit = permit.expect("nobody closes the semaphore");
        let connection = loop {
            let Ok(mut idle) = self.shared.idle.try_get() else {
                break self.open().await.map_err(PoolError::Connect)?;
            };
            // The server may have closed it while it was idle; then the next one is tried.
            if idle.is_healthy().await {
                break idle;
            }
        };
        Ok(Loan {
            pool: self.clone(),
            connection: Some(connection),
            _permit: permit,
        })
    }

    async fn open(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect(self.shared.address).await?;
        Ok(Connection {
            number: self.shared.opened.fetch_add(1, Ordering::Relaxed) + 1,
            stream: BufReader::new(stream),
        })
    }
}

impl Loan {
    async fn ask(&mut self, line: &str) -> io::Result<String> {
        // Out of the loan while the answer is outstanding. If this future is dropped half way, or
        // fails, the connection is dropped with it, and nobody else gets the rest of the answer.
        let broken = || io::Error::other("the connection broke in an earlier request");
        let mut connection = self.connection.take().ok_or_else(broken)?;
        let answer = connection.ask(line).await?;
        self.connection = Some(connection);
        Ok(answer)
    }

    fn number(&self) -> u32 {
        self.connection
            .as_ref()
            .map_or(0, |connection| connection.number)
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        // Only a connection between two requests is here. The permit goes back after it, because
        // fields are dropped later: whoever gets the permit finds the connection.
        if let Some(connection) = self.connection.take() {
            let _ = self.pool.shared.idle.try_put(connection);
        }
    }
}

impl Connection {
    async fn ask(&mut self, line: &str) -> io::Result<String> {
        self.stream
            .write_all(format!("{line}\n").as_bytes())
            .await?;
        let mut answer = String::new();
        match self.stream.read_line(&mut answer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(answer.trim_end().to_owned()),
        }
    }

    /// A question whose answer is known. A server that has hung itself up does not answer in time.
    async fn is_healthy(&mut self) -> bool {
        let pong = timeout(Duration::from_secs(5), self.ask("ping")).await;
        matches!(pong, Ok(Ok(answer)) if answer == "PING")
    }
}

#[tenter::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let pool = Pool::new(listener.local_addr()?, 2);
    let server = tenter::spawn(serve(listener)).cancel_on_drop();
    let (soon, long) = (Duration::from_millis(20), Duration::from_secs(10));

    for word in ["one", "two"] {
        let mut loan = pool.acquire(long).await?;
        println!(
            "connection {}: {word} -> {}",
            loan.number(),
            loan.ask(word).await?
        );
    }

    let (first, second) = (pool.acquire(long).await?, pool.acquire(long).await?);
    println!(
        "connections {} and {} are in use",
        first.number(),
        second.number()
    );
    if let Err(busy) = pool.acquire(soon).await {
        println!("a third is not to be had: {busy}");
    }
    drop(first);
    drop(second);

    let mut loan = pool.acquire(long).await?;
    let number = loan.number();
    // What a deadline does: the request is dropped where it waits.
    if let Err(elapsed) = timeout(soon, loan.ask("never")).await {
        println!("connection {number}: the request {elapsed}, and takes it with it");
    }
    drop(loan);

    let mut loan = pool.acquire(long).await?;
    println!(
        "connection {}: three -> {}",
        loan.number(),
        loan.ask("three").await?
    );
    println!(
        "connection {}: bye -> {}",
        loan.number(),
        loan.ask("bye").await?
    );
    drop(loan);
    let mut loan = pool.acquire(long).await?;
    println!(
        "connection {}: four -> {}, after a health check",
        loan.number(),
        loan.ask("four").await?
    );
    drop(server);
    Ok(())
}

/// Answers every line in capitals, but for `never`; hangs up after `bye`.
async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        drop(tenter::spawn(async move {
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            while let Ok(1..) = stream.read_line(&mut line).await {
                if line != "never\n" {
                    let answer = line.to_uppercase();
                    if stream.write_all(answer.as_bytes()).await.is_err() || line == "bye\n" {
                        return;
                    }
                }
                line.clear();
            }
        }));
    }
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PoolError::Busy(elapsed) => write!(f, "{elapsed}, all connections are in use"),
            PoolError::Connect(error) => write!(f, "cannot open a connection: {error}"),
        }
    }
}

impl std::error::Error for PoolError {}
