//! Who is on the other side of a Unix socket.

use std::io;
use std::os::fd::AsFd;

/// The process and user on the other side of a Unix socket, as the system vouches for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "UCred")]
#[doc(alias = "SO_PEERCRED")]
pub struct Credentials {
    pid: i32,
    uid: u32,
    gid: u32,
}

impl Credentials {
    #[cfg(target_os = "linux")]
    pub(crate) fn of_peer(fd: impl AsFd) -> io::Result<Credentials> {
        let peer = rustix::net::sockopt::socket_peercred(fd)?;
        Ok(Credentials {
            pid: peer.pid.as_raw_pid(),
            uid: peer.uid.as_raw(),
            gid: peer.gid.as_raw(),
        })
    }

    /// The process that has connected, or listened. It may have ended since, and its number may be
    /// another's; one of a process that this one cannot see is 0.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Its effective user.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// Its effective group.
    pub fn gid(&self) -> u32 {
        self.gid
    }
}
