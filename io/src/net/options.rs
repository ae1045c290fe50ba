//! Options that several kinds of sockets have, for both families of addresses.
//!
//! IPv4 and IPv6 name the same thing differently: "time to live" and "hop limit", "type of service"
//! and "traffic class". Which of the two a socket has is asked of its own address, which also one
//! that is not bound yet can tell.
//!
//! Tests: `io/tests/socket.rs`, `io/tests/udp.rs`.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::AddressFamily;
use socket2::{SockRef, TcpKeepalive};

use crate::error;
use crate::net::keepalive::Keepalive;

/// The socket, as the library of options wants it.
pub fn of(fd: &impl AsFd) -> SockRef<'_> {
    SockRef::from(fd)
}

/// Whether its addresses are those of IPv6.
pub fn is_v6(fd: &impl AsFd) -> io::Result<bool> {
    let address = rustix::net::getsockname(fd)?;
    Ok(address.address_family() == AddressFamily::INET6)
}

pub fn ttl(fd: &impl AsFd) -> io::Result<u32> {
    if is_v6(fd)? {
        of(fd).unicast_hops_v6()
    } else {
        of(fd).ttl_v4()
    }
}

pub fn set_ttl(fd: &impl AsFd, hops: u32) -> io::Result<()> {
    if is_v6(fd)? {
        of(fd).set_unicast_hops_v6(hops)
    } else {
        of(fd).set_ttl_v4(hops)
    }
}

#[cfg(not(target_os = "linux"))]
pub fn tos(fd: &impl AsFd) -> io::Result<u32> {
    of(fd).tos_v4()
}

#[cfg(target_os = "linux")]
pub fn tos(fd: &impl AsFd) -> io::Result<u32> {
    if is_v6(fd)? {
        of(fd).tclass_v6()
    } else {
        of(fd).tos_v4()
    }
}

#[cfg(not(target_os = "linux"))]
pub fn set_tos(fd: &impl AsFd, tos: u32) -> io::Result<()> {
    of(fd).set_tos_v4(tos)
}

#[cfg(target_os = "linux")]
pub fn set_tos(fd: &impl AsFd, tos: u32) -> io::Result<()> {
    if is_v6(fd)? {
        of(fd).set_tclass_v6(tos)
    } else {
        of(fd).set_tos_v4(tos)
    }
}

/// In whole seconds, of which the system takes so many. A part of a second counts as one: cut off, it
/// would turn a short linger into a reset.
pub fn set_linger(fd: &impl AsFd, linger: Option<Duration>) -> io::Result<()> {
    let whole = |length: Duration| {
        let seconds = length
            .as_secs()
            .saturating_add(u64::from(length.subsec_nanos() > 0));
        Duration::from_secs(seconds.min(i32::MAX as u64))
    };
    of(fd).set_linger(linger.map(whole))
}

pub fn keepalive(fd: &impl AsFd) -> io::Result<Option<Keepalive>> {
    let socket = of(fd);
    if !socket.keepalive()? {
        return Ok(None);
    }
    let keepalive = Keepalive::new()
        .idle(socket.tcp_keepalive_time()?)
        .interval(socket.tcp_keepalive_interval()?)
        .count(socket.tcp_keepalive_retries()?);
    Ok(Some(keepalive))
}

pub fn set_keepalive(fd: &impl AsFd, keepalive: Option<Keepalive>) -> io::Result<()> {
    let Some(keepalive) = keepalive else {
        return of(fd).set_keepalive(false);
    };
    let mut system = TcpKeepalive::new();
    if let Some(idle) = keepalive.get_idle() {
        system = system.with_time(idle);
    }
    if let Some(interval) = keepalive.get_interval() {
        system = system.with_interval(interval);
    }
    if let Some(count) = keepalive.get_count() {
        system = system.with_retries(count);
    }
    of(fd).set_tcp_keepalive(&system).map_err(|cause| {
        error::explain(
            format!(
                "cannot set {keepalive:?}: times are at least a second, and Linux takes up to \
                 32767 s and 127 probes"
            ),
            cause,
        )
    })
}
