//! The file that names a Unix socket, which the system leaves behind when the socket is closed.
//!
//! ```text
//!   bind ─┬─ ok ─────────► the file is ours ─► drop: removed, if the path still leads to it
//!         └─ in use ─► does somebody listen there? ─┬─ yes ─► error: in use
//!                                                   └─ no ──► remove it, bind again
//! ```
//!
//! Whether somebody listens is asked with a datagram socket, so that a stream server does not see a
//! connection: the system refuses it in one way if the socket is alive and of another type, and in
//! another if it is dead.
//!
//! Two servers that find the same dead socket at the same moment can take each other's file away.
//! No order of calls prevents that; a lock file beside it would, and would be left behind itself.
//!
//! Tests: `io/tests/unix_names.rs`.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType};

use crate::error;
use crate::net::{sys, unix_address};

/// The file of a bound socket; dropping it removes the file.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    is_kept: bool,
}

impl SocketFile {
    fn of(path: &Path) -> Option<SocketFile> {
        let metadata = fs::symlink_metadata(path).ok()?;
        Some(SocketFile {
            // Absolute, so that it is found from another working directory.
            path: std::path::absolute(path).ok()?,
            device: metadata.dev(),
            inode: metadata.ino(),
            is_kept: false,
        })
    }

    /// Leaves the file where it is.
    pub fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours =
            |metadata: &fs::Metadata| metadata.dev() == self.device && metadata.ino() == self.inode;
        if !self.is_kept && fs::symlink_metadata(&self.path).is_ok_and(|found| is_ours(&found)) {
            // A drop has nobody to tell. The next server removes what is left.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A non-blocking socket of this type that is bound to `address`.
pub fn bind(address: &SocketAddr, kind: SocketType) -> io::Result<(OwnedFd, Option<SocketFile>)> {
    let name = unix_address::to_system(address)?;
    let socket = sys::new_socket(AddressFamily::UNIX, kind)?;
    let mut bound = rustix::net::bind(&socket, &name);
    if let (Err(Errno::ADDRINUSE), Some(path)) = (bound, address.as_pathname()) {
        if is_dead(path, &name)? {
            fs::remove_file(path)?;
            bound = rustix::net::bind(&socket, &name);
        }
    }
    bound.map_err(|cause| {
        let at = unix_address::name(address);
        error::explain(format!("cannot bind a Unix socket to {at}"), cause.into())
    })?;
    Ok((socket, address.as_pathname().and_then(SocketFile::of)))
}

/// Whether this is the file of a socket that nobody has open any more.
fn is_dead(path: &Path, name: &rustix::net::SocketAddrUnix) -> io::Result<bool> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if !is_socket {
        return Ok(false);
    }
    let probe = sys::new_socket(AddressFamily::UNIX, SocketType::DGRAM)?;
    let refused = rustix::net::connect(probe.as_fd(), name);
    Ok(refused == Err(Errno::CONNREFUSED))
}
