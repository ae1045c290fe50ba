//! [`serve_shards`]: one server, several sockets at one address.
//!
//! The kernel deals connections out to the sockets by a hash of their addresses. Each socket has
//! its own backlog and its own accept loop, so loops on several workers do not meet at one queue.
//!
//! Each has its own share of the limit of connections too. With one limit for all a shard would
//! hold the last place while it waits, and the clients wait at the others.
//!
//! Tests: `tests/tests/serve/kinds.rs`.

use core::future::Future;
use core::panic::Location;
use std::io;
use std::net::SocketAddr;

use tenter_io::net::{TcpListener, TcpSocket, TcpStream};

use super::connection::Connection;
use super::handle::ServerHandle;
use super::handling::SHARDS_MAX;
use super::options::ServeOptions;
use super::server::{detach, start};
use crate::handle::Handle;

/// As long as the backlog of [`TcpListener::bind`].
const BACKLOG: u32 = 1024;

/// [`serve`](crate::net::serve) at several sockets: opens further ones at the address of `listener`
/// until there are `shards`, and accepts at each in a task of its own, with a clone of `handler`.
///
/// That is for servers that accept more connections than one task can. The kernel chooses the
/// socket by a hash of the client's address, whether or not its accept loop is busy, and each socket
/// has its own share of the [limit](ServeOptions::max_connections). With few clients one socket may
/// be.
///
/// If one of the listeners fails, the server ends.
///
/// # Errors
///
/// `InvalidInput` if `shards` is 0 or more than 65 535, or more than the connections that are
/// allowed. `AddrInUse` if `listener` was bound without `SO_REUSEPORT`, which
/// [`TcpSocket::set_reuse_port`] sets; else what the system says.
///
/// # Panics
///
/// Outside a runtime, as [`serve`](crate::net::serve).
///
/// # Examples
///
/// ```
/// use tenter::net::{Connection, ServeOptions, TcpSocket, TcpStream, serve_shards};
/// use std::net::SocketAddr;
///
/// async fn handle(connection: Connection<TcpStream, SocketAddr>) {
///     drop(connection);
/// }
///
/// # #[tenter::main]
/// # async fn main() -> std::io::Result<()> {
/// let socket = TcpSocket::new_v4()?;
/// socket.set_reuse_port(true)?;
/// socket.bind("127.0.0.1:0".parse().expect("an address"))?;
/// let server = serve_shards(socket.listen(1024)?, 2, handle, ServeOptions::new())?;
/// # server.close();
/// # server.closed().await?;
/// # Ok(())
/// # }
/// ```
#[track_caller]
#[doc(alias = "reuse_port")]
pub fn serve_shards<H, F>(
    listener: TcpListener,
    shards: usize,
    handler: H,
    options: ServeOptions,
) -> io::Result<ServerHandle>
where
    H: FnMut(Connection<TcpStream, SocketAddr>) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = Handle::current_for("tenter::net::serve_shards");
    if let Some(text) = refusal(shards, options.max_connections) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let address = listener.local_addr()?;
    let mut handlers = Vec::with_capacity(shards);
    for number in 2..=shards {
        let sibling =
            open(address).map_err(|error| cannot_open(number, shards, address, &error))?;
        handlers.push((sibling, handler.clone()));
    }
    handlers.insert(0, (listener, handler));
    Ok(detach(start(
        handlers,
        &options,
        runtime,
        Location::caller(),
    )))
}

/// What is wrong with the numbers.
fn refusal(shards: usize, limit: Option<usize>) -> Option<String> {
    if shards == 0 {
        return Some("a server of 0 shards would serve nobody: ask for at least one".to_owned());
    }
    if shards > SHARDS_MAX {
        return Some(format!(
            "{shards} shards are more than a server can have: ask for one for each core, at most \
             {SHARDS_MAX}"
        ));
    }
    let limit = limit.filter(|limit| *limit < shards)?;
    Some(format!(
        "{limit} connections cannot be dealt out to {shards} shards: allow more connections, or \
         ask for fewer shards"
    ))
}

/// Another socket that listens at `address`.
fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_for(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn cannot_open(number: usize, shards: usize, address: SocketAddr, error: &io::Error) -> io::Error {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            ": bind the listener with SO_REUSEPORT (TcpSocket::set_reuse_port) before it listens"
        }
        _ => "",
    };
    let text = format!("cannot open shard {number} of {shards} at {address}: {error}{advice}");
    io::Error::new(error.kind(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_serve_nobody_are_refused() {
        assert_eq!(refusal(1, None), None);
        assert_eq!(refusal(SHARDS_MAX, None), None);
        assert_eq!(refusal(4, Some(4)), None);
        let says = |shards, limit, part| {
            let text = refusal(shards, limit).expect("refused");
            assert!(text.contains(part), "{text}");
        };
        says(0, None, "at least one");
        says(SHARDS_MAX + 1, None, "65535");
        says(4, Some(3), "3 connections cannot be dealt out to 4 shards");
    }
}
