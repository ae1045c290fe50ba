//! Where to connect or listen: socket addresses, or host names that become some.
//!
//! A numeric address is parsed at once. Only a host name costs a lookup, on a thread of its own.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error;
use crate::net::lookup::Lookup;

/// What [`TcpListener::bind`](crate::net::TcpListener::bind) and
/// [`TcpStream::connect`](crate::net::TcpStream::connect) take: a socket address, several of them,
/// or a host and a port.
///
/// | type | meaning |
/// |---|---|
/// | `SocketAddr`, `SocketAddrV4`, `SocketAddrV6` | this address |
/// | `(IpAddr, u16)`, `(Ipv4Addr, u16)`, `(Ipv6Addr, u16)` | this address and port |
/// | `&[SocketAddr]` | these, in this order |
/// | `&str`, `String`, `&String` | `"127.0.0.1:80"`, `"[::1]:80"` or `"localhost:80"` |
/// | `(&str, u16)`, `(String, u16)` | an address or host name without the port |
///
/// A host name is looked up as the system is set up to do it, on a short-lived thread named
/// `tenter-lookup`.
///
/// This trait is sealed: it cannot be implemented outside of this crate.
pub trait ToSocketAddrs: sealed::Sealed {}

impl<A: sealed::Sealed> ToSocketAddrs for A {}

/// What an address argument turned out to be.
#[derive(Debug)]
pub enum Target {
    /// The addresses to try.
    Known(Vec<SocketAddr>),
    /// A host name.
    Host(Lookup),
    /// Neither.
    Invalid(io::Error),
}

impl Target {
    /// The addresses, once. At least one, except where an empty slice was given.
    pub fn poll_addresses(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<SocketAddr>>> {
        if let Target::Host(lookup) = self {
            let addresses = ready!(Pin::new(lookup).poll(cx));
            *self = Target::Known(Vec::new());
            return Poll::Ready(addresses);
        }
        Poll::Ready(match mem::replace(self, Target::Known(Vec::new())) {
            Target::Known(addresses) => Ok(addresses),
            Target::Invalid(error) => Err(error),
            Target::Host(_) => unreachable!("handled above"),
        })
    }
}

pub(crate) mod sealed {
    use super::Target;

    pub trait Sealed {
        fn target(self) -> Target;
    }
}

use sealed::Sealed;

impl Sealed for SocketAddr {
    fn target(self) -> Target {
        Target::Known(vec![self])
    }
}

impl Sealed for SocketAddrV4 {
    fn target(self) -> Target {
        SocketAddr::from(self).target()
    }
}

impl Sealed for SocketAddrV6 {
    fn target(self) -> Target {
        SocketAddr::from(self).target()
    }
}

impl Sealed for (IpAddr, u16) {
    fn target(self) -> Target {
        SocketAddr::from(self).target()
    }
}

impl Sealed for (Ipv4Addr, u16) {
    fn target(self) -> Target {
        SocketAddr::from(self).target()
    }
}

impl Sealed for (Ipv6Addr, u16) {
    fn target(self) -> Target {
        SocketAddr::from(self).target()
    }
}

impl Sealed for &SocketAddr {
    fn target(self) -> Target {
        (*self).target()
    }
}

impl Sealed for &[SocketAddr] {
    fn target(self) -> Target {
        Target::Known(self.to_vec())
    }
}

impl<const N: usize> Sealed for &[SocketAddr; N] {
    fn target(self) -> Target {
        Target::Known(self.to_vec())
    }
}

impl Sealed for &str {
    fn target(self) -> Target {
        if let Ok(address) = self.parse::<SocketAddr>() {
            return address.target();
        }
        let parts = self.rsplit_once(':');
        match parts.map(|(host, port)| (host, port.parse::<u16>())) {
            Some((host, Ok(port))) if !host.is_empty() => (host, port).target(),
            _ => Target::Invalid(error::plain(
                io::ErrorKind::InvalidInput,
                format!(
                    "`{self}` is not an address: write a host or an IP address, a colon and a port \
                     from 0 to 65535, as in `localhost:8080`, `127.0.0.1:8080` or `[::1]:8080`"
                ),
            )),
        }
    }
}

impl Sealed for String {
    fn target(self) -> Target {
        self.as_str().target()
    }
}

impl Sealed for &String {
    fn target(self) -> Target {
        self.as_str().target()
    }
}

impl Sealed for (&str, u16) {
    fn target(self) -> Target {
        let (host, port) = self;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        match bare.unwrap_or(host).parse::<IpAddr>() {
            Ok(address) => (address, port).target(),
            Err(_) => Target::Host(Lookup::new(host.to_owned(), port)),
        }
    }
}

impl Sealed for (String, u16) {
    fn target(self) -> Target {
        (self.0.as_str(), self.1).target()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(target: impl Sealed) -> Vec<String> {
        match target.target() {
            Target::Known(addresses) => addresses.iter().map(ToString::to_string).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numeric_addresses_are_known_at_once() {
        assert_eq!(known("127.0.0.1:80"), ["127.0.0.1:80"]);
        assert_eq!(known("[::1]:80"), ["[::1]:80"]);
        assert_eq!(known(("::1", 80)), ["[::1]:80"]);
        assert_eq!(known(("[::1]", 80)), ["[::1]:80"]);
        assert_eq!(known((Ipv4Addr::LOCALHOST, 80)), ["127.0.0.1:80"]);
        assert_eq!(known(String::from("0.0.0.0:0")), ["0.0.0.0:0"]);
    }

    #[test]
    fn a_host_name_is_looked_up() {
        assert!(matches!("localhost:80".target(), Target::Host(_)));
        assert!(matches!(("example.org", 443).target(), Target::Host(_)));
    }

    #[test]
    fn what_is_no_address_is_named_in_the_error() {
        for text in ["", "localhost", ":80", "localhost:99999", "localhost:http"] {
            let Target::Invalid(error) = text.target() else {
                panic!("`{text}` was taken");
            };
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().starts_with(&format!("`{text}` is not")));
        }
    }
}
