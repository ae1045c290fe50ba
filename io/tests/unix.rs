//! Unix sockets: streams and listeners.

mod rig;

use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net as std_unix;
use std::pin::{Pin, pin};
use std::task::{Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};
use rig::folder::Folder;
use rig::{Rig, join_all, poll_once};
use tenter_io::net::{UnixDatagram, UnixListener, UnixStream};
use tenter_io::{AsyncReadExt, AsyncWriteExt, Interest};
use tenter_timer::{Clock, Timers};

on_every_backend! {
    an_echo_comes_back,
    data_then_end_is_never_missed,
    what_stands_behind_a_descriptor_is_read,
    what_stands_behind_an_urgent_byte_is_read,
    half_close_ends_one_direction_only,
    writing_after_the_peer_has_gone_is_an_error,
    empty_buffers_do_nothing,
    peek_vectored_and_uninitialised,
    halves_are_those_of_tcp,
    try_operations_never_wait,
    incoming_goes_on_for_ever,
    a_full_queue_is_waited_for,
    a_pause_ends_with_its_runtime,
    from_the_standard_library_and_back,
}

fn an_echo_comes_back(rig: &mut Rig) {
    let folder = Folder::new();
    let path = folder.path("echo");
    rig.block_on(async {
        let listener = UnixListener::bind(&path)?;
        assert_eq!(listener.local_addr()?.as_pathname(), Some(&*path));
        let mut client = UnixStream::connect(&path).await?;
        let (mut server, peer) = listener.accept().await?;
        assert!(peer.is_unnamed());
        assert_eq!(client.peer_addr()?.as_pathname(), Some(&*path));
        assert!(client.local_addr()?.is_unnamed());
        for round in 0..100_u8 {
            client.write_all(&[round; 64]).await?;
            let mut buffer = [0; 64];
            server.read_exact(&mut buffer).await?;
            server.write_all(&buffer).await?;
            let mut answer = [0; 64];
            client.read_exact(&mut answer).await?;
            assert_eq!(answer, [round; 64]);
        }
        // More than the system's buffers hold.
        let data: Vec<u8> = (0..=250).collect::<Vec<u8>>().repeat(10_000);
        let write = async {
            client.write_all(&data).await?;
            client.close().await?;
            Ok(Vec::new())
        };
        let read = async {
            let mut received = Vec::new();
            server.read_to_end(&mut received).await?;
            Ok(received)
        };
        let outcomes = join_all::<io::Result<_>>(vec![Box::pin(write), Box::pin(read)]).await;
        let outcomes: Vec<_> = outcomes.into_iter().collect::<io::Result<_>>()?;
        assert!(outcomes[1] == data);
        io::Result::Ok(())
    })
    .expect("echo");
}

fn data_then_end_is_never_missed(rig: &mut Rig) {
    rig.block_on(async {
        let mut buffer = [0; 64];
        for round in 0..500 {
            let (client, mut server) = UnixStream::pair()?;
            let mut read = Box::pin(server.read(&mut buffer));
            if round % 2 == 0 {
                assert!(poll_once(read.as_mut()).is_pending());
            }
            assert_eq!(client.try_write(b"last words")?, 10);
            client.shutdown(Shutdown::Write)?;
            assert_eq!(read.await?, 10);
            assert_eq!(server.read(&mut buffer).await?, 0);
        }
        io::Result::Ok(())
    })
    .expect("all ends were seen");
}

/// A read ends where the peer has sent a descriptor along, however much stands behind it. It has not
/// emptied the socket then, and there is no event to come.
fn what_stands_behind_a_descriptor_is_read(rig: &mut Rig) {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    rig.block_on(async {
        let (client, mut server) = UnixStream::pair()?;
        for _ in 0..50 {
            let mut buffer = [0; 64];
            // The reader waits, so that the event comes for both messages together.
            assert!(poll_once(pin!(server.read(&mut buffer))).is_pending());
            let passed = [client.as_fd()];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            assert!(control.push(SendAncillaryMessage::ScmRights(&passed)));
            let parts = [IoSlice::new(b"with")];
            sendmsg(&client, &parts, &mut control, SendFlags::empty())?;
            assert_eq!(client.try_write(b"behind")?, 6);
            let mut received = Vec::new();
            while received.len() < 10 {
                let count = server.read(&mut buffer).await?;
                received.extend_from_slice(&buffer[..count]);
            }
            assert_eq!(received, b"withbehind");
        }
        io::Result::Ok(())
    })
    .expect("all of it");
}

/// Fault 35.
/// An urgent byte cuts a read as well, and no flag says so. It is an event of its own.
fn what_stands_behind_an_urgent_byte_is_read(rig: &mut Rig) {
    use rustix::net::{SendFlags, send};

    rig.block_on(async {
        for waits_first in [false, true] {
            let (mut reader, writer) = UnixStream::pair()?;
            let write = |bytes: &[u8], flags| send(&writer, bytes, flags).map(drop);
            let mut buffer = [0; 64];
            if waits_first {
                write(b"1", SendFlags::empty())?;
                assert_eq!(reader.read(&mut buffer).await?, 1);
                assert!(poll_once(pin!(reader.read(&mut buffer))).is_pending());
            }
            write(b"ab", SendFlags::empty())?;
            match write(b"!", SendFlags::OOB) {
                // Not every kernel has them on Unix streams.
                Err(rustix::io::Errno::OPNOTSUPP) => return Ok(()),
                sent => sent?,
            }
            write(b"cd", SendFlags::empty())?;
            let mut read = Vec::new();
            while !read.ends_with(b"cd") {
                let count = reader.read(&mut buffer).await?;
                assert!(count > 0, "{read:?}");
                read.extend_from_slice(&buffer[..count]);
            }
            assert_eq!(read, b"abcd");
        }
        io::Result::Ok(())
    })
    .expect("the system's own calls work");
}

fn half_close_ends_one_direction_only(rig: &mut Rig) {
    rig.block_on(async {
        let (client, mut server) = UnixStream::pair()?;
        client.shutdown(Shutdown::Write)?;
        let mut buffer = Vec::new();
        assert_eq!(server.read_to_end(&mut buffer).await?, 0);
        server.write_all(b"still here").await?;
        server.close().await?;
        (&client).read_to_end(&mut buffer).await?;
        assert_eq!(buffer, b"still here");
        io::Result::Ok(())
    })
    .expect("half-close");
}

/// Fault 36.
fn writing_after_the_peer_has_gone_is_an_error(rig: &mut Rig) {
    rig.block_on(async {
        let (mut client, server) = UnixStream::pair()?;
        drop(server);
        let error = client.write_all(b"anybody?").await.expect_err("gone");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(client.read(&mut [0]).await?, 0);
        client.shutdown(Shutdown::Both)?;
        io::Result::Ok(())
    })
    .expect("gone");
}

/// Fault 38.
fn empty_buffers_do_nothing(rig: &mut Rig) {
    rig.block_on(async {
        let (mut client, mut server) = UnixStream::pair()?;
        assert_eq!(server.read(&mut []).await?, 0);
        assert_eq!(server.peek(&mut []).await?, 0);
        assert_eq!(poll_fn(|cx| server.poll_peek(cx, &mut [])).await?, 0);
        assert_eq!(client.write(&[]).await?, 0);
        assert_eq!(server.try_read(&mut [])?, 0);
        assert_eq!(server.try_read_vectored(&mut [])?, 0);
        assert_eq!(client.try_write(&[])?, 0);
        assert_eq!(client.try_write_vectored(&[IoSlice::new(b"")])?, 0);
        client.write_all(b"not the end").await?;
        let mut buffer = [0; 11];
        server.read_exact(&mut buffer).await?;
        assert_eq!(&buffer, b"not the end");
        io::Result::Ok(())
    })
    .expect("empty buffers");
}

fn peek_vectored_and_uninitialised(rig: &mut Rig) {
    rig.block_on(async {
        let (client, server) = UnixStream::pair()?;
        let parts = [IoSlice::new(b"head"), IoSlice::new(b"body")];
        let mut writer = &client;
        let count = poll_fn(|cx| Pin::new(&mut writer).poll_write_vectored(cx, &parts)).await?;
        assert_eq!(count, 8);
        let mut buffer = [0; 4];
        assert_eq!(server.peek(&mut buffer).await?, 4);
        assert_eq!(poll_fn(|cx| server.poll_peek(cx, &mut buffer)).await?, 4);
        assert_eq!(&buffer, b"head");
        let (mut first, mut second) = ([0; 3], [0; 3]);
        let mut reader = &server;
        let count = poll_fn(|cx| {
            let mut parts = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
            Pin::new(&mut reader).poll_read_vectored(cx, &mut parts)
        })
        .await?;
        assert_eq!((count, &first, &second), (6, b"hea", b"dbo"));
        let mut fresh = [MaybeUninit::uninit(); 8];
        let count = poll_fn(|cx| server.poll_read_uninit(cx, &mut fresh)).await?;
        assert_eq!(count, 2);
        assert_eq!(client.try_write_vectored(&parts)?, 8);
        server.readable().await?;
        let mut all = [0; 16];
        assert_eq!(
            server.try_read_vectored(&mut [IoSliceMut::new(&mut all)])?,
            8
        );
        assert_eq!(&all[..8], b"headbody");
        io::Result::Ok(())
    })
    .expect("vectored");
}

fn halves_are_those_of_tcp(rig: &mut Rig) {
    rig.block_on(async {
        let (one, two) = UnixStream::pair()?;
        let (mut one, mut two) = (one, two);
        {
            let (mut read, mut write) = one.split();
            let (mut other_read, mut other_write) = two.split();
            write.write_all(b"a").await?;
            other_write.write_all(b"b").await?;
            let mut byte = [0];
            read.read_exact(&mut byte).await?;
            assert_eq!(&byte, b"b");
            other_read.read_exact(&mut byte).await?;
            assert_eq!(&byte, b"a");
        }
        let (one_read, one_write) = one.into_split();
        let (two_read, two_write) = two.into_split();
        let error = one_read.unsplit(two_write).expect_err("not its own");
        let (one_read, two_write) = (error.0, error.1);
        let one = one_read.unsplit(one_write).expect("its own");
        let mut two = two_read.unsplit(two_write).expect("its own");
        let (_read, write) = one.into_split();
        drop(write);
        assert_eq!(two.read(&mut [0]).await?, 0);
        io::Result::Ok(())
    })
    .expect("halves");
}

fn try_operations_never_wait(rig: &mut Rig) {
    rig.block_on(async {
        let (client, server) = UnixStream::pair()?;
        let mut buffer = [0; 16];
        let error = server.try_read(&mut buffer).expect_err("nothing is there");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(client.try_write(b"now")?, 3);
        poll_fn(|cx| server.poll_readable(cx)).await?;
        assert_eq!(server.try_read(&mut buffer)?, 3);
        let mut full = 0;
        while let Ok(count) = client.try_write(&[0; 65_536]) {
            full += count;
        }
        let mut sink = vec![0; full];
        let reader = async { (&server).read_exact(&mut sink).await };
        let writer = async { poll_fn(|cx| client.poll_writable(cx)).await };
        join_all::<io::Result<()>>(vec![Box::pin(reader), Box::pin(writer)])
            .await
            .into_iter()
            .collect::<io::Result<()>>()?;
        assert_eq!(server.try_io(Interest::WRITABLE, || Ok(1))?, 1);
        assert!(server.take_error()?.is_none());
        io::Result::Ok(())
    })
    .expect("try");
}

fn incoming_goes_on_for_ever(rig: &mut Rig) {
    let folder = Folder::new();
    let path = folder.path("incoming");
    rig.block_on(async {
        let listener = UnixListener::bind(&path)?;
        let mut incoming = listener.incoming();
        assert!(poll_once(pin!(incoming.next())).is_pending());
        for _ in 0..5 {
            let client = std_unix::UnixStream::connect(&path)?;
            let server = incoming.next().await?;
            io::Write::write_all(&mut &client, b"x")?;
            (&server).read_exact(&mut [0]).await?;
        }
        let error = listener.try_accept().expect_err("nobody knocks");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(listener.aborted_count(), 0);
        io::Result::Ok(())
    })
    .expect("no error");
}

/// Whoever waits for room when the runtime ends is told, and neither waits for ever nor panics.
fn a_pause_ends_with_its_runtime(rig: &mut Rig) {
    let folder = Folder::new();
    let path = folder.path("full");
    let timers = Timers::new(Clock::virtual_from_zero(), Waker::noop().clone());
    let _time = timers.enter();
    let _inside = rig.enter();
    let listener = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
    let listener = listener.expect("a socket");
    let address = socket2::SockAddr::unix(&path).expect("a path");
    listener.bind(&address).expect("bound");
    listener.listen(0).expect("listens");
    let filler = std_unix::UnixStream::connect(&path).expect("there is room for one");
    let mut connect = Box::pin(UnixStream::connect(&path));
    assert!(poll_once(connect.as_mut()).is_pending());
    let receiver = std_unix::UnixDatagram::bind(folder.path("receiver")).expect("bound");
    let sender = UnixDatagram::unbound().expect("a socket");
    let to = folder.path("receiver");
    let mut send = loop {
        let mut send = Box::pin(sender.send_to(b"x", &to));
        if poll_once(send.as_mut()).is_pending() {
            break send;
        }
    };
    timers.shutdown();
    let refused = |outcome: Poll<io::Result<()>>| {
        let Poll::Ready(Err(error)) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(error.to_string().contains("has shut down"), "{error}");
    };
    refused(poll_once(connect.as_mut()).map_ok(drop));
    refused(poll_once(send.as_mut()).map_ok(drop));
    drop((filler, receiver));
}

/// The system says "try again" and never when.
fn a_full_queue_is_waited_for(rig: &mut Rig) {
    let folder = Folder::new();
    let path = folder.path("full");
    let clock = Clock::virtual_from_zero();
    let timers = Timers::new(clock.clone(), Waker::noop().clone());
    let _time = timers.enter();
    let _inside = rig.enter();
    let listener = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
    let listener = listener.expect("a socket");
    let address = socket2::SockAddr::unix(&path).expect("a path");
    listener.bind(&address).expect("bound");
    listener.listen(0).expect("listens");
    let filler = std_unix::UnixStream::connect(&path).expect("there is room for one");
    let mut connect = Box::pin(UnixStream::connect(&path));
    let mut pauses = Vec::new();
    for _ in 0..9 {
        assert!(poll_once(connect.as_mut()).is_pending());
        let next = timers.next_deadline().expect("a pause");
        pauses.push(next.duration_since(clock.now()).as_millis());
        clock.advance_to(next);
        timers.fire_due(next);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
    listener.accept().expect("the filler");
    let stream = rig.block_on(connect).expect("there is room");
    assert_eq!(timers.armed(), 0);
    drop((stream, filler));
}

fn from_the_standard_library_and_back(rig: &mut Rig) {
    let folder = Folder::new();
    let path = folder.path("std");
    let _inside = rig.enter();
    let listener = std_unix::UnixListener::bind(&path).expect("bound");
    let listener = UnixListener::try_from(listener).expect("taken over");
    let listener = UnixListener::try_from(OwnedFd::from(listener)).expect("by its descriptor");
    assert!(format!("{listener:?}").contains("UnixListener"));
    let stream = std_unix::UnixStream::connect(&path).expect("connected");
    rig.block_on(listener.accept()).expect("accepted");
    // It is not this listener that has made the file.
    drop(std_unix::UnixListener::from(listener));
    assert!(path.exists());
    let stream = UnixStream::try_from(stream).expect("taken over");
    assert_eq!(stream.as_fd().as_raw_fd(), stream.as_raw_fd());
    let stream = UnixStream::try_from(OwnedFd::from(stream)).expect("by its descriptor");
    let stream = std_unix::UnixStream::from(stream);
    UnixDatagram::try_from(OwnedFd::from(stream)).expect_err("a stream");
    let (one, _two) = std_unix::UnixDatagram::pair().expect("a pair");
    let one = UnixDatagram::try_from(one).expect("taken over");
    let one = UnixDatagram::try_from(OwnedFd::from(one)).expect("by its descriptor");
    let error = std_unix::UnixDatagram::from(one)
        .recv(&mut [0])
        .expect_err("non-blocking");
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}

#[cfg(target_os = "linux")]
#[test]
fn credentials_are_those_of_the_peer() {
    let rig = Rig::new(tenter_io::Backend::Best);
    let _inside = rig.enter();
    let (one, _two) = UnixStream::pair().expect("a pair");
    let peer = one.peer_cred().expect("credentials");
    assert_eq!(
        peer.pid(),
        i32::try_from(std::process::id()).expect("a number")
    );
    assert_eq!(peer.uid(), rustix::process::getuid().as_raw());
    assert_eq!(peer.gid(), rustix::process::getgid().as_raw());
}

/// Fault 25, on a Unix socket: the same pause as on any other.
#[test]
fn fault_25_out_of_descriptors_in_accept() {
    rig::child::alone("fault_25_out_of_descriptors_in_accept", || {
        let clock = Clock::virtual_from_zero();
        let timers = Timers::new(clock.clone(), Waker::noop().clone());
        let _time = timers.enter();
        let folder = Folder::new();
        let path = folder.path("exhausted");
        let mut rig = Rig::new(tenter_io::Backend::Best);
        let _inside = rig.enter();
        let listener = UnixListener::bind(&path).expect("bound");
        let _client = std_unix::UnixStream::connect(&path).expect("connected");
        rig::until(|| somebody_knocks(&listener));
        let files = rig::child::exhaust_descriptors(0);
        for length in ["5ms", "10ms", "20ms"] {
            let Poll::Ready(Err(error)) = poll_once(pin!(listener.accept())) else {
                panic!("there is no room");
            };
            let text = error.to_string();
            assert!(
                text.contains("exhausted") && text.contains(length),
                "{text}"
            );
            // The next one waits, however often it is asked.
            assert!(poll_once(pin!(listener.accept())).is_pending());
            let next = clock.now() + std::time::Duration::from_millis(20);
            clock.advance_to(next);
            timers.fire_due(next);
        }
        drop(files);
        rig.block_on(listener.accept()).expect("there is room");
    });
}

/// A connection has reached the queue: a look from outside.
fn somebody_knocks(listener: &UnixListener) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::new(listener, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec::default())) == Ok(1)
}
