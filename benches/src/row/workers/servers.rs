//! Servers with two workers; they and their load may use both processors.

use std::io;

use super::super::servers::SERVED;
use super::{Figure, How, Measure, RUNTIMES, RUNTIMES_AND_GO, Rounds, Row, Unit};
use crate::check;
use crate::peer::PeerId;
use crate::row::servers::{IDLE, Requests, Served, served};
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
        brief: RUNTIMES_AND_GO,
        barging: &[],
        how: How::Here(hogs_echo),
    },
    served!(
        "mt_echo_1",
        "TCP echo of 64 bytes over one connection",
        RUNTIMES_AND_GO,
        Served::by_workers,
        Echo,
        Requests::echo(1, 8_000)
    ),
    served!(
        "mt_echo_64",
        "TCP echo of 64 bytes over 64 connections",
        RUNTIMES_AND_GO,
        Served::by_workers,
        Echo,
        Requests::echo(64, 40_000)
    ),
    served!(
        "mt_echo_1000",
        "TCP echo of 64 bytes over 1 000 connections",
        RUNTIMES_AND_GO,
        Served::by_workers,
        Echo,
        Requests::echo(1_000, 40_000)
    ),
    served!(
        "mt_echo_10000",
        "TCP echo of 64 bytes over 10 000 connections",
        RUNTIMES,
        Served::by_workers,
        Echo,
        Requests::echo(10_000, 40_000)
    ),
    served!(
        "mt_echo_16k",
        "TCP echo of 16 KiB over 64 connections",
        RUNTIMES,
        Served::by_workers,
        EchoLarge,
        Requests::large(64, 20_000)
    ),
    served!(
        "mt_connect_close",
        "connect, one byte each way, close, 16 at a time",
        RUNTIMES_AND_GO,
        Served::by_workers,
        Echo,
        Requests::churn(16, 8_000)
    ),
    served!(
        "mt_http_hello",
        "HTTP hello by hyper over 64 keep-alive connections",
        RUNTIMES,
        Served::by_workers,
        Http,
        Requests::http(64, 30_000)
    ),
    served!(
        "mt_http_512",
        "HTTP hello by hyper over 512 keep-alive connections",
        RUNTIMES,
        Served::by_workers,
        Http,
        Requests::http(512, 30_000)
    ),
    Row {
        name: "mt_idle",
        question: "system calls in 10 s with 1 000 silent sockets and 1 000 timers an hour away",
        figures: IDLE,
        rounds: Rounds::Once,
        peers: RUNTIMES_AND_GO,
        brief: RUNTIMES_AND_GO,
        barging: &[],
        how: How::Here(|peer| {
            Ok(Box::new(move || {
                Ok(vec![check::idle_calls(peer, true)? as f64])
            }))
        }),
    },
];

fn hogs_echo(peer: PeerId) -> io::Result<Measure> {
    const LOAD: Requests = Requests::echo(4, 4_000);
    Served::by_workers(Service::EchoBesideHogs, peer)
        .with_tail()
        .load(&LOAD)
}
