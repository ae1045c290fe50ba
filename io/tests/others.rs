//! Bugs of other projects, each named after its report.

mod rig;

use std::future::Future;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::thread;

use rig::{Count, Rig, poll_once};
use tenter_io::{Async, AsyncReadExt, AsyncWriteExt, Backend};

on_every_backend! {
    tokio_6133_a_stale_clear_takes_newer_readiness_away,
    tokio_7773_a_source_that_was_closed_first_keeps_its_slot,
    tokio_8251_a_read_of_nothing_is_taken_for_the_end,
    tokio_7494_spurious_readiness_is_taken_for_data,
    async_io_78_an_edge_of_the_current_turn_is_missed,
}

/// tokio #6133 and #6134: an operation that would block clears the readiness that a newer event has
/// set since. The reader then waits for an edge that has been. The model `io::read_vs_event`
/// explores the race; this hammers it.
fn tokio_6133_a_stale_clear_takes_newer_readiness_away(rig: &mut Rig) {
    let rounds = 20_000_u32;
    let (mut client, mut server) = rig.pair();
    let feeder = thread::spawn(move || {
        Rig::Fallback.block_on(async {
            for n in 0..rounds {
                client.write_all(&n.to_be_bytes()).await?;
                if n % 64 == 0 {
                    thread::yield_now();
                }
            }
            client.close().await
        })
    });
    let sum = rig.block_on(async {
        let mut sum = 0_u64;
        let mut bytes = [0; 4];
        for _ in 0..rounds {
            server.read_exact(&mut bytes).await?;
            sum += u64::from(u32::from_be_bytes(bytes));
        }
        assert_eq!(server.read(&mut bytes).await?, 0);
        io::Result::Ok(sum)
    });
    assert_eq!(sum.expect("no error"), (0..u64::from(rounds)).sum());
    // The feeder's socket belongs to the driver of this thread, which goes on turning for it.
    while !feeder.is_finished() {
        if let Rig::Turned(driver) = rig {
            driver
                .turn(Some(std::time::Duration::from_millis(1)))
                .expect("a turn");
        }
        thread::yield_now();
    }
    feeder.join().expect("no panic").expect("no error");
}

/// tokio #7563 and #7773: an error of the poller on the way out keeps the source's memory for ever.
fn tokio_7773_a_source_that_was_closed_first_keeps_its_slot(rig: &mut Rig) {
    let Rig::Turned(driver) = rig else { return };
    let handle = driver.handle().clone();
    let _entered = handle.enter();
    for _ in 0..1_000 {
        let (ours, _theirs) = UnixStream::pair().expect("a pair");
        let source = Async::new(ours).expect("registered");
        source
            .get_ref()
            .shutdown(std::net::Shutdown::Both)
            .expect("shut down");
        drop(source);
        assert_eq!(handle.sources(), 0);
    }
}

/// tokio #8251: reading into an empty buffer returns 0, which must not be remembered as the end of
/// the stream.
fn tokio_8251_a_read_of_nothing_is_taken_for_the_end(rig: &mut Rig) {
    let (mut client, mut server) = rig.pair();
    rig.block_on(async {
        assert_eq!(server.read(&mut []).await?, 0);
        client.write_all(b"more").await?;
        client.close().await?;
        let mut all = Vec::new();
        server.read_to_end(&mut all).await?;
        assert_eq!(all, b"more");
        io::Result::Ok(())
    })
    .expect("no error");
}

/// tokio #7494: a waiter that was woken without a reason must look, find nothing, and wait again.
fn tokio_7494_spurious_readiness_is_taken_for_data(rig: &mut Rig) {
    let _entered = rig.enter();
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    let source = Async::new(ours).expect("registered");
    // A new source is thought ready, which is as spurious as it gets.
    let mut buffer = [0; 8];
    let mut read = Box::pin(source.read_with(|mut socket| socket.read(&mut buffer)));
    for _ in 0..10 {
        assert!(poll_once(read.as_mut()).is_pending());
    }
    theirs.write_all(b"data").expect("written");
    assert_eq!(rig.block_on(read).expect("no error"), 4);
}

/// async-io #78: an edge that is recorded in the turn in which the reader has just begun to wait.
fn async_io_78_an_edge_of_the_current_turn_is_missed(rig: &mut Rig) {
    let _entered = rig.enter();
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    let source = Arc::new(Async::new(ours).expect("registered"));
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (source, done) = (Arc::clone(&source), Arc::clone(&done));
        thread::spawn(move || {
            let mut rig = Rig::Fallback;
            for _ in 0..2_000 {
                let count = rig.block_on(source.read_with(|mut socket| socket.read(&mut [0])));
                assert_eq!(count.expect("no error"), 1);
            }
            done.store(true, Ordering::Release);
        })
    };
    let mut left = 2_000;
    while !done.load(Ordering::Acquire) {
        if left > 0 {
            theirs.write_all(b"x").expect("written");
            left -= 1;
        }
        if let Rig::Turned(driver) = rig {
            driver
                .turn(Some(std::time::Duration::from_micros(200)))
                .expect("a turn");
        }
    }
    reader.join().expect("no panic");
}

/// async-io wakes a poller that a second one pushes out, and so both poll in turns without end.
#[test]
fn async_io_two_pollers_wake_each_other_for_ever() {
    let rig = Rig::new(Backend::Best);
    let _entered = rig.enter();
    let (ours, _theirs) = UnixStream::pair().expect("a pair");
    let source = Async::new(ours).expect("registered");
    rig::run_dry(&source);
    let tasks = [Count::new(), Count::new()];
    for _ in 0..100 {
        for (_, waker) in &tasks {
            assert!(
                source
                    .poll_readable(&mut Context::from_waker(waker))
                    .is_pending()
            );
        }
    }
    assert!(tasks.iter().all(|(count, _)| count.get() == 0));
}

/// tokio #4129, #5429: a waker whose clone or drop comes back to the very source deadlocks on the
/// source's lock.
#[test]
fn tokio_5429_a_waker_that_comes_back_to_the_source() {
    use std::task::Wake;
    struct ComesBack(Arc<Async<UnixStream>>);
    impl Wake for ComesBack {
        fn wake(self: Arc<Self>) {
            let (_count, waker) = Count::new();
            let mut cx = Context::from_waker(&waker);
            let _ = self.0.poll_readable(&mut cx);
            let _ = poll_once(Box::pin(self.0.writable()).as_mut());
        }
    }
    impl Drop for ComesBack {
        fn drop(&mut self) {
            let _ = poll_once(Box::pin(self.0.readable()).as_mut());
        }
    }
    let mut rig = Rig::new(Backend::Best);
    let _entered = rig.enter();
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    let source = Arc::new(Async::new(ours).expect("registered"));
    rig::run_dry(&source);
    for _ in 0..20 {
        let waker = std::task::Waker::from(Arc::new(ComesBack(Arc::clone(&source))));
        let mut cx = Context::from_waker(&waker);
        // Pushed out by the crowd, taken by a drop, and woken by the event.
        let _ = source.poll_readable(&mut cx);
        let mut wait = Box::pin(source.readable());
        let _ = wait.as_mut().poll(&mut cx);
    }
    theirs.write_all(b"x").expect("written");
    rig.block_on(source.readable()).expect("readable");
}

/// rio RUSTSEC-2020-0021 and its like: a future that is forgotten, not dropped, leaves nothing that
/// is used later.
#[test]
fn rustsec_2020_0021_forgotten_futures() {
    let mut rig = Rig::new(Backend::Best);
    let (client, server) = rig.pair();
    let (client, server) = (Box::new(client), Box::new(server));
    {
        let mut buffer = vec![0; 8];
        let mut peek = Box::pin(server.peek(&mut buffer));
        assert!(poll_once(peek.as_mut()).is_pending());
        rig::leak(peek);
        buffer.fill(1);
        drop(buffer);
    }
    let mut writer = &*client;
    rig.block_on(writer.write_all(b"nobody's buffer"))
        .expect("written");
    let mut reader = &*server;
    let mut buffer = [0; 15];
    rig.block_on(reader.read_exact(&mut buffer)).expect("read");
    assert_eq!(&buffer, b"nobody's buffer");
}

/// A budget that is spent must not lose the event: whoever comes back later still finds the source
/// ready.
#[test]
fn tokio_a_spent_budget_keeps_the_readiness() {
    use std::num::NonZeroU64;
    use tenter_sync::current::{TaskSlot, WaitKind, with_task};
    let mut rig = Rig::new(Backend::Best);
    let (mut client, mut server) = rig.pair();
    rig.block_on(client.write_all(b"ab")).expect("written");
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let mut byte = [0];
    let mut poll = |budget| {
        with_task(&slot, budget, || {
            Pin::new(&mut server.read(&mut byte)).poll(&mut cx)
        })
    };
    assert!(poll(0).is_pending());
    assert_eq!(count.get(), 1, "it wakes itself");
    assert!(matches!(poll(1), Poll::Ready(Ok(1))));
    assert!(matches!(poll(1), Poll::Ready(Ok(1))));
    // Nothing is left: it waits, and says for what.
    assert!(poll(9).is_pending());
    assert_eq!(count.get(), 1);
    let waits = slot.waiting_on().expect("a note");
    assert_eq!(waits.kind, WaitKind::Readable);
}
