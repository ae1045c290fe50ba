//! The system calls of streams and listeners, each in its cheapest safe form.
//!
//! Writes ask for no SIGPIPE, so that a library loaded into a program that keeps the signal's
//! default does not end it.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use socket2::{Domain, Protocol, Socket, Type};

use crate::limits::LISTEN_BACKLOG;

#[cfg(not(target_vendor = "apple"))]
const SEND: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const SEND: SendFlags = SendFlags::empty();

/// The most buffers that one call takes.
const VECTOR_MAX: usize = 1024;

// `recv` and not `read`: a socket is told so, which saves the kernel the way through the layer of
// files, about 2 % of a small request.
pub fn read(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let (count, _length) = rustix::net::recv(fd, buffer, RecvFlags::empty())?;
    Ok(count)
}

pub fn read_uninit(fd: impl AsFd, buffer: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    let ((filled, _rest), _length) = rustix::net::recv(fd, buffer, RecvFlags::empty())?;
    Ok(filled.len())
}

pub fn read_vectored(fd: impl AsFd, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    let count = buffers.len().min(VECTOR_MAX);
    Ok(rustix::io::readv(fd, &mut buffers[..count])?)
}

pub fn peek(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let (count, _length) = rustix::net::recv(fd, buffer, RecvFlags::PEEK)?;
    Ok(count)
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

/// A non-blocking socket that listens at `address`.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = stream_socket(address)?;
    // So that a server can be started again while old connections time out.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(LISTEN_BACKLOG)?;
    Ok(socket.into())
}

/// A non-blocking socket that connects to `address`, or has done so.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = stream_socket(address)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(socket.into()),
        Err(error) => Err(error.into()),
    }
}

/// How a connection attempt stands: `None` while it goes on.
pub fn connected(socket: &TcpStream) -> Option<io::Result<()>> {
    match rustix::net::getpeername(socket) {
        Ok(_) => Some(Ok(())),
        Err(_) => match socket.take_error() {
            Ok(None) => None,
            Ok(Some(error)) | Err(error) => Some(Err(error)),
        },
    }
}

fn stream_socket(address: SocketAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Takes a connection: one system call, in which the new socket becomes non-blocking.
#[cfg(not(target_vendor = "apple"))]
pub fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    use rustix::net::{SocketFlags, acceptfrom_with};
    let (fd, peer) = acceptfrom_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
    let peer = peer.ok_or(Errno::AFNOSUPPORT)?.try_into()?;
    Ok((fd.into(), peer))
}

/// Takes a connection, where a socket cannot be born non-blocking.
#[cfg(target_vendor = "apple")]
pub fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok((stream, peer))
}
