//! Servers with two workers; they and their load may use both processors.

use std::io;

use super::{Figure, How, Measure, RUNTIMES, RUNTIMES_AND_GO, Rounds, Row, Unit};
use crate::check;
use crate::load::{HTTP_REQUEST, http_length};
use crate::peer::PeerId;
use crate::row::servers::{IDLE, SERVED, Served};
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
    let served = Served::by_workers(Service::Echo, peer);
    served.load(64, 40_000, &[7; 64], |_| Some(64))
}

fn http(peer: PeerId) -> io::Result<Measure> {
    let served = Served::by_workers(Service::Http, peer);
    served.load(64, 30_000, HTTP_REQUEST, http_length)
}

fn hogs_echo(peer: PeerId) -> io::Result<Measure> {
    let served = Served::by_workers(Service::EchoBesideHogs, peer);
    served.with_tail().load(4, 3_000, &[7; 64], |_| Some(64))
}
