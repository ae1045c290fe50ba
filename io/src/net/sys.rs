//! The system calls of sockets, each in its cheapest safe form.
//!
//! Writes ask for no SIGPIPE, so that a library loaded into a program that keeps the signal's
//! default does not end it.
//!
//! Tests: those of the sockets; `io/tests/faults.rs` for the signal.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::addr::SocketAddrArg;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendFlags,
    SocketAddrAny, SocketType,
};
use socket2::SockRef;

use crate::async_fd::Taken;
use crate::net::family::{FromSystem, StdListener};

#[cfg(not(target_vendor = "apple"))]
pub const SEND: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
pub const SEND: SendFlags = SendFlags::empty();

/// The most buffers that one call takes.
const VECTOR_MAX: usize = 1024;

// `recv` and not `read`: a socket is told so, which saves the kernel the way through the layer of
// files, about 2 % of a small request.
pub fn read(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    recv(fd, buffer, RecvFlags::empty())
}

pub fn recv(fd: impl AsFd, buffer: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
    let (count, _length) = rustix::net::recv(fd, buffer, flags)?;
    Ok(count)
}

pub fn read_uninit(fd: impl AsFd, buffer: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    let ((filled, _rest), _length) = rustix::net::recv(fd, buffer, RecvFlags::empty())?;
    Ok(filled.len())
}

/// Reads, and tells whether the read ended where something came along that is no byte. What that is (the
/// descriptors of a Unix stream) is dropped.
pub fn read_to_the_cut(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<Taken> {
    let mut nothing = RecvAncillaryBuffer::default();
    let buffers = &mut [IoSliceMut::new(buffer)];
    let message = rustix::net::recvmsg(fd, buffers, &mut nothing, RecvFlags::empty())?;
    Ok(Taken {
        count: message.bytes,
        cut: message.flags.contains(ReturnFlags::CTRUNC),
    })
}

pub fn read_vectored(fd: impl AsFd, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    let count = buffers.len().min(VECTOR_MAX);
    Ok(rustix::io::readv(fd, &mut buffers[..count])?)
}

pub fn peek(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    recv(fd, buffer, RecvFlags::PEEK)
}

/// One datagram and who sent it.
pub fn recv_from<A: FromSystem>(
    fd: impl AsFd,
    buffer: &mut [u8],
    flags: RecvFlags,
) -> io::Result<(usize, A)> {
    let (count, _length, from) = rustix::net::recvfrom(fd, buffer, flags)?;
    Ok((count, A::from_system(from)?))
}

pub fn write(fd: impl AsFd, buffer: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(fd, buffer, SEND)?)
}

pub fn write_vectored(fd: impl AsFd, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    let count = buffers.len().min(VECTOR_MAX);
    let mut control = SendAncillaryBuffer::default();
    Ok(rustix::net::sendmsg(
        fd,
        &buffers[..count],
        &mut control,
        SEND,
    )?)
}

pub fn send_to(fd: impl AsFd, buffer: &[u8], to: &impl SocketAddrArg) -> io::Result<usize> {
    Ok(rustix::net::sendto(fd, buffer, SEND, to)?)
}

pub fn shutdown(fd: impl AsFd, how: Shutdown) -> io::Result<()> {
    let how = match how {
        Shutdown::Read => rustix::net::Shutdown::Read,
        Shutdown::Write => rustix::net::Shutdown::Write,
        Shutdown::Both => rustix::net::Shutdown::Both,
    };
    Ok(rustix::net::shutdown(fd, how)?)
}

pub fn local_addr<A: FromSystem>(fd: impl AsFd) -> io::Result<A> {
    A::from_system(Some(rustix::net::getsockname(fd)?))
}

pub fn peer_addr<A: FromSystem>(fd: impl AsFd) -> io::Result<A> {
    A::from_system(rustix::net::getpeername(fd)?)
}

/// The pending error of a socket, which is gone then.
pub fn take_error(fd: impl AsFd) -> io::Result<Option<io::Error>> {
    let error = rustix::net::sockopt::socket_error(fd)?;
    Ok(error.err().map(io::Error::from))
}

/// Starts to connect `fd`, which is non-blocking: it is connected, or will be.
pub fn connect(fd: impl AsFd, address: &impl SocketAddrArg) -> io::Result<()> {
    match rustix::net::connect(fd, address) {
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// How a connection attempt stands: `None` while it goes on.
pub fn connected(fd: impl AsFd) -> Option<io::Result<()>> {
    match rustix::net::getpeername(&fd) {
        Ok(_) => Some(Ok(())),
        Err(_) => match take_error(fd) {
            Ok(None) => None,
            Ok(Some(error)) | Err(error) => Some(Err(error)),
        },
    }
}

/// Whether the system thinks that this socket has room.
pub fn is_writable(fd: impl AsFd) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::new(&fd, PollFlags::OUT)];
    poll(&mut fds, Some(&Timespec::default()))?;
    Ok(fds[0].revents().contains(PollFlags::OUT))
}

/// The family of an IP address, as `socket` wants it.
pub fn family_of(address: &SocketAddr) -> AddressFamily {
    match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    }
}

/// A non-blocking socket that listens at `address`.
pub fn listen(address: SocketAddr, backlog: i32) -> io::Result<OwnedFd> {
    let socket = new_socket(family_of(&address), SocketType::STREAM)?;
    // So that a server can be started again while old connections time out.
    SockRef::from(&socket).set_reuse_address(true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, backlog)?;
    Ok(socket)
}

/// A non-blocking socket: one system call.
#[cfg(not(target_vendor = "apple"))]
pub fn new_socket(family: AddressFamily, kind: SocketType) -> io::Result<OwnedFd> {
    use rustix::net::SocketFlags;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(family, kind, flags, None)?)
}

/// A non-blocking socket that never raises SIGPIPE, where it cannot be born so.
#[cfg(target_vendor = "apple")]
pub fn new_socket(family: AddressFamily, kind: SocketType) -> io::Result<OwnedFd> {
    let domain = socket2::Domain::from(i32::from(family.as_raw()));
    let kind = socket2::Type::from(kind.as_raw() as i32);
    let socket = socket2::Socket::new(domain, kind, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Takes a connection: one system call, in which the new socket becomes non-blocking.
pub fn accept<L: StdListener>(listener: &L) -> io::Result<(L::Stream, L::Address)> {
    let (fd, peer) = accept_fd(listener)?;
    let peer = L::Address::from_system(peer)?;
    Ok((fd.into(), peer))
}

#[cfg(not(target_vendor = "apple"))]
fn accept_fd(listener: impl AsFd) -> io::Result<(OwnedFd, Option<SocketAddrAny>)> {
    use rustix::net::{SocketFlags, acceptfrom_with};
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(acceptfrom_with(listener, flags)?)
}

/// Where a socket cannot be born non-blocking.
#[cfg(target_vendor = "apple")]
fn accept_fd(listener: impl AsFd) -> io::Result<(OwnedFd, Option<SocketAddrAny>)> {
    let (fd, peer) = rustix::net::acceptfrom(listener)?;
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&fd, true)?;
    SockRef::from(&fd).set_nosigpipe(true)?;
    Ok((fd, peer))
}
