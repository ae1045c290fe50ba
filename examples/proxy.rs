//! Run: `cargo run --release --example proxy -- 8080 example.org:80`; try: `curl 127.0.0.1:8080`
//!
//! `proxy LISTEN UPSTREAM [IDLE_SECONDS]` carries every connection on to UPSTREAM, both ways, as
//! they are: when one side has no more to say, the other may go on. Connections on which nothing
//! moves are closed after IDLE_SECONDS, 300 unless given. Ctrl-C lets those that are open finish,
//! for at most ten seconds, and tells what went through.

use std::env;
use std::fmt;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tenter::io::copy_bidirectional;
use tenter::net::{Connection, ServeOptions, TcpListener, TcpStream, serve};
use tenter::signal::{SignalKind, signals};
use tenter::time::timeout;

const CONNECTIONS_MAX: usize = 1_000;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

const USAGE: &str = "proxy LISTEN UPSTREAM [IDLE_SECONDS], such as: proxy 8080 example.org:80";

#[tenter::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("proxy: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let setup = Setup::parse(env::args().skip(1))?;
    let listener = TcpListener::bind(setup.listen).await.map_err(|error| {
        format!(
            "cannot listen on {}: {error}: give another port",
            setup.listen
        )
    })?;
    let mut end = signals([SignalKind::interrupt(), SignalKind::terminate()])?;
    // Whoever started this may have closed the other end; that is no reason not to serve.
    let _ = writeln!(io::stdout(), "{}", listener.local_addr()?);

    let shared = Arc::new((setup, Totals::default()));
    let handler = {
        let shared = Arc::clone(&shared);
        move |connection| carry(connection, Arc::clone(&shared))
    };
    let options = ServeOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .drain_timeout(DRAIN_TIMEOUT);
    let server = serve(listener, handler, options);
    end.recv().await;
    server.close();
    let report = server.closed().await?;
    let _ = writeln!(io::stdout(), "{report}\n{}", shared.1);
    Ok(())
}

/// What the program was started with.
#[derive(Debug)]
struct Setup {
    listen: SocketAddr,
    upstream: String,
    idle: Duration,
}

impl Setup {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Setup, String> {
        let arguments: Vec<String> = arguments.collect();
        let (listen, upstream, idle) = match &arguments[..] {
            [listen, upstream] => (listen, upstream, None),
            [listen, upstream, idle] => (listen, upstream, Some(idle)),
            others => {
                let count = others.len();
                return Err(format!(
                    "two or three arguments are needed, not {count}: {USAGE}"
                ));
            }
        };
        let port = listen
            .parse()
            .map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let listen = port.or_else(|_| listen.parse()).map_err(|_| {
            format!("`{listen}` is neither a port (8080) nor an address (0.0.0.0:8080): {USAGE}")
        })?;
        let has_port = upstream
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !has_port {
            return Err(format!(
                "`{upstream}` is no host with a port (example.org:80): {USAGE}"
            ));
        }
        let idle = match idle.map(|idle| (idle, idle.parse())) {
            None => IDLE_TIMEOUT,
            Some((_, Ok(seconds @ 1..))) => Duration::from_secs(seconds),
            Some((idle, _)) => {
                return Err(format!(
                    "`{idle}` is no number of seconds from 1 on: {USAGE}"
                ));
            }
        };
        Ok(Setup {
            listen,
            upstream: upstream.clone(),
            idle,
        })
    }
}

/// Carries one connection.
async fn carry(connection: Connection<TcpStream, SocketAddr>, shared: Arc<(Setup, Totals)>) {
    let (setup, totals) = &*shared;
    let (mut client, peer) = (connection.stream, connection.peer);
    let mut upstream = match TcpStream::connect_timeout(&*setup.upstream, CONNECT_TIMEOUT).await {
        Ok(upstream) => upstream,
        Err(error) => {
            totals.failed.fetch_add(1, Ordering::Relaxed);
            eprintln!(
                "proxy: {peer}: cannot connect to {}: {error}",
                setup.upstream
            );
            return;
        }
    };
    // Whoever sends small packets meant them to be small.
    let _ = client.set_nodelay(true).and(upstream.set_nodelay(true));
    let mut copy = copy_bidirectional(&mut client, &mut upstream);
    let mut counted = Counted {
        totals,
        so_far: (0, 0),
    };
    loop {
        let ended = timeout(setup.idle, &mut copy).await;
        let has_moved = counted.count(copy.copied());
        match ended {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => {
                totals.failed.fetch_add(1, Ordering::Relaxed);
                eprintln!("proxy: {peer}: {error}");
                return;
            }
            Err(_) if has_moved => {}
            Err(_) => {
                totals.idle.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
    }
}

/// What of a connection is in the totals already.
struct Counted<'a> {
    totals: &'a Totals,
    so_far: (u64, u64),
}

impl Counted<'_> {
    /// Adds what is new. Returns whether anything is.
    fn count(&mut self, copied: (u64, u64)) -> bool {
        let (up, down) = (copied.0 - self.so_far.0, copied.1 - self.so_far.1);
        self.so_far = copied;
        self.totals.up.fetch_add(up, Ordering::Relaxed);
        self.totals.down.fetch_add(down, Ordering::Relaxed);
        up + down > 0
    }
}

/// What went through, and what did not.
#[derive(Debug, Default)]
struct Totals {
    up: AtomicU64,
    down: AtomicU64,
    idle: AtomicU64,
    failed: AtomicU64,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [up, down, idle, failed] = [&self.up, &self.down, &self.idle, &self.failed]
            .map(|total| total.load(Ordering::Relaxed));
        write!(
            f,
            "{up} bytes to the upstream, {down} bytes back; {idle} connections were idle, {failed} \
             failed"
        )
    }
}
