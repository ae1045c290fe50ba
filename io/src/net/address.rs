//! Where to connect or listen: socket addresses, or host names that become some.
//!
//! A numeric address is parsed at once. Only a host name costs a lookup, on a thread of its own.
//! A single address costs no allocation: it is what clients connect to and datagrams are sent to.
//!
//! Tests: below; `io/tests/lookup.rs`.

use std::io;
use std::iter::FusedIterator;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

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
/// | `&[SocketAddr]`, `&Vec<SocketAddr>` | these, in this order |
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
    /// The address.
    One(SocketAddr),
    /// The addresses to try, in this order.
    Several(Vec<SocketAddr>),
    /// A host name.
    Host(Lookup),
    /// Neither.
    Invalid(io::Error),
}

impl Target {
    /// The addresses, once. At least one, except where an empty slice was given.
    pub fn poll_addresses(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Addresses>> {
        if let Target::Host(lookup) = self {
            let addresses = ready!(Pin::new(lookup).poll(cx));
            *self = Target::Several(Vec::new());
            return Poll::Ready(addresses.map(Addresses::from));
        }
        Poll::Ready(match mem::replace(self, Target::Several(Vec::new())) {
            Target::One(address) => Ok(Addresses::from(address)),
            Target::Several(addresses) => Ok(Addresses::from(addresses)),
            Target::Invalid(error) => Err(error),
            Target::Host(_) => unreachable!("handled above"),
        })
    }
}

/// Addresses, one after another.
#[derive(Clone, Debug)]
pub struct Addresses {
    first: Option<SocketAddr>,
    rest: vec::IntoIter<SocketAddr>,
}

impl Addresses {
    /// In turns of one family and the other, beginning with that of the first: when one of them does
    /// not get through, every second attempt does.
    pub fn interleaved(self) -> Addresses {
        let all: Vec<SocketAddr> = self.collect();
        let Some(first) = all.first().copied() else {
            return Addresses::from(all);
        };
        let mut turns = Vec::with_capacity(all.len());
        let (same, other): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|address| address.is_ipv6() == first.is_ipv6());
        let (mut same, mut other) = (same.into_iter(), other.into_iter());
        loop {
            let pair = (same.next(), other.next());
            if pair == (None, None) {
                return Addresses::from(turns);
            }
            turns.extend(pair.0.into_iter().chain(pair.1));
        }
    }
}

impl From<SocketAddr> for Addresses {
    fn from(address: SocketAddr) -> Self {
        Addresses {
            first: Some(address),
            rest: Vec::new().into_iter(),
        }
    }
}

impl From<Vec<SocketAddr>> for Addresses {
    fn from(addresses: Vec<SocketAddr>) -> Self {
        Addresses {
            first: None,
            rest: addresses.into_iter(),
        }
    }
}

impl Iterator for Addresses {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        self.first.take().or_else(|| self.rest.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = usize::from(self.first.is_some()) + self.rest.len();
        (count, Some(count))
    }
}

impl ExactSizeIterator for Addresses {}
impl FusedIterator for Addresses {}

pub(crate) mod sealed {
    use super::Target;

    pub trait Sealed {
        fn target(self) -> Target;
    }
}

use sealed::Sealed;

impl Sealed for SocketAddr {
    fn target(self) -> Target {
        Target::One(self)
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
        Target::Several(self.to_vec())
    }
}

impl Sealed for &Vec<SocketAddr> {
    fn target(self) -> Target {
        Target::Several(self.clone())
    }
}

impl<const N: usize> Sealed for &[SocketAddr; N] {
    fn target(self) -> Target {
        Target::Several(self.to_vec())
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
        let bare = bare.unwrap_or(host);
        match bare.parse::<IpAddr>() {
            Ok(address) => (address, port).target(),
            // No host name stands in brackets; an address with the name of a zone does, which only
            // the system's lookup knows.
            Err(_) => Target::Host(Lookup::new(bare.to_owned(), port)),
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
            Target::One(address) => vec![address.to_string()],
            Target::Several(addresses) => addresses.iter().map(ToString::to_string).collect(),
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
    fn families_take_turns_beginning_with_the_first() {
        let turns = |texts: &[&str]| -> Vec<String> {
            let all: Vec<SocketAddr> = texts
                .iter()
                .map(|text| text.parse().expect("an address"))
                .collect();
            let addresses = Addresses::from(all).interleaved();
            addresses.map(|address| address.to_string()).collect()
        };
        let (a, b, c) = ("[::1]:1", "[::2]:1", "[::3]:1");
        let (x, y) = ("1.1.1.1:1", "2.2.2.2:1");
        assert_eq!(turns(&[a, b, c, x, y]), [a, x, b, y, c]);
        assert_eq!(turns(&[x, y, a]), [x, a, y]);
        assert_eq!(turns(&[a, b]), [a, b]);
        assert_eq!(turns(&[]), [""; 0]);
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
