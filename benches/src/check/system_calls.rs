//! System calls of a server, by `strace -f`.
//!
//! Calls for a message: the summary (`-c`) counts a whole process, so the figure is the difference of
//! a process that echoes few messages and one that echoes many. Calls while idle: the log (`-ttt`)
//! says when each call began, and those of ten seconds are counted. A difference would not do
//! there: how often a busy start looks at its sockets depends on the time it takes.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs, process, thread};

use super::{counted_program, output};
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
/// On a busy machine a message may overtake the server's wait all the same, and saves it calls.
const ATTEMPTS: usize = 3;

/// After this time an idle server has come to rest; from then on its calls count.
const SETTLE: Duration = Duration::from_secs(1);
/// For this long.
const IDLE: Duration = Duration::from_secs(10);

/// System calls of the server for one 64-byte message on one connection: the median of a few
/// attempts.
pub fn echo_calls(peer: PeerId) -> io::Result<f64> {
    let attempts: io::Result<Vec<f64>> = (0..ATTEMPTS).map(|_| echo_calls_once(peer)).collect();
    Ok(median(&attempts?))
}

fn echo_calls_once(peer: PeerId) -> io::Result<f64> {
    let (few, many) = (converse(peer, FEW)?, converse(peer, MANY)?);
    Ok((many as f64 - few as f64) / f64::from(MANY - FEW))
}

/// Calls that put a thread to sleep, wake one, or say why: for one wake of a parked task by another
/// thread, with two workers. The median of a few attempts.
pub fn wake_calls(peer: PeerId) -> io::Result<f64> {
    let attempt = |_| {
        let (few, many) = (wakes(peer, FEW)?, wakes(peer, MANY)?);
        Ok((many as f64 - few as f64) / f64::from(MANY - FEW))
    };
    let attempts: io::Result<Vec<f64>> = (0..ATTEMPTS).map(attempt).collect();
    Ok(median(&attempts?))
}

fn wakes(peer: PeerId, wakes: u32) -> io::Result<u64> {
    const CALLS: &str =
        "trace=futex,read,write,timerfd_settime,epoll_ctl,?epoll_wait,epoll_pwait,?epoll_pwait2";
    let file = summary_file();
    let mut command = Command::new("strace");
    command.args(["-f", "-c", "-e", CALLS, "-o"]).arg(&file);
    command.arg(counted_program()?);
    command.args(["wakes", peer.name(), &wakes.to_string()]);
    let done = output(&mut command)
        .map_err(|error| io::Error::new(error.kind(), format!("{error}; install strace")));
    let written = fs::read_to_string(&file);
    let _ = fs::remove_file(&file);
    done?;
    total(&written?).ok_or_else(|| io::Error::other("strace printed no total"))
}

/// A file of its own for every run.
fn summary_file() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // ORDERING: a number for a file name, unique whatever the order.
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    env::temp_dir().join(format!("tenter-strace-{}-{number}.txt", process::id()))
}

/// All system calls of an echo server in its life, with so many messages in it.
fn converse(peer: PeerId, messages: u32) -> io::Result<u64> {
    let server = Traced::start(&["-c"], super::server(Service::Echo, peer, false)?)?;
    let mut stream = TcpStream::connect(server.child.first_line())?;
    stream.set_nodelay(true)?;
    thread::sleep(REST);
    let mut message = [7; 64];
    for _ in 0..messages {
        thread::sleep(PAUSE);
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
    }
    thread::sleep(REST);
    total(&server.finish()?).ok_or_else(|| io::Error::other("strace printed no total"))
}

/// System calls that a server with a thousand sockets and a thousand timers, all silent, begins in
/// ten seconds, the first second left out.
pub fn idle_calls(peer: PeerId, workers: bool) -> io::Result<u64> {
    let server = Traced::start(&["-ttt"], super::server(Service::Idle, peer, workers)?)?;
    let ready = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(io::Error::other)?;
    let (from, to) = (ready + SETTLE, ready + SETTLE + IDLE);
    thread::sleep(SETTLE + IDLE + REST);
    let log = server.finish()?;
    let begun = begun_between(&log, from.as_secs_f64(), to.as_secs_f64());
    begun.ok_or_else(|| io::Error::other("strace printed a line without a time"))
}

/// A server under `strace -f`.
struct Traced {
    child: Child,
    file: PathBuf,
}

impl Traced {
    fn start(options: &[&str], traced: Command) -> io::Result<Self> {
        let file = summary_file();
        let mut command = Command::new("strace");
        command.arg("-f").args(options).arg("-o").arg(&file);
        command.arg(traced.get_program()).args(traced.get_args());
        let child = Child::start(command)
            .map_err(|error| io::Error::new(error.kind(), format!("{error}; install strace")))?;
        Ok(Self { child, file })
    }

    /// Ends the server and returns what strace wrote.
    fn finish(self) -> io::Result<String> {
        self.child.finish()?;
        let written = fs::read_to_string(&self.file);
        let _ = fs::remove_file(&self.file);
        written
    }
}

/// The calls column of a summary's last line: share, seconds, µs a call, calls, errors if any,
/// `total`.
fn total(summary: &str) -> Option<u64> {
    let line = summary
        .lines()
        .rev()
        .find(|line| line.trim_end().ends_with("total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

/// How many calls of a log began in a span of time. A line is: thread, seconds since 1970, call. A
/// call that was interrupted by another thread's has a second line, which says `resumed`.
fn begun_between(log: &str, from: f64, to: f64) -> Option<u64> {
    let mut begun = 0;
    for line in log.lines() {
        let mut words = line.split_whitespace().skip(1);
        let time: f64 = words.next()?.parse().ok()?;
        let call = words.next()?;
        let begins = call.starts_with(|first: char| first.is_ascii_lowercase());
        begun += u64::from(begins && (from..to).contains(&time));
    }
    Some(begun)
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

    #[test]
    fn calls_count_when_they_begin_within_the_span() {
        let log = "7 99.5 read(0,  <unfinished ...>\n\
                   8 100.5 epoll_wait(3, [], 8, -1) = 0\n\
                   7 101.0 <... read resumed>) = 0\n\
                   8 101.5 write(1, \"x\", 1) = 1\n\
                   8 110.5 exit_group(0) = ?\n\
                   8 110.6 +++ exited with 0 +++\n";
        assert_eq!(super::begun_between(log, 100.0, 110.0), Some(2));
        assert_eq!(super::begun_between(log, 90.0, 99.0), Some(0));
        assert_eq!(super::begun_between("torn", 0.0, 1.0), None);
    }
}
