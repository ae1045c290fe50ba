//! What the harness asks of the machine: processors to pin to, processor time, memory, files.

use std::time::Duration;
use std::{fs, io};

use rustix::process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// Where the harness itself sits: rows inside its process, and the load on servers.
pub const HARNESS: Seat = Seat::Second;
/// Where whatever stands beside it sits: servers, and the thread that wakes another.
pub const BESIDE: Seat = Seat::First;

/// Where a row with two workers sits, and the load on a server that has two.
pub const WORKERS: Seat = Seat::Both;

/// Which of the two processors the harness uses.
#[derive(Clone, Copy, Debug)]
pub enum Seat {
    /// Processor 0.
    First,
    /// Processor 1.
    Second,
    /// Either.
    Both,
}

/// Pins the calling thread, and every thread it starts from now on.
pub fn pin(seat: Seat) {
    let mut set = CpuSet::new();
    let processors: &[usize] = match seat {
        Seat::First => &[0],
        Seat::Second => &[1],
        Seat::Both => &[0, 1],
    };
    for &processor in processors {
        set.set(processor);
    }
    // There may be one processor only, or a container that forbids it: the figures are then
    // noisier, not wrong.
    let _ = sched_setaffinity(None, &set);
}

/// Lets the calling thread go before those of other processes, or not any more. A load that has to
/// wait for the processor measures the system's scheduler and not the server.
pub fn hurry(hurry: bool) {
    // Who may not do that measures with more noise.
    let _ = setpriority_process(None, if hurry { -20 } else { 0 });
}

/// Processor time of this process since it started, user and system, all threads.
pub fn process_cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

/// Bytes of this process that are in memory.
pub fn resident_bytes() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|figure| figure.parse::<u64>().ok())
        .ok_or_else(|| io::Error::other("/proc/self/status has no VmRSS line"))?;
    Ok(kibibytes * 1024)
}

/// More files than any row opens.
const FILES: u64 = 65_536;

/// Lets this process open as many files as the machine allows it to.
pub fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    let more = limit.maximum.map(|maximum| maximum.max(FILES));
    limit.current = more;
    // Who may raise its own maximum does. The caller finds out by name when a file more than the limit is opened.
    if setrlimit(
        Resource::Nofile,
        Rlimit {
            maximum: more,
            ..limit
        },
    )
    .is_err()
    {
        limit.current = limit.maximum;
        let _ = setrlimit(Resource::Nofile, limit);
    }
}
