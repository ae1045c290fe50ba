//! Names of Unix sockets: paths, and on Linux names that are in no file system.
//!
//! Tests: below; `io/tests/unix_names.rs`.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{SocketAddrAny, SocketAddrUnix};

use crate::error;

/// The name of a Unix socket: a path, or an address of the standard library.
///
/// On Linux a path that begins with a zero byte is an *abstract* name: it is in no file system, and
/// gone with its socket. `"\0name"` is the same as
/// `SocketAddr::from_abstract_name("name")`.
///
/// This trait is sealed: it cannot be implemented outside of this crate.
pub trait ToUnixAddr: sealed::Sealed {}

impl<A: sealed::Sealed> ToUnixAddr for A {}

pub(crate) mod sealed {
    use std::io;
    use std::os::unix::net::SocketAddr;

    pub trait Sealed {
        fn unix_addr(self) -> io::Result<SocketAddr>;
    }
}

use sealed::Sealed;

macro_rules! by_path {
    ($($type:ty),*) => {
        $(impl Sealed for $type {
            fn unix_addr(self) -> io::Result<SocketAddr> {
                let path: &Path = self.as_ref();
                from_path(path)
            }
        })*
    };
}

by_path!(&Path, &PathBuf, PathBuf, &str, &String, String, &OsStr);

impl Sealed for SocketAddr {
    fn unix_addr(self) -> io::Result<SocketAddr> {
        Ok(self)
    }
}

impl Sealed for &SocketAddr {
    fn unix_addr(self) -> io::Result<SocketAddr> {
        Ok(self.clone())
    }
}

fn from_path(path: &Path) -> io::Result<SocketAddr> {
    let bytes = path.as_os_str().as_bytes();
    let address = match bytes {
        [] | [0] => Err(Errno::INVAL.into()),
        [0, name @ ..] => from_abstract_name(name),
        _ => SocketAddr::from_pathname(path),
    };
    address.map_err(|cause| {
        error::explain(
            format!(
                "{path:?} cannot name a Unix socket: write a path of 1 to 107 bytes without zero \
                 bytes, or on Linux a zero byte and a name of 1 to 107 bytes"
            ),
            cause,
        )
    })
}

#[cfg(target_os = "linux")]
fn from_abstract_name(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn from_abstract_name(_name: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
fn abstract_name(address: &SocketAddr) -> Option<&[u8]> {
    use std::os::linux::net::SocketAddrExt;
    address.as_abstract_name()
}

#[cfg(not(target_os = "linux"))]
fn abstract_name(_address: &SocketAddr) -> Option<&[u8]> {
    None
}

/// The address of a socket that has none.
pub fn unnamed() -> io::Result<SocketAddr> {
    SocketAddr::from_pathname("")
}

/// The length of the longest address. Linux says one more of a path that fills the address, because
/// it counts a zero byte for which there is no room.
#[cfg(target_os = "linux")]
const LONGEST: u32 = 2 + 108;
#[cfg(not(target_os = "linux"))]
const LONGEST: u32 = u32::MAX;

/// As the standard library has it. A path that fills the address is none there, and no reason to
/// refuse a connection or a message: whoever has it counts as unnamed.
pub fn from_any(address: SocketAddrAny) -> io::Result<SocketAddr> {
    if address.addr_len() > LONGEST {
        return unnamed();
    }
    from_system(&SocketAddrUnix::try_from(address)?)
}

fn from_system(address: &SocketAddrUnix) -> io::Result<SocketAddr> {
    if let Some(path) = address.path_bytes() {
        // The longest path comes with its zero byte.
        let path = path.strip_suffix(&[0]).unwrap_or(path);
        return SocketAddr::from_pathname(OsStr::from_bytes(path)).or_else(|_| unnamed());
    }
    #[cfg(target_os = "linux")]
    if let Some(name) = address.abstract_name() {
        // An unnamed socket comes as one with an empty name, so nobody is given such a name.
        if !name.is_empty() {
            return from_abstract_name(name);
        }
    }
    unnamed()
}

/// As the system calls want it.
pub fn to_system(address: &SocketAddr) -> io::Result<SocketAddrUnix> {
    if let Some(path) = address.as_pathname() {
        return Ok(SocketAddrUnix::new(path)?);
    }
    #[cfg(target_os = "linux")]
    if let Some(name) = abstract_name(address) {
        return Ok(SocketAddrUnix::new_abstract_name(name)?);
    }
    Err(error::plain(
        io::ErrorKind::InvalidInput,
        "a Unix socket without a name cannot be reached; bind it to a path first".to_owned(),
    ))
}

/// For messages.
pub fn name(address: &SocketAddr) -> String {
    match (address.as_pathname(), abstract_name(address)) {
        (Some(path), _) => path.display().to_string(),
        (None, Some(name)) => format!("@{}", name.escape_ascii()),
        (None, None) => "an unnamed socket".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(address: &SocketAddr) -> String {
        let system = to_system(address).expect("it has a name");
        name(&from_system(&system).expect("the same"))
    }

    #[test]
    fn names_go_to_the_system_and_back() {
        let path = "/run/some.socket".unix_addr().expect("a path");
        assert_eq!(there_and_back(&path), "/run/some.socket");
        let long = "x".repeat(107).unix_addr().expect("the longest");
        assert_eq!(there_and_back(&long).len(), 107);
        let error = to_system(&unnamed().expect("no name")).expect_err("no name");
        assert!(error.to_string().contains("bind it to a path"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_leading_zero_byte_is_an_abstract_name() {
        let address = "\0hidden".unix_addr().expect("a name");
        assert_eq!(abstract_name(&address), Some(&b"hidden"[..]));
        assert_eq!(there_and_back(&address), "@hidden");
        // Zero bytes are a part of such a name.
        let odd = "\0a\0b".unix_addr().expect("a name");
        assert_eq!(there_and_back(&odd), "@a\\x00b");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "\0", "a\0b", &"x".repeat(108)] {
            let error = text.unix_addr().expect_err("no name");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
            assert!(error.to_string().contains("cannot name a Unix socket"));
        }
    }
}
