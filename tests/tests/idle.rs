//! Idle is idle: a runtime in which nothing happens makes no system call.
//!
//! Real time is the subject; it takes about five seconds. The same, with strace: `cargo xtask bench idle`.

use std::collections::BTreeMap;
use std::time::Duration;

use tenter::io::AsyncReadExt as _;
use tenter::net::{TcpListener, TcpStream};
use tenter::{Builder, Runtime, spawn};
use tenter_tests::support::{alone, build};

const SOCKETS: usize = 1_000;
const TIMERS: usize = 1_000;

/// After so long nobody looks any more how the others get on.
const SETTLE: Duration = Duration::from_secs(1);
const WATCH: Duration = Duration::from_secs(4);

/// How often each thread of this process but the calling one has gone to sleep or been interrupted. A
/// thread that sleeps makes no system call.
fn switches() -> BTreeMap<String, u64> {
    // SAFETY: nothing goes in, and a number comes out.
    let own = unsafe { libc::gettid() }.to_string();
    let threads = std::fs::read_dir("/proc/self/task").expect("this is Linux");
    let mut counts = BTreeMap::new();
    for thread in threads {
        let thread = thread.expect("it is listed");
        let id = thread.file_name().into_string().expect("a number");
        let status = std::fs::read_to_string(thread.path().join("status"));
        let status = status.expect("threads do not end meanwhile");
        let field = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name));
            value.expect("Linux counts them").trim()
        };
        if id != own {
            let switches = ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"]
                .map(|name| field(name).parse::<u64>().expect("a number"));
            let name = format!("{} {id}", field("Name:"));
            counts.insert(name, switches.iter().sum());
        }
    }
    counts
}

/// A runtime that has been busy on all workers, with sockets and timers that wait.
fn waiting(workers: usize) -> Runtime {
    let runtime = build(Builder::multi_thread().workers(workers));
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let read = |mut stream: TcpStream| {
            drop(spawn(async move {
                let _closed = stream.read_exact(&mut [0]).await;
            }));
        };
        for _ in 0..SOCKETS / 2 {
            read(TcpStream::connect(address).await.expect("it listens"));
            read(listener.accept().await.expect("a client has come").0);
        }
        for number in 0..TIMERS as u64 {
            let far = Duration::from_secs(3_600 + number);
            drop(spawn(tenter::time::sleep(far)));
        }
        let busy: Vec<_> = (0..2 * workers)
            .map(|_| {
                spawn(async {
                    for _ in 0..1_000 {
                        tenter::task::yield_now().await;
                    }
                })
            })
            .collect();
        for task in busy {
            task.await.expect("no panic");
        }
    });
    runtime
}

/// Goal: after a second of settling, a thousand sockets and a thousand far timers cost nothing.
/// Method: the kernel's count of switches, of every thread but this one, does not move.
#[test]
fn an_idle_runtime_makes_no_system_call() {
    if !alone("an_idle_runtime_makes_no_system_call") {
        return;
    }
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).expect("it may be raised");
    let runtimes = [waiting(2), waiting(4)];
    std::thread::sleep(SETTLE);
    let before = switches();
    std::thread::sleep(WATCH);
    let after = switches();
    assert_eq!(before, after);
    let workers = before.keys().filter(|name| name.contains("-worker-"));
    assert!(workers.count() >= 4, "their threads are there: {before:?}");
    for runtime in runtimes {
        let metrics = runtime.metrics();
        assert_eq!(
            (metrics.armed_timers, metrics.waiting_io),
            (TIMERS, SOCKETS)
        );
    }
}
