//! `Async<T>`: any descriptor that can be polled.

mod rig;

use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rig::{Count, Rig, join_all, open_fds, poll_once, until};
use tenter_io::{Async, Backend, Interest};

on_every_backend! {
    a_pipe_is_read_when_something_was_written,
    many_tasks_wait_for_one_direction,
    a_dropped_wait_is_forgotten,
    more_tasks_poll_one_direction_than_have_a_place,
    spurious_readiness_is_waited_out,
    a_source_is_given_back_whole,
    forgotten_futures_harm_nobody,
}

fn pipe(rig: &Rig) -> (Async<UnixStream>, Async<UnixStream>) {
    let _entered = rig.enter();
    let (reader, writer) = UnixStream::pair().expect("a pair");
    let reader = Async::new(reader).expect("registered");
    (reader, Async::new(writer).expect("registered"))
}

fn a_pipe_is_read_when_something_was_written(rig: &mut Rig) {
    let (reader, writer) = pipe(rig);
    let mut buffer = [0; 16];
    let mut read = Box::pin(reader.read_with(|mut pipe| pipe.read(&mut buffer)));
    assert!(poll_once(read.as_mut()).is_pending());
    let count = rig.block_on(async {
        writer.write_with(|mut pipe| pipe.write(b"through")).await?;
        read.await
    });
    assert_eq!(count.expect("read"), 7);
    assert_eq!(&buffer[..7], b"through");
    drop(writer);
    let end = rig.block_on(reader.read_with(|mut pipe| pipe.read(&mut buffer)));
    assert_eq!(end.expect("read"), 0);
}

/// What quinn needs: one socket, a task for each connection, all of them waiting to write.
fn many_tasks_wait_for_one_direction(rig: &mut Rig) {
    let (reader, writer) = pipe(rig);
    let mut full = 0;
    while poll_once(pin!(writer.writable())).is_ready() {
        full += writer
            .try_io(Interest::WRITABLE, || writer.get_ref().write(&[0; 4096]))
            .unwrap_or(0);
    }
    let waits: Vec<_> = (0..100).map(|_| Count::new()).collect();
    let mut futures: Vec<_> = waits.iter().map(|_| Box::pin(writer.writable())).collect();
    for (future, (_, waker)) in futures.iter_mut().zip(&waits) {
        let mut cx = Context::from_waker(waker);
        assert!(future.as_mut().poll(&mut cx).is_pending());
    }
    let mut sink = vec![0; full];
    reader.get_ref().read_exact(&mut sink).expect("emptied");
    rig.block_on(writer.writable()).expect("room");
    for (future, (count, waker)) in futures.iter_mut().zip(&waits) {
        // The driver's thread may still be at it.
        until(|| count.get() == 1);
        let mut cx = Context::from_waker(waker);
        assert!(future.as_mut().poll(&mut cx).is_ready());
    }
}

fn a_dropped_wait_is_forgotten(rig: &mut Rig) {
    let (reader, writer) = pipe(rig);
    rig::run_dry(&reader);
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    {
        let mut wait = pin!(reader.readable());
        assert!(wait.as_mut().poll(&mut cx).is_pending());
    }
    assert_eq!(
        Arc::strong_count(&count),
        2,
        "only the waker in our hands is left"
    );
    writer.get_ref().write_all(b"x").expect("written");
    rig.block_on(reader.readable()).expect("readable");
    assert_eq!(count.get(), 0);
}

/// async-io wakes the task that a second one pushes out, so that both poll in turns for ever.
fn more_tasks_poll_one_direction_than_have_a_place(rig: &mut Rig) {
    let (reader, writer) = pipe(rig);
    rig::run_dry(&reader);
    let waits: Vec<_> = (0..30).map(|_| Count::new()).collect();
    let mut polls = 0;
    // Tasks that were woken poll again, as they would in an executor.
    let mut woken = vec![usize::MAX; waits.len()];
    for _ in 0..4 {
        for ((count, waker), woken) in waits.iter().zip(&mut woken) {
            if *woken != count.get() {
                *woken = count.get();
                polls += 1;
                assert!(
                    reader
                        .poll_readable(&mut Context::from_waker(waker))
                        .is_pending()
                );
            }
        }
    }
    assert!(polls <= 4 * waits.len());
    writer.get_ref().write_all(b"x").expect("written");
    rig.block_on(reader.readable()).expect("readable");
    for ((count, waker), woken) in waits.iter().zip(&woken) {
        until(|| *woken == usize::MAX || count.get() > *woken);
        assert!(
            reader
                .poll_readable(&mut Context::from_waker(waker))
                .is_ready()
        );
    }
}

/// tokio #7494: readiness is a hint. Two are woken for one byte; the one that gets nothing waits
/// on.
fn spurious_readiness_is_waited_out(rig: &mut Rig) {
    let (reader, writer) = pipe(rig);
    let got = rig.block_on(async {
        let read = || async {
            let mut byte = [0];
            let count = reader.read_with(|mut pipe| pipe.read(&mut byte)).await?;
            io::Result::Ok((count, byte[0]))
        };
        let (one, two) = (read(), read());
        let feed = async {
            for byte in [b"a", b"b"] {
                for _ in 0..3 {
                    // Lets the readers run into `WouldBlock` before the byte comes.
                    yield_now().await;
                }
                writer.write_with(|mut pipe| pipe.write(byte)).await?;
            }
            Ok((0, 0))
        };
        join_all(vec![Box::pin(one), Box::pin(two), Box::pin(feed)]).await
    });
    let mut got: Vec<_> = got.into_iter().map(|got| got.expect("no error")).collect();
    got.sort_unstable();
    assert_eq!(got, [(0, 0), (1, b'a'), (1, b'b')]);
}

async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn a_source_is_given_back_whole(rig: &mut Rig) {
    let (reader, writer) = pipe(rig);
    let (reader, writer) = (reader.into_inner(), writer.into_inner());
    (&writer).write_all(b"x").expect("written");
    assert_eq!((&reader).read(&mut [0]).expect("read"), 1);
    // It can be registered again, so the first registration is gone.
    let _entered = rig.enter();
    let reader = Async::new(reader).expect("registered again");
    drop((reader, writer));
}

fn forgotten_futures_harm_nobody(rig: &mut Rig) {
    let (reader, writer) = pipe(rig);
    rig::run_dry(&reader);
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    for _ in 0..10 {
        let mut wait = Box::pin(reader.readable());
        assert!(wait.as_mut().poll(&mut cx).is_pending());
        rig::leak(wait);
    }
    writer.get_ref().write_all(b"x").expect("written");
    rig.block_on(reader.readable()).expect("readable");
    until(|| count.get() == 10);
    rig::leak(writer);
}

#[test]
fn a_file_that_cannot_be_polled_is_refused_with_advice() {
    let rig = Rig::new(Backend::Best);
    let _entered = rig.enter();
    let _one = Async::new(UnixStream::pair().expect("a pair").0).expect("starts the driver");
    let before = open_fds();
    for _ in 0..1_000 {
        let file = File::open("/proc/self/exe").expect("a regular file");
        let error = Async::new(file).expect_err("always ready");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let text = error.to_string();
        assert!(text.contains("file descriptor"), "{text}");
        assert!(text.contains("blocking thread"), "{text}");
    }
    assert_eq!(rig.handle().sources(), 1, "tokio #6329: rolled back");
    assert!(open_fds() < before + 500, "and closed");
}

/// Fault 31.
#[test]
fn a_second_registration_is_refused_and_the_first_one_unharmed() {
    let mut rig = Rig::new(Backend::Best);
    let _entered = rig.enter();
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    let first = Async::new(&ours).expect("registered");
    let error = Async::new(&ours).expect_err("registered already");
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("share the one"), "{error}");
    assert_eq!(rig.handle().sources(), 1);
    let mut buffer = [0; 4];
    let mut read = Box::pin(first.read_with(|socket| (&**socket).read(&mut buffer)));
    assert!(poll_once(read.as_mut()).is_pending());
    theirs.write_all(b"fine").expect("written");
    assert_eq!(rig.block_on(read).expect("read"), 4);
}
