//! Rows with a server in a process of its own on one processor and the load on another.

use std::io;

use super::{Figure, How, Measure, Rounds, Row, Unit};
use crate::child::Child;
use crate::load::{Answered, Churn, HTTP_REQUEST, Load, http_length};
use crate::measure::{Sample, each};
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

/// The most connections that are kept from round to round.
const KEPT_MAX: usize = 4_096;

/// Who echoes on one thread.
const ECHO: &[PeerId] = &[
    PeerId::Tenter,
    PeerId::Tokio,
    PeerId::Smol,
    PeerId::Epoll,
    #[cfg(feature = "completion")]
    PeerId::Compio,
    #[cfg(feature = "completion")]
    PeerId::Monoio,
];

/// A row of a server, which has the load beside it.
macro_rules! served {
    ($name:literal, $question:literal, $peers:expr, $served:expr, $service:ident, $load:expr) => {
        Row {
            name: $name,
            question: $question,
            figures: SERVED,
            rounds: Rounds::Each,
            peers: $peers,
            brief: $peers,
            barging: &[],
            how: How::Here(|peer| {
                const LOAD: Requests = $load;
                $served(Service::$service, peer).load(&LOAD)
            }),
        }
    };
}
pub(super) use served;

pub(super) const ROWS: &[Row] = &[
    served!(
        "echo_64",
        "TCP echo of 64 bytes over 64 connections",
        ECHO,
        Served::on_a_thread,
        Echo,
        Requests::echo(64, 60_000)
    ),
    served!(
        "echo_1",
        "TCP echo of 64 bytes over one connection",
        ECHO,
        Served::on_a_thread,
        Echo,
        Requests::echo(1, 8_000)
    ),
    served!(
        "echo_1000",
        "TCP echo of 64 bytes over 1 000 connections",
        ECHO,
        Served::on_a_thread,
        Echo,
        Requests::echo(1_000, 40_000)
    ),
    served!(
        "echo_16k",
        "TCP echo of 16 KiB over 64 connections",
        ECHO,
        Served::on_a_thread,
        EchoLarge,
        Requests::large(64, 20_000)
    ),
    served!(
        "connect_close",
        "connect, one byte each way, close, 16 at a time",
        ECHO,
        Served::on_a_thread,
        Echo,
        Requests::churn(16, 8_000)
    ),
    served!(
        "http_hello",
        "HTTP hello by hyper over 64 keep-alive connections",
        PeerId::ON_ONE_THREAD,
        Served::on_a_thread,
        Http,
        Requests::http(64, 40_000)
    ),
    Row {
        name: "idle",
        question: "system calls in 10 s with 1 000 silent sockets and 1 000 timers an hour away",
        figures: IDLE,
        rounds: Rounds::Once,
        peers: PeerId::ON_ONE_THREAD,
        brief: PeerId::ON_ONE_THREAD,
        barging: &[],
        how: How::Here(|peer| {
            Ok(Box::new(move || {
                Ok(vec![check::idle_calls(peer, false)? as f64])
            }))
        }),
    },
];

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
    pub(super) fn on_a_thread(service: Service, peer: PeerId) -> Self {
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

    /// The server and its connections live as long as the row; each round sends `requests`. A server
    /// that is busy by itself lives for a round alone, lest it be in the way of the others; so does one with
    /// more connections than a process may have files for all peers together.
    pub(super) fn load(self, load: &'static Requests) -> io::Result<Measure> {
        if self.service == Service::EchoBesideHogs || load.connections > KEPT_MAX {
            return Ok(Box::new(move || Loaded::start(self, load)?.round()));
        }
        let mut loaded = Loaded::start(self, load)?;
        Ok(Box::new(move || loaded.round()))
    }
}

/// The length of a response, if so much of it says it.
type ResponseLength = fn(&[u8]) -> Option<usize>;

/// A load.
#[derive(Debug)]
pub(super) struct Requests {
    pub(super) connections: usize,
    /// How many a round.
    pub(super) number: u64,
    pub(super) request: &'static [u8],
    /// The length of a response of which this much is known; `None`: each has its own connection.
    pub(super) length: Option<ResponseLength>,
}

impl Requests {
    /// Messages of 64 bytes.
    pub(super) const fn echo(connections: usize, number: u64) -> Self {
        Self {
            connections,
            number,
            request: &[7; 64],
            length: Some(|_| Some(64)),
        }
    }

    /// Messages of 16 KiB.
    pub(super) const fn large(connections: usize, number: u64) -> Self {
        Self {
            connections,
            number,
            request: &[7; 16 * 1024],
            length: Some(|_| Some(16 * 1024)),
        }
    }

    pub(super) const fn http(connections: usize, number: u64) -> Self {
        Self {
            connections,
            number,
            request: HTTP_REQUEST,
            length: Some(http_length),
        }
    }

    /// A byte over a connection of its own.
    pub(super) const fn churn(connections: usize, number: u64) -> Self {
        Self {
            connections,
            number,
            request: &[7],
            length: None,
        }
    }

    fn connect(&self, server: &str) -> io::Result<Traffic> {
        Ok(match self.length {
            Some(length) => Traffic::Kept(Load::connect(
                server,
                self.connections,
                self.request,
                length,
            )?),
            None => Traffic::Churn(Churn::new(server, self.connections)?),
        })
    }
}

/// A load that is connected.
enum Traffic {
    Kept(Load),
    Churn(Churn),
}

impl Traffic {
    fn run(&mut self, requests: u64) -> io::Result<Answered> {
        match self {
            Traffic::Kept(load) => load.run(requests),
            Traffic::Churn(churn) => churn.run(requests),
        }
    }
}

/// A server that runs and its load.
struct Loaded {
    served: Served,
    requests: u64,
    server: Child,
    load: Traffic,
}

impl Loaded {
    /// Starts both, and warms them up.
    fn start(served: Served, requests: &Requests) -> io::Result<Self> {
        let command = check::server(served.service, served.peer, served.workers)?;
        let beside = if served.workers {
            machine::WORKERS
        } else {
            machine::BESIDE
        };
        let server = Child::start_on(beside, command)?;
        machine::raise_file_limit();
        let load = requests.connect(server.first_line())?;
        let mut loaded = Self {
            served,
            requests: requests.number,
            server,
            load,
        };
        loaded.load.run(requests.number / 10)?;
        Ok(loaded)
    }

    /// With workers the load may use both processors as well, and goes before whatever else runs.
    fn round(&mut self) -> io::Result<Sample> {
        if self.served.workers {
            machine::pin(machine::WORKERS);
            machine::hurry(true);
        }
        let before = self.server.cpu()?;
        let answered = self.load.run(self.requests)?;
        let cpu = self.server.cpu()? - before;
        machine::hurry(false);
        machine::pin(machine::HARNESS);
        let mut sample = vec![self.requests as f64 / answered.wall.as_secs_f64()];
        if self.served.tail {
            sample.push(quantile(&answered.latencies, 0.99));
        }
        sample.push(each(cpu, self.requests));
        Ok(sample)
    }
}
