//! What the servers among the examples share: the address they listen on, and what they say when
//! they cannot. Also the programs of the [cookbook].

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tenter::net::TcpListener;

#[path = "../cookbook/mod.rs"]
pub mod cookbook;

/// Why an example cannot start: what was wrong, where, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// Listens on the address that the program was started with: a port of the loopback interface, an
/// address with a port, or nothing for a free port of the loopback interface.
///
/// # Errors
///
/// A sentence for the user, if the argument is no address or the address cannot be had.
pub async fn listen() -> Result<TcpListener, Refusal> {
    let address = parse(env::args_os().skip(1))?;
    TcpListener::bind(address)
        .await
        .map_err(|error| refused(address, &error))
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<SocketAddr, Refusal> {
    let mut arguments = arguments.into_iter();
    let Some(argument) = arguments.next() else {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    };
    if let Some(second) = arguments.next() {
        let second = second.to_string_lossy();
        return Err(Refusal(format!(
            "one argument is enough, and `{second}` is a second: {USAGE}"
        )));
    }
    let text = argument.to_string_lossy();
    let port = text
        .parse()
        .map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    port.or_else(|_| text.parse()).map_err(|_| {
        Refusal(format!(
            "`{text}` is neither a port nor an address: {USAGE}"
        ))
    })
}

const USAGE: &str =
    "give a port (8080), an address with a port (0.0.0.0:8080), or nothing for a free port";

fn refused(address: SocketAddr, error: &io::Error) -> Refusal {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => "stop the program that listens there, or give another port",
        io::ErrorKind::PermissionDenied => "give a port from 1024 on: those below are privileged",
        io::ErrorKind::AddrNotAvailable => {
            "give an address of this machine: 127.0.0.1 for local clients, 0.0.0.0 for all"
        }
        _ => "give another address",
    };
    Refusal(format!("cannot listen on {address}: {error}: {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_texts(arguments: &[&str]) -> Result<String, String> {
        let arguments = arguments.iter().map(OsString::from);
        parse(arguments)
            .map(|address| address.to_string())
            .map_err(|refusal| refusal.0)
    }

    #[test]
    fn a_port_an_address_or_nothing_is_understood() {
        assert_eq!(parse_texts(&[]).unwrap(), "127.0.0.1:0");
        assert_eq!(parse_texts(&["8080"]).unwrap(), "127.0.0.1:8080");
        assert_eq!(parse_texts(&["0.0.0.0:80"]).unwrap(), "0.0.0.0:80");
        assert_eq!(parse_texts(&["[::1]:80"]).unwrap(), "[::1]:80");
    }

    #[test]
    fn anything_else_is_refused_with_the_usage() {
        for wrong in ["65536", "-1", "localhost", "1.2.3.4", "--help", ""] {
            assert!(
                parse_texts(&[wrong]).unwrap_err().contains(USAGE),
                "{wrong}"
            );
        }
        assert!(
            parse_texts(&["1", "2"])
                .unwrap_err()
                .contains("`2` is a second")
        );
    }

    #[test]
    fn an_address_that_cannot_be_had_is_refused_with_advice() {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
        for (kind, advice) in [
            (io::ErrorKind::AddrInUse, "another port"),
            (io::ErrorKind::PermissionDenied, "1024"),
            (io::ErrorKind::AddrNotAvailable, "of this machine"),
            (io::ErrorKind::OutOfMemory, "another address"),
        ] {
            let text = refused(address, &io::Error::from(kind)).to_string();
            assert!(
                text.starts_with("cannot listen on 127.0.0.1:80: "),
                "{text}"
            );
            assert!(text.contains(advice), "{text}");
        }
    }
}
