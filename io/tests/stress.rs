//! Many threads on one driver: opening, waiting, waking, notifying and closing at once. This runs
//! under ThreadSanitizer too.

mod rig;

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::thread;

use rig::{Rig, poll_once};
use tenter_io::net::{TcpListener, TcpStream};
use tenter_io::{Async, AsyncReadExt, AsyncWriteExt, Backend, Driver, Handle};

const BACKENDS: [Backend; 3] = [Backend::Best, Backend::PollingEdge, Backend::PollingOneshot];

const ROUNDS: usize = if cfg!(debug_assertions) { 100 } else { 1_000 };

/// Runs each body on a thread that has entered a driver, which one more thread turns.
fn turned<const N: usize>(backend: Backend, bodies: [&(dyn Fn() + Sync); N]) {
    let mut driver = Driver::with_backend(Waker::noop().clone(), backend);
    let handle = driver.handle().clone();
    let turner = thread::spawn(move || while driver.turn(None).is_ok() {});
    side_by_side(bodies.map(|body| {
        let handle: Handle = handle.clone();
        move || {
            let _entered = handle.enter();
            body();
        }
    }));
    assert_eq!(handle.sources(), 0);
    handle.shutdown();
    turner.join().expect("no panic");
    assert_eq!(handle.waiting(), 0);
}

/// Runs each body on a thread of its own. Each is joined: a handle that is dropped before its
/// thread has ended looks like a race inside of the standard library.
fn side_by_side<const N: usize>(bodies: [impl FnOnce() + Send; N]) {
    thread::scope(|scope| {
        let threads = bodies.map(|body| scope.spawn(body));
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
}

/// A thread that waits by parking, while another one turns the driver for it.
fn block_on<F: Future>(future: F) -> F::Output {
    Rig::Fallback.block_on(future)
}

#[test]
fn echo_between_threads() {
    for backend in BACKENDS {
        let echo = || {
            block_on(async {
                let (mut client, mut server) = rig::pair().await?;
                for round in 0..ROUNDS {
                    let mut buffer = [round as u8; 16];
                    client.write_all(&buffer).await?;
                    server.read_exact(&mut buffer).await?;
                    server.write_all(&buffer).await?;
                    client.read_exact(&mut buffer).await?;
                    assert_eq!(buffer, [round as u8; 16]);
                }
                io::Result::Ok(())
            })
            .expect("no error");
        };
        turned(backend, [&echo, &echo, &echo]);
    }
}

#[test]
fn sources_come_and_go_while_events_are_delivered() {
    for backend in BACKENDS {
        let churn = || {
            for round in 0..ROUNDS {
                let (ours, mut theirs) = UnixStream::pair().expect("a pair");
                let ours = Async::new(ours).expect("registered");
                let mut byte = [0];
                let mut read = Box::pin(ours.read_with(|mut socket| socket.read(&mut byte)));
                assert!(poll_once(read.as_mut()).is_pending());
                theirs.write_all(b"x").expect("written");
                if round % 3 == 0 {
                    // Gone before its event, or after.
                    drop(read);
                } else {
                    assert_eq!(block_on(read).expect("read"), 1);
                }
            }
        };
        turned(backend, [&churn, &churn, &churn]);
    }
}

#[test]
fn several_threads_wait_for_one_source() {
    for backend in BACKENDS {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let mut driver = Driver::with_backend(Waker::noop().clone(), backend);
        let handle = driver.handle().clone();
        let turner = thread::spawn(move || while driver.turn(None).is_ok() {});
        let source = {
            let _entered = handle.enter();
            Async::new(ours).expect("registered")
        };
        let received = AtomicUsize::new(0);
        thread::scope(|scope| {
            let read_all = || {
                let mut bytes = [0; 3];
                let mut read = || block_on(source.read_with(|mut socket| socket.read(&mut bytes)));
                loop {
                    match read().expect("read") {
                        0 => return,
                        count => received.fetch_add(count, Ordering::Relaxed),
                    };
                }
            };
            let readers = [(); 3].map(|()| scope.spawn(read_all));
            let mut writer = theirs;
            for _ in 0..ROUNDS {
                writer.write_all(b"byte").expect("written");
                thread::yield_now();
            }
            drop(writer);
            for reader in readers {
                // All three see the end.
                reader.join().expect("no panic");
            }
        });
        assert_eq!(received.load(Ordering::Relaxed), 4 * ROUNDS);
        drop(source);
        handle.shutdown();
        turner.join().expect("no panic");
    }
}

#[test]
fn notifications_from_everywhere() {
    for backend in BACKENDS {
        let mut driver = Driver::with_backend(Waker::noop().clone(), backend);
        let handle = driver.handle().clone();
        let work = AtomicUsize::new(0);
        thread::scope(|scope| {
            let notify = || {
                for _ in 0..ROUNDS {
                    work.fetch_add(1, Ordering::Relaxed);
                    handle.notify();
                }
            };
            let notifiers = [(); 3].map(|()| scope.spawn(notify));
            while work.load(Ordering::Relaxed) < 3 * ROUNDS {
                driver.turn(None).expect("a turn");
            }
            for notifier in notifiers {
                notifier.join().expect("no panic");
            }
        });
    }
}

async fn ping_for_ever() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    let (mut server, _) = listener.accept().await?;
    loop {
        client.write_all(b"ping").await?;
        server.read_exact(&mut [0; 4]).await?;
    }
}

#[test]
fn shutting_down_while_all_are_busy() {
    for backend in BACKENDS {
        for _ in 0..ROUNDS / 20 {
            let mut driver = Driver::with_backend(Waker::noop().clone(), backend);
            let handle = driver.handle().clone();
            let turner = thread::spawn(move || while driver.turn(None).is_ok() {});
            let clients: Vec<_> = (0..3)
                .map(|_| {
                    let handle = handle.clone();
                    thread::spawn(move || {
                        let _entered = handle.enter();
                        block_on(ping_for_ever())
                    })
                })
                .collect();
            thread::yield_now();
            handle.shutdown();
            for client in clients {
                let error = client.join().expect("no panic").expect_err("it has ended");
                assert!(error.to_string().contains("has shut down"), "{error}");
            }
            turner.join().expect("no panic");
            assert_eq!((handle.sources(), handle.waiting()), (0, 0));
        }
    }
}
