//! Rows with a server in a process of its own on one processor and the load on another.

use std::io;

use super::{Figure, How, Measure, Rounds, Row, Unit};
use crate::child::Child;
use crate::load::{HTTP_REQUEST, Load, http_length};
use crate::measure::each;
use crate::peer::PeerId;
use crate::server::Service;
use crate::statistics::quantile;
use crate::{check, machine};

/// Requests answered in a second, and the server's processor time for each.
pub(super) const SERVED: &[Figure] = &[
    Figure::of("rate", Unit::PerSecond),
    Figure::nanoseconds("cpu"),
];

/// System calls while nothing happens.
pub(super) const IDLE: &[Figure] = &[Figure::of("calls", Unit::Count)];

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "echo_64",
        question: "TCP echo of 64 bytes over 64 connections",
        figures: SERVED,
        rounds: Rounds::Each,
        peers: PeerId::ON_ONE_THREAD,
        how: How::Here(|peer| echo(peer, 64, 60_000)),
    },
    Row {
        name: "echo_1",
        question: "TCP echo of 64 bytes over one connection",
        figures: SERVED,
        rounds: Rounds::Each,
        peers: PeerId::ON_ONE_THREAD,
        how: How::Here(|peer| echo(peer, 1, 8_000)),
    },
    Row {
        name: "http_hello",
        question: "HTTP hello by hyper over 64 keep-alive connections",
        figures: SERVED,
        rounds: Rounds::Each,
        peers: PeerId::ON_ONE_THREAD,
        how: How::Here(http),
    },
    Row {
        name: "idle",
        question: "system calls in 10 s with 1 000 silent sockets and 1 000 timers an hour away",
        figures: IDLE,
        rounds: Rounds::Once,
        peers: PeerId::ON_ONE_THREAD,
        how: How::Here(|peer| {
            Ok(Box::new(move || {
                Ok(vec![check::idle_calls(peer, false)? as f64])
            }))
        }),
    },
];

fn echo(peer: PeerId, connections: usize, requests: u64) -> io::Result<Measure> {
    Served::on_a_thread(Service::Echo, peer).load(connections, requests, &[7; 64], |_| Some(64))
}

fn http(peer: PeerId) -> io::Result<Measure> {
    Served::on_a_thread(Service::Http, peer).load(64, 40_000, HTTP_REQUEST, http_length)
}

/// A service, who gives it, and what is asked about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served {
    service: Service,
    peer: PeerId,
    workers: bool,
    tail: bool,
}

impl Served {
    /// On one thread on one processor, the load on the other.
    fn on_a_thread(service: Service, peer: PeerId) -> Self {
        Self {
            service,
            peer,
            workers: false,
            tail: false,
        }
    }

    /// With two workers; server and load may use both processors.
    pub(super) fn by_workers(service: Service, peer: PeerId) -> Self {
        Self {
            workers: true,
            ..Self::on_a_thread(service, peer)
        }
    }

    /// The tail of the latency stands between rate and processor time.
    pub(super) fn with_tail(self) -> Self {
        Self { tail: true, ..self }
    }

    /// The server and its connections live as long as the row; each round sends `requests`.
    pub(super) fn load(
        self,
        connections: usize,
        requests: u64,
        request: &[u8],
        length: fn(&[u8]) -> Option<usize>,
    ) -> io::Result<Measure> {
        let (beside, seat) = if self.workers {
            (machine::WORKERS, machine::WORKERS)
        } else {
            (machine::BESIDE, machine::HARNESS)
        };
        let command = check::server(self.service, self.peer, self.workers)?;
        let mut server = Child::start_on(beside, command)?;
        let mut load = Load::connect(server.first_line(), connections, request, length)?;
        load.run(requests / 10)?;
        Ok(Box::new(move || {
            machine::pin(seat);
            machine::hurry(self.workers);
            let before = server.cpu()?;
            let answered = load.run(requests)?;
            let cpu = server.cpu()? - before;
            machine::hurry(false);
            machine::pin(machine::HARNESS);
            let mut sample = vec![requests as f64 / answered.wall.as_secs_f64()];
            if self.tail {
                sample.push(quantile(&answered.latencies, 0.99));
            }
            sample.push(each(cpu, requests));
            Ok(sample)
        }))
    }
}
