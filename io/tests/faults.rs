//! What goes wrong in real systems, by the numbers of the fault model. What touches the whole
//! process runs in a child.

mod rig;

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rig::child::{alone, alone_with, exhaust_descriptors};
use rig::{Count, Rig, open_fds, pair, poll_once};
use rustix::process::{Pid, Signal, kill_process};
use tenter_io::net::{TcpListener, TcpStream};
use tenter_io::{Async, AsyncReadExt, AsyncWriteExt, Backend, Driver, Interest};
use tenter_timer::{Clock, Timers};

const BACKENDS: [Backend; 3] = [Backend::Best, Backend::PollingEdge, Backend::PollingOneshot];

/// The system's handles of one kind that this process has open, such as `anon_inode:[eventfd]`.
fn descriptors_of(kind: &str) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc/self/fd").expect("/proc");
    let is_kind = |entry: &std::fs::DirEntry| {
        std::fs::read_link(entry.path()).is_ok_and(|target| target.to_string_lossy() == kind)
    };
    let names = entries
        .filter_map(Result::ok)
        .filter(is_kind)
        .map(|entry| entry.file_name());
    names
        .map(|name| name.to_string_lossy().parse().expect("a number"))
        .collect()
}

/// Fault 25, and tokio #3529: a loop that goes on after an error of `accept` does not spin, and the
/// server lives when there is room again.
#[test]
fn fault_25_out_of_descriptors_in_accept() {
    alone("fault_25_out_of_descriptors_in_accept", || {
        let clock = Clock::virtual_from_zero();
        let timers = Timers::new(clock.clone(), Waker::noop().clone());
        let _timed = timers.enter();
        let mut rig = Rig::new(Backend::Best);
        let listener = rig
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a port");
        let address = listener.local_addr().expect("bound");
        let _inside = rig.enter();
        let clients: Vec<_> = (0..2)
            .map(|_| std::net::TcpStream::connect(address).expect("connected"))
            .collect();
        let full = exhaust_descriptors(0);
        let mut pause = Duration::from_millis(5);
        for _ in 0..12 {
            let Poll::Ready(Err(error)) = poll_once(Box::pin(listener.accept()).as_mut()) else {
                panic!("there is no room for it");
            };
            let text = error.to_string();
            assert!(
                text.contains("cannot accept a connection at 127.0.0.1:"),
                "{text}"
            );
            assert!(text.contains("ulimit -n"), "{text}");
            assert!(text.contains(&format!("{pause:?}")), "{text} {pause:?}");
            // The next one does nothing before its time.
            let mut accept = Box::pin(listener.accept());
            for _ in 0..100 {
                assert!(poll_once(accept.as_mut()).is_pending());
            }
            clock.advance_to(clock.now() + pause - Duration::from_nanos(1));
            timers.fire_due(clock.now());
            assert!(poll_once(accept.as_mut()).is_pending());
            drop(accept);
            clock.advance_to(clock.now() + Duration::from_nanos(1));
            pause = (pause * 2).min(Duration::from_millis(500));
        }
        drop(full);
        clock.advance_to(clock.now() + pause);
        timers.fire_due(clock.now());
        let Poll::Ready(Ok((first, _))) = poll_once(Box::pin(listener.accept()).as_mut()) else {
            panic!("there is room");
        };
        // And the next one at once: the pause is over.
        let Poll::Ready(Ok((second, _))) = poll_once(Box::pin(listener.accept()).as_mut()) else {
            panic!("there is room");
        };
        let mut incoming = listener.incoming();
        assert!(poll_once(Box::pin(incoming.next()).as_mut()).is_pending());
        drop((clients, first, second));
    });
}

/// Fault 27: wherever the start of a driver runs out of descriptors, it is an error, and nothing
/// stays open.
#[test]
fn fault_27_out_of_descriptors_at_the_start() {
    alone("fault_27_out_of_descriptors_at_the_start", || {
        for backend in BACKENDS {
            let (one, _other) = UnixStream::pair().expect("a pair");
            for spare in 0..5 {
                let driver = Driver::with_backend(Waker::noop().clone(), backend);
                let _entered = driver.handle().enter();
                let open = open_fds();
                let full = exhaust_descriptors(spare);
                let result = Async::new(&one);
                drop(full);
                match result {
                    Ok(_) => assert!(spare >= 2, "it needs two at least"),
                    Err(error) => {
                        assert!(error.to_string().contains("ulimit -n"), "{error}");
                        assert_eq!(open_fds(), open, "{backend:?} {spare}");
                        // With room it starts after all.
                        Async::new(&one).expect("room");
                    }
                }
            }
        }
    });
}

/// Fault 28: signals interrupt the wait all the time, and it still lasts until its deadline and
/// sees its events.
#[test]
fn fault_28_a_storm_of_signals() {
    let storm = |child: &mut std::process::Child| {
        let pid = Pid::from_child(child);
        while child.try_wait().expect("a child").is_none() {
            for signal in [Signal::STOP, Signal::CONT] {
                let _ = kill_process(pid, signal);
            }
            std::thread::yield_now();
        }
    };
    alone_with("fault_28_a_storm_of_signals", storm, || {
        for backend in BACKENDS {
            let mut rig = Rig::new(backend);
            let (mut client, mut server) = rig.pair();
            for _ in 0..20 {
                let (start, timeout) = (Instant::now(), Duration::from_millis(2));
                while rig.driver().turn(Some(timeout)).expect("no error") > 0 {}
                assert!(start.elapsed() >= timeout);
                rig.block_on(async {
                    client.write_all(b"x").await?;
                    server.read_exact(&mut [0]).await
                })
                .expect("an echo");
            }
        }
    });
}

/// From now on, and for good, the system refuses to add the descriptor `number` to any poller.
fn refuse_to_watch(number: i32, errno: i32) {
    const fn code(class: u32, offset_or_value: u32, yes: u8, no: u8) -> libc::sock_filter {
        libc::sock_filter {
            code: class as u16,
            jt: yes,
            jf: no,
            k: offset_or_value,
        }
    }
    // The offsets of the number of the call, and of the low halves of its second and third argument.
    let (call, operation, descriptor) = (0, 24, 32);
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let is_equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let give = libc::BPF_RET | libc::BPF_K;
    let mut program = [
        code(load, call, 0, 0),
        code(is_equal, libc::SYS_epoll_ctl as u32, 0, 5),
        code(load, operation, 0, 0),
        code(is_equal, libc::EPOLL_CTL_ADD as u32, 0, 3),
        code(load, descriptor, 0, 0),
        code(is_equal, number as u32, 0, 1),
        code(give, libc::SECCOMP_RET_ERRNO | errno as u32, 0, 0),
        code(give, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the arguments are numbers.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(result, 0);
    let kind = libc::SECCOMP_MODE_FILTER;
    // SAFETY: the program is complete, and the kernel copies it.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, kind, &program) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Fault 29: the poller has no room for a descriptor, or the system no memory. It is an error that
/// says so, and nothing is left of the try.
#[test]
fn fault_29_a_poller_without_room() {
    alone("fault_29_a_poller_without_room", || {
        let causes = [(libc::ENOSPC, "max_user_watches"), (libc::ENOMEM, "memory")];
        let mut number = 100;
        for backend in BACKENDS {
            for (errno, hint) in causes {
                number += 1;
                refuse_to_watch(number, errno);
                let mut rig = Rig::new(backend);
                let _entered = rig.enter();
                let (other, _peer) = UnixStream::pair().expect("a pair");
                let _other = Async::new(other).expect("there is room for this one");
                let (one, mut peer) = UnixStream::pair().expect("a pair");
                let one = OwnedFd::from(one);
                let open = open_fds();
                for _ in 0..3 {
                    // SAFETY: takes two numbers and touches no memory; the second one is free.
                    let made = unsafe { libc::dup2(one.as_raw_fd(), number) };
                    assert_eq!(made, number);
                    // SAFETY: it has just been made, and nobody else owns it.
                    let refused = Async::new(unsafe { OwnedFd::from_raw_fd(number) });
                    let text = refused.expect_err("there is no room").to_string();
                    assert!(text.contains(hint), "{backend:?}: {text}");
                    assert_eq!(rig.handle().sources(), 1, "{backend:?}: rolled back");
                    assert_eq!(open_fds(), open, "{backend:?}: closed");
                }
                // The slot and the number are as good as before.
                let one = Async::new(UnixStream::from(one)).expect("another number");
                peer.write_all(b"x").expect("written");
                rig.block_on(one.read_with(|mut stream| stream.read(&mut [0])))
                    .expect("read");
            }
        }
    });
}

/// Fault 30, and tokio #7773: the descriptor was closed behind our back. Its events are stale, its
/// slot is freed, and waiting for it is an error or nothing, never a hang of others.
#[test]
fn fault_30_closed_underneath() {
    alone("fault_30_closed_underneath", || {
        for backend in BACKENDS {
            let mut rig = Rig::new(backend);
            let _entered = rig.enter();
            let (ours, theirs) = UnixStream::pair().expect("a pair");
            let lost = Async::new(ours).expect("registered");
            let sources = rig.handle().sources();
            // SAFETY: this is the fault: the number is closed while `lost` believes to own it.
            // `lost` is taken apart and forgotten below, so nothing closes the number a second
            // time.
            drop(unsafe { OwnedFd::from_raw_fd(lost.as_raw_fd()) });
            let error = lost
                .try_io(Interest::READABLE, || (lost.get_ref()).read(&mut [0]))
                .expect_err("closed");
            assert_eq!(error.raw_os_error(), Some(9), "bad file descriptor");
            let number = lost.as_raw_fd();
            std::mem::forget(lost.into_inner());
            assert_eq!(rig.handle().sources(), sources - 1, "the slot is freed");
            // The number is used again, by a socket that works.
            let (again, mut peer) = UnixStream::pair().expect("a pair");
            assert!([again.as_raw_fd(), peer.as_raw_fd()].contains(&number));
            let again = Async::new(again).expect("registered");
            peer.write_all(b"x").expect("written");
            rig.block_on(again.read_with(|mut socket| socket.read(&mut [0])))
                .expect("read");
            drop(theirs);
        }
    });
}

/// Fault 32, and mio RUSTSEC-2024-0019: a waker drops the source that the next event of the same
/// harvest is for.
#[test]
fn fault_32_dropped_by_the_waker_of_another() {
    use std::sync::{Arc, Mutex};
    struct Drops(Mutex<Vec<Async<UnixStream>>>);
    impl std::task::Wake for Drops {
        fn wake(self: Arc<Self>) {
            self.0.lock().expect("no panic").clear();
        }
    }
    for backend in BACKENDS {
        let mut rig = Rig::new(backend);
        let _entered = rig.enter();
        let drops = Arc::new(Drops(Mutex::default()));
        let waker = Waker::from(Arc::clone(&drops));
        let mut peers = Vec::new();
        for _ in 0..50 {
            let (ours, theirs) = UnixStream::pair().expect("a pair");
            let ours = Async::new(ours).expect("registered");
            rig::run_dry(&ours);
            assert!(
                ours.poll_readable(&mut Context::from_waker(&waker))
                    .is_pending()
            );
            drops.0.lock().expect("no panic").push(ours);
            peers.push(theirs);
        }
        for peer in &mut peers {
            peer.write_all(b"x").expect("written");
        }
        while rig.handle().sources() > 0 {
            rig.driver().turn(None).expect("a turn");
        }
    }
}

/// Fault 34: the poller itself is broken. Everybody gets the error, and nobody spins.
#[test]
fn fault_34_a_broken_poller() {
    alone("fault_34_a_broken_poller", || {
        for backend in BACKENDS {
            let before = descriptors_of("anon_inode:[eventpoll]");
            let mut rig = Rig::new(backend);
            let (mut client, server) = rig.pair();
            let poller = *descriptors_of("anon_inode:[eventpoll]")
                .iter()
                .find(|fd| !before.contains(fd))
                .expect("the driver's own");
            let (count, waker) = Count::new();
            let mut cx = Context::from_waker(&waker);
            let mut reader = &server;
            let mut buffer = [0; 8];
            let mut read = Box::pin(reader.read(&mut buffer));
            assert!(read.as_mut().poll(&mut cx).is_pending());
            let null = std::fs::File::open("/dev/null").expect("/dev/null");
            // SAFETY: this is the fault: the number is made to mean another file, and stays open.
            // `dup2` takes two numbers and touches no memory.
            let replaced = unsafe { libc::dup2(null.as_raw_fd(), poller) };
            assert_eq!(replaced, poller);
            let error = rig.driver().turn(Some(Duration::ZERO)).expect_err("broken");
            assert!(error.to_string().contains("has failed"), "{error}");
            assert!(!rig.handle().is_started());
            assert_eq!(count.get(), 1, "who waits is told");
            let Poll::Ready(Err(error)) = read.as_mut().poll(&mut cx) else {
                panic!("it went on");
            };
            assert!(error.to_string().contains("has failed"), "{error}");
            // Later ones too, and at once.
            rig.driver().turn(None).expect_err("broken");
            let mut write = Box::pin(client.write(b"x"));
            assert!(matches!(poll_once(write.as_mut()), Poll::Ready(Err(_))));
            let _entered = rig.enter();
            let pair = UnixStream::pair().expect("a pair");
            let error = Async::new(pair.0).expect_err("broken");
            assert!(error.to_string().contains("has failed"), "{error}");
        }
    });
}

/// Fault 36: writing to a connection that the peer has reset is an error, also in a program that
/// keeps the signal's default action, which is to die.
#[test]
fn fault_36_reset_in_the_middle_of_the_stream() {
    alone("fault_36_reset_in_the_middle_of_the_stream", || {
        // SAFETY: sets a default action and touches no memory of ours.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        for backend in BACKENDS {
            let mut rig = Rig::new(backend);
            let (client, server) = rig.pair();
            client.set_linger(Some(Duration::ZERO)).expect("set");
            drop(client);
            let (mut reader, mut writer) = (&server, &server);
            let error = rig
                .block_on(reader.read(&mut [0; 8]))
                .expect_err("reset by the peer");
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
            let error = rig
                .block_on(writer.write_all(b"too late"))
                .expect_err("nobody is there");
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
            let parts = [io::IoSlice::new(b"too"), io::IoSlice::new(b"late")];
            let vectored = std::future::poll_fn(|cx| {
                let mut writer = &server;
                let writer = std::pin::Pin::new(&mut writer);
                futures_io::AsyncWrite::poll_write_vectored(writer, cx, &parts)
            });
            let error = rig.block_on(vectored).expect_err("nobody is there");
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
            server
                .shutdown(std::net::Shutdown::Both)
                .expect("it is shut down already");
        }
    });
}

/// Fault 37: peers that never read hold up those who write to them, and nobody else, and cost no
/// memory.
#[test]
fn fault_37_peers_that_never_read() {
    for backend in BACKENDS {
        let mut rig = Rig::new(backend);
        let stalled: Vec<_> = (0..20).map(|_| rig.pair()).collect();
        let _entered = rig.enter();
        let mut writes = Vec::new();
        for (client, _) in &stalled {
            let mut writer = client;
            let mut write = Box::pin(async move { writer.write_all(&vec![0; 64 << 20]).await });
            assert!(poll_once(write.as_mut()).is_pending());
            writes.push(write);
        }
        let (mut client, mut server) = rig.pair();
        rig.block_on(async {
            client.write_all(b"x").await?;
            server.read_exact(&mut [0]).await
        })
        .expect("an echo");
        assert_eq!(rig.handle().waiting(), 20);
    }
}

/// Fault 49: a source that is opened while the thread's locals are being destroyed belongs to the
/// background driver, and nothing panics.
#[test]
fn fault_49_a_source_opened_by_a_thread_that_ends() {
    struct Opens;
    impl Drop for Opens {
        fn drop(&mut self) {
            let (ours, _theirs) = UnixStream::pair().expect("a pair");
            Async::new(ours).expect("the background driver is there");
        }
    }
    std::thread_local! {
        static OPENS: Opens = const { Opens };
    }
    std::thread::spawn(|| {
        OPENS.with(|_| ());
        let rig = Rig::new(Backend::Best);
        let _entered = rig.enter();
    })
    .join()
    .expect("no panic");
}

/// Fault 50: a notification is not lost when the count behind it is full.
#[test]
fn fault_50_the_notifier_is_full() {
    alone("fault_50_the_notifier_is_full", || {
        let mut rig = Rig::new(Backend::Best);
        let _pair = rig.pair();
        let kinds = descriptors_of("anon_inode:[eventfd]");
        assert!(!kinds.is_empty());
        for fd in kinds {
            // SAFETY: the number is open, and stays open for as long as the driver lives.
            let fd = unsafe { BorrowedFd::borrow_raw(fd) };
            rustix::io::read(fd, &mut [0; 8]).ok();
            rustix::io::write(fd, &(u64::MAX - 1).to_ne_bytes()).expect("filled up");
        }
        while rig.driver().turn(Some(Duration::ZERO)).expect("a turn") > 0 {}
        for _ in 0..3 {
            let handle = rig.handle();
            let notifier = std::thread::spawn(move || handle.notify());
            rig.driver().turn(None).expect("a turn");
            notifier.join().expect("no panic");
        }
    });
}

/// Whatever is opened and closed, in whatever order, with and without tasks that wait: no
/// descriptor stays.
#[test]
fn no_descriptor_is_ever_left_behind() {
    alone("no_descriptor_is_ever_left_behind", || {
        let before = open_fds();
        for backend in BACKENDS {
            for _ in 0..10 {
                let mut rig = Rig::new(backend);
                rig.block_on(async {
                    let (mut client, mut server) = pair().await?;
                    let listener = TcpListener::bind("127.0.0.1:0").await?;
                    let address = listener.local_addr()?;
                    let mut accept = Box::pin(listener.accept());
                    assert!(poll_once(accept.as_mut()).is_pending());
                    let mut connect = Box::pin(TcpStream::connect(address));
                    let _ = poll_once(connect.as_mut());
                    let mut buffer = [0; 8];
                    assert!(poll_once(Box::pin(server.read(&mut buffer)).as_mut()).is_pending());
                    client.write_all(b"x").await?;
                    TcpStream::connect("127.0.0.1:1")
                        .await
                        .expect_err("nobody is there");
                    TcpListener::bind(address).await.expect_err("in use");
                    let (read, write) = client.into_split();
                    drop((write, read));
                    let std_stream = server.into_std();
                    drop(TcpStream::from_std(std_stream)?);
                    io::Result::Ok(())
                })
                .expect("no error");
            }
            assert_eq!(open_fds(), before, "{backend:?}");
        }
    });
}
