//! System calls of a server, by `strace -f -c`.
//!
//! The summary counts a whole process, so each figure is the difference of two processes: one that
//! echoes few messages and one that echoes many, or one that is idle for 1 s and one for 11 s.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use super::server;
use crate::child::Child;
use crate::peer::PeerId;
use crate::server::Service;
use crate::statistics::median;

/// Messages of the short and of the long conversation.
const FEW: u32 = 100;
const MANY: u32 = 600;
/// Between two messages, so that the server is back in its wait before the next arrives.
const PAUSE: Duration = Duration::from_millis(1);

/// Before the first message and after the last, so that the server has surely settled.
const REST: Duration = Duration::from_millis(30);

/// How often a count is repeated. A difference of two processes is off where one of them started a
/// little differently, or was so late that a message overtook its wait; that does not happen every
/// time, and what a runtime really does happens every time.
const ATTEMPTS: usize = 3;

/// System calls of the server for one 64-byte message on one connection: the median of a few
/// attempts.
pub fn echo_calls(peer: PeerId) -> io::Result<f64> {
    let attempts: io::Result<Vec<f64>> = (0..ATTEMPTS).map(|_| echo_calls_once(peer)).collect();
    Ok(median(&attempts?))
}

fn echo_calls_once(peer: PeerId) -> io::Result<f64> {
    let few = Traced::start(Service::Echo, peer)?;
    converse(few.child.first_line(), FEW)?;
    let few = few.finish()?;
    let many = Traced::start(Service::Echo, peer)?;
    converse(many.child.first_line(), MANY)?;
    let many = many.finish()?;
    Ok((many as f64 - few as f64) / f64::from(MANY - FEW))
}

/// System calls in ten seconds of a server with a thousand sockets and a thousand timers, all
/// silent, the first second left out: the least of a few attempts, the first if it is none.
pub fn idle_calls(peer: PeerId) -> io::Result<u64> {
    let mut least = u64::MAX;
    for _ in 0..ATTEMPTS {
        least = least.min(idle_calls_once(peer)?);
        if least == 0 {
            break;
        }
    }
    Ok(least)
}

fn idle_calls_once(peer: PeerId) -> io::Result<u64> {
    let settle = Duration::from_secs(1);
    let short = Traced::start(Service::Idle, peer)?;
    let long = Traced::start(Service::Idle, peer)?;
    thread::sleep(settle.saturating_sub(short.ready.elapsed()));
    let short = short.finish()?;
    thread::sleep((settle + Duration::from_secs(10)).saturating_sub(long.ready.elapsed()));
    Ok(long.finish()?.saturating_sub(short))
}

fn converse(address: &str, messages: u32) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    thread::sleep(REST);
    let mut message = [7; 64];
    for _ in 0..messages {
        thread::sleep(PAUSE);
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
    }
    thread::sleep(REST);
    Ok(())
}

/// A server under `strace -f -c`.
struct Traced {
    child: Child,
    ready: Instant,
    summary: PathBuf,
}

impl Traced {
    fn start(service: Service, peer: PeerId) -> io::Result<Self> {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        // ORDERING: a number for a file name, unique whatever the order.
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let summary = env::temp_dir().join(format!("tenter-strace-{}-{number}.txt", process::id()));
        let traced = server(service, peer)?;
        let mut command = Command::new("strace");
        command.args(["-f", "-c", "-o"]).arg(&summary);
        command.arg(traced.get_program()).args(traced.get_args());
        let child = Child::start(command)
            .map_err(|error| io::Error::new(error.kind(), format!("{error}; install strace")))?;
        Ok(Self {
            child,
            ready: Instant::now(),
            summary,
        })
    }

    /// Ends the server and returns how many system calls it made.
    fn finish(self) -> io::Result<u64> {
        self.child.finish()?;
        let summary = fs::read_to_string(&self.summary)?;
        let _ = fs::remove_file(&self.summary);
        total(&summary).ok_or_else(|| io::Error::other("strace printed no total"))
    }
}

/// The calls column of the last line: share, seconds, µs a call, calls, errors if any, `total`.
fn total(summary: &str) -> Option<u64> {
    let line = summary
        .lines()
        .rev()
        .find(|line| line.trim_end().ends_with("total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_total_is_read_with_and_without_errors() {
        let with = "------ --- ---\n100.00    0.000123           1        81         9 total\n";
        let without = "100.00    0.000123           1        81           total\n";
        assert_eq!(super::total(with), Some(81));
        assert_eq!(super::total(without), Some(81));
        assert_eq!(super::total("% time"), None);
    }
}
