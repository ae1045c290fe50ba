//! Sockets on an executor that knows nothing of tenter: the background driver.

mod rig;

use std::time::{Duration, Instant};

use rig::child::alone;
use rig::{Rig, open_fds, pair, poll_once, until};
use tenter_io::net::TcpListener;
use tenter_io::{AsyncReadExt, AsyncWriteExt};

/// The names of this process's threads, and how often each has been put to sleep by itself.
fn threads() -> Vec<(String, u64)> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("/proc");
    let mut threads = Vec::new();
    for task in tasks.filter_map(Result::ok) {
        let Ok(status) = std::fs::read_to_string(task.path().join("status")) else {
            continue;
        };
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            let value = line.and_then(|line| line.split_once(':'));
            value.map_or(String::new(), |(_, value)| value.trim().to_owned())
        };
        let sleeps = field("voluntary_ctxt_switches").parse().unwrap_or(0);
        threads.push((field("Name"), sleeps));
    }
    threads
}

#[test]
fn the_driver_thread_starts_with_the_first_socket_and_is_one_for_all() {
    alone(
        "the_driver_thread_starts_with_the_first_socket_and_is_one_for_all",
        || {
            let drivers = || {
                let is_driver = |(name, _): &(String, u64)| name == "tenter-io";
                threads().iter().filter(|thread| is_driver(thread)).count()
            };
            assert_eq!(drivers(), 0);
            let started: Vec<_> = (0..8)
                .map(|_| std::thread::spawn(|| Rig::Fallback.pair()))
                .collect();
            let pairs: Vec<_> = started
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .collect();
            // Those that were second see that they were, and end.
            until(|| drivers() == 1);
            drop(pairs);
        },
    );
}

#[test]
fn an_idle_driver_thread_makes_no_system_call() {
    alone("an_idle_driver_thread_makes_no_system_call", || {
        let mut rig = Rig::Fallback;
        let pairs: Vec<_> = (0..50).map(|_| rig.pair()).collect();
        let sleeps = || {
            let threads = threads();
            let driver = threads.iter().find(|(name, _)| name == "tenter-io");
            driver.map(|(_, sleeps)| *sleeps)
        };
        // It gives itself its name when it begins to run.
        until(|| sleeps().is_some());
        // Let it come to rest, then look at it for a while: each system call that waits is a sleep.
        let mut before = sleeps();
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(30) {
            std::thread::yield_now();
            before = sleeps();
        }
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(50) {
            std::thread::yield_now();
        }
        assert_eq!(sleeps(), before, "it woke up");
        drop(pairs);
    });
}

#[test]
fn a_refused_driver_thread_is_an_error_and_the_next_socket_tries_again() {
    alone(
        "a_refused_driver_thread_is_an_error_and_the_next_socket_tries_again",
        || {
            let before = open_fds();
            let full = rig::child::exhaust_descriptors(2);
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("room for one");
            let error = TcpListener::from_std(listener).expect_err("no room for the driver");
            assert!(error.to_string().contains("ulimit -n"), "{error}");
            drop(full);
            assert_eq!(open_fds(), before);
            let echoed = Rig::Fallback.block_on(async {
                let (mut client, mut server) = pair().await?;
                client.write_all(b"x").await?;
                server.read(&mut [0; 8]).await
            });
            assert_eq!(echoed.expect("there is room now"), 1);
        },
    );
}

#[test]
fn a_socket_keeps_the_driver_that_it_was_opened_with() {
    let mut rig = Rig::new(tenter_io::Backend::Best);
    let (mut client, mut server) = rig.pair();
    // Read on a thread that never entered the driver, while this one turns it.
    let reader = std::thread::spawn(move || {
        Rig::Fallback.block_on(async {
            let mut buffer = [0; 4];
            server.read_exact(&mut buffer).await.map(|()| buffer)
        })
    });
    rig.block_on(client.write_all(b"here")).expect("written");
    while !reader.is_finished() {
        rig.driver()
            .turn(Some(Duration::from_millis(1)))
            .expect("a turn");
    }
    assert_eq!(&reader.join().expect("no panic").expect("read"), b"here");
    let mut other = Rig::new(tenter_io::Backend::Best);
    let (client, _server) = other.pair();
    assert_eq!(other.handle().sources(), 2);
    let mut wait = Box::pin(client.readable());
    assert!(
        poll_once(wait.as_mut()).is_ready(),
        "a new socket is worth a try"
    );
}
