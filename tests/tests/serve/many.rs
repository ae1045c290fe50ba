//! Many connections, and what is left of them.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Resource, getrlimit, setrlimit};
use tenter::net::{ServeOptions, TcpStream, serve};
use tenter::{Builder, spawn};
use tenter_tests::support::{alone, build, every, thread};

use crate::support::{Waiting, converse, echo, listener, until};

/// The descriptors that this process has open.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("Linux").count()
}

/// Goal: a thousand connections at a time are all served, and leave nothing behind: no descriptor,
/// no task.
/// Method: twice, because what is opened once for the process stays.
#[test]
fn a_thousand_connections_leave_nothing_behind() {
    if !alone("many::a_thousand_connections_leave_nothing_behind") {
        return;
    }
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("up to the maximum anybody may");
    every(|builder| {
        let runtime = build(builder);
        let round = || {
            runtime.block_on(async {
                let (listener, address) = listener().await;
                let server = serve(listener, echo, ServeOptions::new());
                let mut clients = Vec::new();
                for number in 0..1_000 {
                    clients.push(spawn(async move {
                        let mut client = TcpStream::connect(address).await.expect("listens");
                        converse(&mut client, &format!("I am number {number}")).await;
                        client
                    }));
                }
                let mut streams = Vec::new();
                for client in clients {
                    streams.push(client.await.expect("no panic"));
                }
                assert_eq!(server.open_connections(), 1_000);
                for stream in &mut streams {
                    converse(stream, "and still here").await;
                }
                drop(streams);
                until("all have left", || server.open_connections() == 0).await;
                server.close();
                let report = server.closed().await.expect("closed on request");
                assert_eq!((report.accepted, report.completed), (1_000, 1_000));
            });
        };
        round();
        let before = descriptors();
        round();
        assert_eq!(descriptors(), before);
    });
}

/// Goal: whatever comes together, every connection is counted once, and the server ends.
/// Method: clients come and go in threads while the server is closed or aborted at some moment.
#[test]
fn every_connection_is_counted_once() {
    let runtime = build(Builder::multi_thread().workers(2));
    for round in 0..200 {
        let (server, address) = runtime.block_on(async {
            let options = ServeOptions::new().drain_timeout(std::time::Duration::from_millis(1));
            let options = match round % 3 {
                0 => options.max_connections(3),
                _ => options,
            };
            let server = Waiting::start(options).await;
            let address = server.address;
            (server, address)
        });
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..2)
            .map(|_| {
                let stop = Arc::clone(&stop);
                thread(move || {
                    let mut kept = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        match std::net::TcpStream::connect(address) {
                            Ok(client) => kept.push(client),
                            Err(_) => return,
                        }
                        if kept.len() > 20 {
                            kept.clear();
                        }
                    }
                })
            })
            .collect();
        while server.begun.get() < round % 7 {
            server.let_go(1);
            std::thread::yield_now();
        }
        match round % 2 {
            0 => server.server.close(),
            _ => server.server.abort(),
        }
        let report = runtime.block_on(server.server.closed());
        let report = report.expect("closed on request");
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join());
        assert_eq!(
            report.accepted,
            report.completed + report.cancelled,
            "{report}"
        );
        assert_eq!(
            (report.panicked, report.stuck, report.open),
            (0, 0, 0),
            "{report}"
        );
        assert_eq!(server.begun.get(), server.gone.get());
    }
}
