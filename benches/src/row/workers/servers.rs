//! Servers with two workers; they and their load may use both processors.

use std::io;

use super::{Figure, How, Measure, RUNTIMES, RUNTIMES_AND_GO, Rounds, Row, Unit};
use crate::check;
use crate::peer::PeerId;
use crate::row::servers::{IDLE, Requests, SERVED, Served};
use crate::server::Service;

pub(in crate::row) const ROWS: &[Row] = &[
    Row {
        name: "mt_hogs_echo",
        question: "TCP echo of 64 bytes over 4 connections beside 8 tasks that compute 100 µs and yield",
        figures: &[
            Figure::of("rate", Unit::PerSecond),
            Figure::nanoseconds("p99"),
            Figure::nanoseconds("cpu"),
        ],
        rounds: Rounds::Each,
        peers: RUNTIMES_AND_GO,
        how: How::Here(hogs_echo),
    },
    Row {
        name: "mt_echo_64",
        question: "TCP echo of 64 bytes over 64 connections",
        figures: SERVED,
        rounds: Rounds::Each,
        peers: RUNTIMES_AND_GO,
        how: How::Here(echo),
    },
    Row {
        name: "mt_http_hello",
        question: "HTTP hello by hyper over 64 keep-alive connections",
        figures: SERVED,
        rounds: Rounds::Each,
        peers: RUNTIMES,
        how: How::Here(http),
    },
    Row {
        name: "mt_idle",
        question: "system calls in 10 s with 1 000 silent sockets and 1 000 timers an hour away",
        figures: IDLE,
        rounds: Rounds::Once,
        peers: RUNTIMES_AND_GO,
        how: How::Here(|peer| {
            Ok(Box::new(move || {
                Ok(vec![check::idle_calls(peer, true)? as f64])
            }))
        }),
    },
];

fn echo(peer: PeerId) -> io::Result<Measure> {
    const LOAD: Requests = Requests::echo(64, 40_000);
    Served::by_workers(Service::Echo, peer).load(&LOAD)
}

fn http(peer: PeerId) -> io::Result<Measure> {
    const LOAD: Requests = Requests::http(30_000);
    Served::by_workers(Service::Http, peer).load(&LOAD)
}

fn hogs_echo(peer: PeerId) -> io::Result<Measure> {
    const LOAD: Requests = Requests::echo(4, 4_000);
    Served::by_workers(Service::EchoBesideHogs, peer)
        .with_tail()
        .load(&LOAD)
}
