//! Fault 34: the poller itself is broken.

use std::os::fd::RawFd;
use std::time::Duration;

use tenter::io::{AsyncReadExt, AsyncWriteExt};
use tenter::net::{TcpListener, TcpStream};
use tenter::task::yield_now;
use tenter::time::sleep;
use tenter::{Builder, Runtime, spawn};
use tenter_tests::support::{alone, assert_says, build, thread};

use crate::system::{
    close, descriptors, every_flavour, opened_since, pair, processor_time, replace,
};

/// Goal: whatever waits for a socket gets the error, in every flavour.
/// Method: the number of the poller is made to mean another file, on which every wait fails.
#[test]
fn fault_34_a_poller_that_is_replaced() {
    if alone("poller::fault_34_a_poller_that_is_replaced") {
        every_flavour().for_each(|builder| broken(builder, replace));
    }
}

/// Goal: the same where the number means nothing any more.
#[test]
fn fault_34_a_poller_that_is_closed() {
    if alone("poller::fault_34_a_poller_that_is_closed") {
        every_flavour().for_each(|builder| broken(builder, close));
    }
}

fn broken(builder: Builder, breaks: impl Fn(RawFd)) {
    let label = format!("{builder:?}");
    let before = descriptors();
    let runtime = build(builder);
    let (reading, accepting, idle) = runtime.block_on(async {
        let (client, mut server) = pair().await;
        let reading = spawn(async move { server.read(&mut [0; 8]).await });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let accepting = spawn(async move { listener.accept().await.map(drop) });
        while runtime.metrics().waiting_io < 2 {
            yield_now().await;
        }
        (reading, accepting, client)
    });
    let poller = opened_since(&before, "[eventpoll]");
    assert_eq!(poller.len(), 1, "{label}: the poller of this runtime");
    breaks(poller[0]);
    everybody_is_told(&runtime, reading, accepting, idle);
    nobody_spins(&runtime, &label);
    // The runtime closes the number that it believes to own: let it be one that nobody misses.
    replace(poller[0]);
    drop(runtime);
    assert_eq!(descriptors(), before, "{label}");
    // A new runtime has a poller of its own.
    let next = build(Builder::multi_thread().workers(1));
    next.block_on(async {
        let (mut client, mut server) = pair().await;
        client.write_all(b"x").await.expect("written");
        server.read_exact(&mut [0]).await.expect("read");
    });
}

type Task<T> = tenter::JoinHandle<std::io::Result<T>>;

fn everybody_is_told(
    runtime: &Runtime,
    reading: Task<usize>,
    accepting: Task<()>,
    mut idle: TcpStream,
) {
    // A worker may sleep in the poller that it has entered before: work makes it look again.
    let handle = runtime.handle().clone();
    let stirring = thread(move || {
        while handle.metrics().poller_failures == 0 {
            drop(handle.spawn(async {}));
            std::thread::yield_now();
        }
    });
    runtime.block_on(async {
        for told in [
            reading.await.expect("no panic").map(drop),
            accepting.await.expect("no panic"),
            idle.read(&mut [0]).await.map(drop),
            TcpListener::bind("127.0.0.1:0").await.map(drop),
        ] {
            let text = told.expect_err("nobody waits for events any more");
            assert_says(
                &text.to_string(),
                &["I/O driver", "has failed", "new runtime"],
            );
        }
        // Tasks, timers and jobs are not concerned.
        for round in 0..20 {
            let task = spawn(async move {
                sleep(Duration::from_micros(50)).await;
                round
            });
            assert_eq!(task.await.ok(), Some(round));
        }
        let job = tenter::spawn_blocking(|| 1).await;
        assert_eq!(job.ok(), Some(1));
    });
    stirring.join();
}

/// A broken poller ends each wait at once; who waits there again and again burns a processor.
fn nobody_spins(runtime: &Runtime, label: &str) {
    let (failures, used) = (runtime.metrics().poller_failures, processor_time());
    runtime.block_on(async {
        spawn(sleep(Duration::from_millis(100)))
            .await
            .expect("no panic");
    });
    let used = processor_time() - used;
    assert_eq!(runtime.metrics().poller_failures, failures, "{label}");
    assert!(
        used < Duration::from_millis(50),
        "{label}: {used:?} of 100 ms"
    );
    assert!(
        failures < 10,
        "{label}: {failures} turns of a broken poller"
    );
}
