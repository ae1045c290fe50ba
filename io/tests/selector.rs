//! What the selector promises the driver, on every back end: one list, for each way to wait that
//! this build has. Where it was built with `polling`'s own flag for that, all of them wait by `poll`
//! (`cargo xtask test` does both).
//!
//! Seen through a driver that the test turns: which turn finds what, and who is woken.

mod rig;

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Context;
use std::thread;
use std::time::{Duration, Instant};

use rig::child::alone;
use rig::{Count, Rig, run_dry, until};
use rustix::event::{EventfdFlags, eventfd};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tenter_io::{Async, AsyncReadExt, Backend, Interest};

on_every_selector! {
    what_came_before_the_registration_is_found,
    each_arrival_is_an_event,
    a_half_close_is_an_event_and_ends_no_writing,
    the_end_of_the_peer_is_an_event_in_both_directions,
    a_reset_is_an_event,
    room_is_an_event,
    a_direction_that_nobody_asked_for_is_no_event_for_the_other,
    a_wait_lasts_until_its_deadline,
    a_wait_of_nothing_is_a_look,
    a_kick_ends_the_next_wait_and_no_other,
    a_kick_ends_the_wait_that_goes_on,
    an_event_for_a_source_that_is_gone_is_nobodys,
    a_number_that_is_used_again_is_heard,
    more_events_than_one_wait_takes_all_come,
    sources_come_and_go_while_another_thread_waits,
    a_second_registration_is_refused_and_the_first_goes_on,
}

fn pair(rig: &Rig) -> (Async<UnixStream>, UnixStream) {
    let _entered = rig.enter();
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    (Async::new(ours).expect("registered"), theirs)
}

/// Waits for one direction, which is not ready. The count tells of the event.
fn waits<T>(source: &Async<T>, interest: Interest) -> Arc<Count> {
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let polled = if interest == Interest::READABLE {
        source.poll_readable(&mut cx)
    } else {
        source.poll_writable(&mut cx)
    };
    assert!(polled.is_pending());
    count
}

/// Reads until there is nothing, and waits for more.
fn runs_dry(source: &Async<UnixStream>) -> Arc<Count> {
    run_dry(source);
    waits(source, Interest::READABLE)
}

/// Writes until there is no room, and waits for it.
fn fills_up(source: &Async<UnixStream>) -> Arc<Count> {
    loop {
        let written = source.try_io(Interest::WRITABLE, || source.get_ref().write(&[0; 4096]));
        let Err(error) = written else { continue };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let (count, waker) = Count::new();
        if source
            .poll_writable(&mut Context::from_waker(&waker))
            .is_pending()
        {
            return count;
        }
    }
}

/// Turns the driver until the event has come.
fn heard(rig: &mut Rig, count: &Count) {
    let start = Instant::now();
    while count.get() == 0 {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "it does not come"
        );
        rig.driver()
            .turn(Some(Duration::from_secs(1)))
            .expect("a turn");
    }
    assert_eq!(count.get(), 1, "who waits is told once");
}

/// All that is there is looked at, and it is nothing for `count`.
fn unheard(rig: &mut Rig, count: &Count) {
    for _ in 0..10 {
        rig.driver().turn(Some(Duration::ZERO)).expect("a turn");
    }
    assert_eq!(count.get(), 0);
}

fn read(source: &Async<UnixStream>) -> io::Result<usize> {
    source.try_io(Interest::READABLE, || source.get_ref().read(&mut [0; 64]))
}

fn what_came_before_the_registration_is_found(rig: &mut Rig) {
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    theirs.write_all(b"early").expect("written");
    let entered = rig.enter();
    let ours = Async::new(ours).expect("registered");
    drop(entered);
    let mut buffer = [0; 64];
    let count = rig.block_on(ours.read_with(|mut stream| stream.read(&mut buffer)));
    assert_eq!(count.expect("read"), 5);
    // And then it is as silent as any other.
    let next = runs_dry(&ours);
    unheard(rig, &next);
    theirs.write_all(b"late").expect("written");
    heard(rig, &next);
}

fn each_arrival_is_an_event(rig: &mut Rig) {
    let (ours, mut theirs) = pair(rig);
    for round in 0..20 {
        let arrival = runs_dry(&ours);
        unheard(rig, &arrival);
        theirs.write_all(b"x").expect("written");
        heard(rig, &arrival);
        assert_eq!(read(&ours).expect("read"), 1, "{round}");
    }
}

fn a_half_close_is_an_event_and_ends_no_writing(rig: &mut Rig) {
    let (ours, mut theirs) = pair(rig);
    let end = runs_dry(&ours);
    theirs.shutdown(Shutdown::Write).expect("half closed");
    heard(rig, &end);
    assert_eq!(read(&ours).expect("the end"), 0);
    assert_eq!(read(&ours).expect("it stays the end"), 0);
    let write = ours.write_with(|mut stream| stream.write(b"still"));
    assert_eq!(rig.block_on(write).expect("written"), 5);
    theirs.read_exact(&mut [0; 5]).expect("read");
}

fn the_end_of_the_peer_is_an_event_in_both_directions(rig: &mut Rig) {
    let (ours, theirs) = pair(rig);
    let (end, room) = (runs_dry(&ours), fills_up(&ours));
    unheard(rig, &end);
    unheard(rig, &room);
    drop(theirs);
    heard(rig, &end);
    heard(rig, &room);
    // What they had not read is lost, and the system may say so once.
    let _ = read(&ours);
    assert_eq!(read(&ours).expect("the end"), 0);
    let write = ours.try_io(Interest::WRITABLE, || ours.get_ref().write(b"x"));
    assert_eq!(write.expect_err("nobody").kind(), ErrorKind::BrokenPipe);
}

fn a_reset_is_an_event(rig: &mut Rig) {
    let (client, mut server) = rig.pair();
    let mut buffer = [0; 8];
    let mut reading = Box::pin(server.read(&mut buffer));
    let (reset, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    assert!(reading.as_mut().poll(&mut cx).is_pending());
    client.set_linger(Some(Duration::ZERO)).expect("set");
    drop(client);
    heard(rig, &reset);
    let error = rig.block_on(reading).expect_err("reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

fn room_is_an_event(rig: &mut Rig) {
    let (ours, mut theirs) = pair(rig);
    for _ in 0..3 {
        let room = fills_up(&ours);
        unheard(rig, &room);
        theirs.set_nonblocking(true).expect("set");
        while theirs.read(&mut [0; 64 << 10]).is_ok() {}
        heard(rig, &room);
    }
}

fn a_direction_that_nobody_asked_for_is_no_event_for_the_other(rig: &mut Rig) {
    let (ours, mut theirs) = pair(rig);
    let room = fills_up(&ours);
    theirs.write_all(b"x").expect("written");
    unheard(rig, &room);
    let mut drain = theirs.try_clone().expect("a copy");
    drain.set_nonblocking(true).expect("set");
    assert_eq!(read(&ours).expect("read"), 1);
    let data = runs_dry(&ours);
    while drain.read(&mut [0; 64 << 10]).is_ok() {}
    heard(rig, &room);
    assert_eq!(data.get(), 0);
}

fn a_wait_lasts_until_its_deadline(rig: &mut Rig) {
    let (ours, _theirs) = pair(rig);
    let nothing = runs_dry(&ours);
    unheard(rig, &nothing);
    for micros in [1, 3_000, 50, 1_001, 1_999, 0, 500] {
        let (start, timeout) = (Instant::now(), Duration::from_micros(micros));
        assert_eq!(rig.driver().turn(Some(timeout)).expect("a turn"), 0);
        assert!(start.elapsed() >= timeout, "{timeout:?}");
    }
    assert_eq!(nothing.get(), 0);
}

fn a_wait_of_nothing_is_a_look(rig: &mut Rig) {
    let (ours, mut theirs) = pair(rig);
    let data = runs_dry(&ours);
    unheard(rig, &data);
    theirs.write_all(b"x").expect("written");
    assert_eq!(rig.driver().turn(Some(Duration::ZERO)).expect("a turn"), 1);
    assert_eq!(data.get(), 1);
    assert_eq!(rig.driver().turn(Some(Duration::ZERO)).expect("a turn"), 0);
}

fn a_kick_ends_the_next_wait_and_no_other(rig: &mut Rig) {
    let (ours, _theirs) = pair(rig);
    let nothing = runs_dry(&ours);
    unheard(rig, &nothing);
    for _ in 0..20 {
        rig.handle().notify();
        rig.handle().notify();
        assert_eq!(rig.driver().turn(None).expect("a turn"), 0);
        let start = Instant::now();
        let timeout = Duration::from_micros(300);
        rig.driver().turn(Some(timeout)).expect("a turn");
        assert!(start.elapsed() >= timeout, "the kick was used up");
    }
}

fn a_kick_ends_the_wait_that_goes_on(rig: &mut Rig) {
    let (ours, mut theirs) = pair(rig);
    let data = runs_dry(&ours);
    unheard(rig, &data);
    for _ in 0..100 {
        let handle = rig.handle();
        let kicks = thread::spawn(move || handle.notify());
        assert_eq!(rig.driver().turn(None).expect("a turn"), 0);
        kicks.join().expect("no panic");
    }
    // It takes no event with it.
    rig.handle().notify();
    theirs.write_all(b"x").expect("written");
    heard(rig, &data);
}

fn an_event_for_a_source_that_is_gone_is_nobodys(rig: &mut Rig) {
    for _ in 0..20 {
        let (gone, mut theirs) = pair(rig);
        let silent = runs_dry(&gone);
        unheard(rig, &silent);
        theirs.write_all(b"x").expect("written");
        drop(gone);
        // It has the place of the one that is gone.
        let (next, _peer) = pair(rig);
        let data = runs_dry(&next);
        unheard(rig, &data);
        assert_eq!(silent.get(), 0);
    }
    assert_eq!(rig.handle().sources(), 0);
}

fn a_number_that_is_used_again_is_heard(rig: &mut Rig) {
    let (first, _theirs) = pair(rig);
    let number = first.as_raw_fd();
    drop(first);
    for _ in 0..20 {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let ours = at_number(ours, number);
        let entered = rig.enter();
        let ours = Async::new(ours).expect("registered");
        drop(entered);
        let data = runs_dry(&ours);
        unheard(rig, &data);
        theirs.write_all(b"x").expect("written");
        heard(rig, &data);
    }
}

/// Moves a file to a number where that is free: other tests of this program open files too.
fn at_number(file: UnixStream, number: i32) -> UnixStream {
    // SAFETY: it takes numbers and touches no memory. It makes a new number, and replaces none.
    let moved = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, number) };
    assert!(moved >= 0);
    // SAFETY: the number has just been made, and nobody else owns it.
    let moved = unsafe { OwnedFd::from_raw_fd(moved) };
    UnixStream::from(moved)
}

fn more_events_than_one_wait_takes_all_come(rig: &mut Rig) {
    const MANY: usize = 1_500;
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = Some(maximum.map_or(16_384, |maximum| maximum.min(16_384)));
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("it may be raised");
    let _entered = rig.enter();
    let new = || eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).expect("an eventfd");
    let sources: Vec<_> = (0..MANY)
        .map(|_| Async::new(new()).expect("registered"))
        .collect();
    let take = |source: &Async<OwnedFd>| {
        source.try_io(Interest::READABLE, || {
            Ok(rustix::io::read(source.get_ref(), &mut [0; 8])?)
        })
    };
    for _ in 0..2 {
        let waiting: Vec<_> = sources
            .iter()
            .map(|source| {
                while take(source).is_ok() {}
                waits(source, Interest::READABLE)
            })
            .collect();
        for source in &sources {
            rustix::io::write(source.get_ref(), &1_u64.to_ne_bytes()).expect("written");
        }
        waiting.iter().for_each(|count| heard(rig, count));
    }
}

fn sources_come_and_go_while_another_thread_waits(rig: &mut Rig) {
    let handle = rig.handle();
    thread::scope(|scope| {
        let turns = scope.spawn(|| while rig.driver().turn(None).is_ok() {});
        let _entered = handle.enter();
        for _ in 0..50 {
            let (ours, mut theirs) = UnixStream::pair().expect("a pair");
            let ours = Async::new(ours).expect("registered");
            // An event of the registration may come in the middle of the wait.
            let arrival = loop {
                run_dry(&ours);
                let (count, waker) = Count::new();
                if ours
                    .poll_readable(&mut Context::from_waker(&waker))
                    .is_pending()
                {
                    break count;
                }
            };
            theirs.write_all(b"x").expect("written");
            until(|| arrival.get() > 0);
            assert_eq!(read(&ours).expect("read"), 1);
        }
        handle.shutdown();
        turns.join().expect("no panic");
    });
}

/// Fault 31.
fn a_second_registration_is_refused_and_the_first_goes_on(rig: &mut Rig) {
    let (ours, mut theirs) = pair(rig);
    let sources = rig.handle().sources();
    let entered = rig.enter();
    for _ in 0..3 {
        // SAFETY: `ours` stays open for longer.
        let same = unsafe { BorrowedFd::borrow_raw(ours.as_raw_fd()) };
        let error = Async::new(same).expect_err("it is registered");
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.to_string().contains("registered already"), "{error}");
    }
    drop(entered);
    assert_eq!(rig.handle().sources(), sources, "rolled back");
    let data = runs_dry(&ours);
    unheard(rig, &data);
    theirs.write_all(b"x").expect("written");
    heard(rig, &data);
}

/// Fault 30: who waits for a descriptor that is closed underneath is told where the system says so;
/// where it does not, nobody spins; nobody else notices.
#[test]
fn a_wait_for_what_was_closed_underneath_does_not_spin() {
    alone(
        "a_wait_for_what_was_closed_underneath_does_not_spin",
        || {
            for backend in [Backend::Best, Backend::PollingEdge, Backend::PollingOneshot] {
                let mut rig = Rig::new(backend);
                let (other, mut peer) = pair(&rig);
                let (ours, _theirs) = pair(&rig);
                let number = ours.as_raw_fd();
                let lost = runs_dry(&ours);
                unheard(&mut rig, &lost);
                // SAFETY: this is the fault. `ours` is taken apart and its number forgotten below.
                drop(unsafe { OwnedFd::from_raw_fd(number) });
                let mut early = 0;
                for _ in 0..20 {
                    let (start, timeout) = (Instant::now(), Duration::from_millis(1));
                    rig.driver().turn(Some(timeout)).expect("a turn");
                    early += usize::from(start.elapsed() < timeout);
                }
                if cfg!(polling_test_poll_backend) {
                    // `poll` reports it in every wait for as long as the source is there, wanted or not.
                    assert_eq!(lost.get(), 1, "who waits is told");
                } else {
                    assert!(early <= 2, "{backend:?}: {early} of 20 for nothing");
                }
                assert!(read(&ours).is_err(), "it is closed");
                let data = runs_dry(&other);
                peer.write_all(b"x").expect("written");
                heard(&mut rig, &data);
                let _ = ours.into_inner().into_raw_fd();
                assert_eq!(rig.handle().sources(), 1, "{backend:?}");
            }
        },
    );
}
