//! What the figures are held against.
//!
//! Times inform: [`targets`] prints met or short, and nothing fails, because a shared machine is
//! slow whenever it likes. Counts gate: allocations, system calls and instructions for one
//! operation repeat exactly, so [`counts`] compares them with committed figures and with limits.

pub mod counts;
mod instructions;
mod system_calls;
pub mod targets;

use std::process::Command;
use std::{env, fmt, io};

use crate::go;
use crate::peer::PeerId;
use crate::row::Size;
use crate::server::Service;

pub use self::counts::{bless, gates, listing};
pub use self::system_calls::idle_calls;

/// What came of one gate.
#[derive(Debug)]
pub enum Gate {
    /// The count is as committed.
    Passed {
        /// What was counted.
        name: String,
        /// The outcome in words.
        outcome: String,
    },
    /// The count differs, is over its limit, or could not be taken where it had to be.
    Failed {
        /// What was counted.
        name: String,
        /// The outcome in words.
        outcome: String,
    },
    /// It could not be counted, or its committed figure does not hold here.
    Skipped {
        /// What was to be counted.
        name: String,
        /// Why not.
        why: String,
    },
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed { name, outcome } => write!(f, "passed   {name:<42}{outcome}"),
            Self::Failed { name, outcome } => write!(f, "FAILED   {name:<42}{outcome}"),
            Self::Skipped { name, why } => write!(f, "skipped  {name:<42}{why}"),
        }
    }
}

/// The compiler, the C library and the machine, in one line.
pub fn environment() -> String {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model.trim());
    format!("{}; {}; {processors} × {model}", compiler(), c_library())
}

/// Whether this runs where every tool is installed and nothing may be skipped.
pub fn in_ci() -> bool {
    env::var("CI").as_deref() == Ok("true")
}

/// The compiler that built this program.
fn compiler() -> &'static str {
    env!("TENTER_BENCHES_RUSTC")
}

/// Name and version of the C library.
fn c_library() -> String {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    output.map_or_else(
        |_| "unknown C library".into(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

/// A command that runs `peer` as a server, on one thread or with two workers.
pub fn server(service: Service, peer: PeerId, workers: bool) -> io::Result<Command> {
    let kind = if workers { "workers" } else { "thread" };
    child(peer, &["serve", service.name(), peer.name(), kind])
}

/// A command that measures a row on `peer`, round by round as it is asked.
pub fn measurement(row: &str, peer: PeerId, size: Size) -> io::Result<Command> {
    child(peer, &["measure", row, peer.name(), size.name()])
}

/// This program, or for Go the one that is built of `go/`.
fn child(peer: PeerId, arguments: &[&str]) -> io::Result<Command> {
    let mut command = match peer {
        PeerId::Go => go::command()?,
        _ => Command::new(env::current_exe()?),
    };
    command.args(arguments);
    Ok(command)
}

/// What the `counted` program, built beside this one, prints.
pub fn counted(arguments: &[&str]) -> io::Result<String> {
    output(Command::new(counted_program()?).args(arguments))
}

fn counted_program() -> io::Result<std::path::PathBuf> {
    let program = env::current_exe()?.with_file_name("counted");
    if program.is_file() {
        return Ok(program);
    }
    Err(io::Error::other(format!(
        "{} is missing: build both programs with `cargo build --release -p tenter-benches --bins`",
        program.display()
    )))
}

/// Runs a command to its end; its standard output, or an error with its standard error.
fn output(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(io::Error::other);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!(
        "{command:?}: {}: {}",
        output.status,
        said.trim()
    )))
}
