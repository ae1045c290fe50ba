//! Rows with a server in a process of its own on one processor and the load on another.

use std::io;

use super::{Figure, Measure, Rounds, Row, Unit};
use crate::check;
use crate::child::Child;
use crate::load::{HTTP_REQUEST, Load, http_length};
use crate::measure::each;
use crate::peer::PeerId;
use crate::server::Service;

/// Requests answered in a second, and the server's processor time for each.
const SERVED: &[Figure] = &[
    Figure {
        name: "rate",
        unit: Unit::PerSecond,
    },
    Figure {
        name: "cpu",
        unit: Unit::Nanoseconds,
    },
];

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "echo_64",
        question: "TCP echo of 64 bytes over 64 connections",
        figures: SERVED,
        rounds: Rounds::Each,
        open: |peer| echo(peer, 64, 60_000),
    },
    Row {
        name: "echo_1",
        question: "TCP echo of 64 bytes over one connection",
        figures: SERVED,
        rounds: Rounds::Each,
        open: |peer| echo(peer, 1, 8_000),
    },
    Row {
        name: "http_hello",
        question: "HTTP hello by hyper over 64 keep-alive connections",
        figures: SERVED,
        rounds: Rounds::Each,
        open: |peer| load(Service::Http, peer, 64, 40_000, HTTP_REQUEST, http_length),
    },
    Row {
        name: "idle",
        question: "system calls in 10 s with 1 000 silent sockets and 1 000 timers an hour away",
        figures: &[Figure {
            name: "calls",
            unit: Unit::Count,
        }],
        rounds: Rounds::Once,
        open: |peer| Ok(Box::new(move || Ok(vec![check::idle_calls(peer)? as f64]))),
    },
];

fn echo(peer: PeerId, connections: usize, requests: u64) -> io::Result<Measure> {
    load(Service::Echo, peer, connections, requests, &[7; 64], |_| {
        Some(64)
    })
}

/// The server and its connections live as long as the row; each round sends `requests`.
fn load(
    service: Service,
    peer: PeerId,
    connections: usize,
    requests: u64,
    request: &[u8],
    length: fn(&[u8]) -> Option<usize>,
) -> io::Result<Measure> {
    let mut server = Child::start(check::server(service, peer)?)?;
    let mut load = Load::connect(server.first_line(), connections, request, length)?;
    load.run(requests / 10)?;
    Ok(Box::new(move || {
        let before = server.cpu()?;
        let wall = load.run(requests)?;
        let cpu = server.cpu()? - before;
        Ok(vec![
            requests as f64 / wall.as_secs_f64(),
            each(cpu, requests),
        ])
    }))
}
