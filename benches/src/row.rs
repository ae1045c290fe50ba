//! The rows of the table: one question each, and how it is answered.
//!
//! A row yields one or more *figures* a round; the first is the answer, the others say what it cost.
//! To add a row, write its operation in [`operation`](crate::operation) or its measurement in a
//! module here, list it in that module's `ROWS`, and give it a target in `targets.toml` if it has one.

mod memory;
mod servers;
mod sync;
mod tasks;
mod waiting;
mod workers;

use std::fmt;
use std::io;

use crate::child::Child;
use crate::measure::Sample;
use crate::peer::PeerId;
use crate::{check, machine};

/// Measures one round on one peer.
pub type Measure = Box<dyn FnMut() -> io::Result<Sample>>;

/// One question.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name in the table, on the command line and in `targets.toml`.
    pub name: &'static str,
    /// What it asks.
    pub question: &'static str,
    /// What a sample holds, in this order.
    pub figures: &'static [Figure],
    /// How often it has to be asked.
    pub rounds: Rounds,
    /// Whom it can be asked.
    pub peers: &'static [PeerId],
    /// Whom a check asks; nobody if it leaves the row out.
    pub brief: &'static [PeerId],
    /// Those of them that let a newcomer pass who waits.
    pub barging: &'static [PeerId],
    /// Where and how it is answered.
    pub how: How,
}

/// Where a row is measured.
#[derive(Clone, Copy, Debug)]
pub enum How {
    /// In the harness, which is pinned to one processor. Prepares it for one peer.
    Here(fn(PeerId) -> io::Result<Measure>),
    /// In a process for each peer, which may use both processors.
    Child(Workload),
    /// As `Child`, and the process is another one each round: memory that an earlier round gave back
    /// would be used again.
    FreshChild(Workload),
}

/// One round on a peer in this process.
pub type Workload = fn(PeerId, Size) -> Sample;

/// How much is done in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Enough for a person who wants to know.
    Full,
    /// Enough for a check that has to be over soon.
    Quick,
}

impl Size {
    /// `full` operations, or a quarter of them.
    pub fn of(self, full: u64) -> u64 {
        match self {
            Self::Full => full,
            Self::Quick => full / 4,
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Quick => "quick",
        }
    }

    /// The size with this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Full, Self::Quick]
            .into_iter()
            .find(|size| size.name() == name)
    }
}

impl Row {
    /// The row with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        all().find(|row| row.name == name)
    }

    /// Prepares it for one peer.
    ///
    /// # Errors
    ///
    /// Whatever keeps a child from starting.
    pub fn open(&'static self, peer: PeerId, size: Size) -> io::Result<Measure> {
        match self.how {
            How::Here(open) => open(peer),
            How::Child(_) => {
                let mut child = self.child(peer, size)?;
                Ok(Box::new(move || self.ask(&mut child)))
            }
            How::FreshChild(_) => Ok(Box::new(move || {
                let mut child = self.child(peer, size)?;
                let sample = self.ask(&mut child)?;
                child.finish()?;
                Ok(sample)
            })),
        }
    }

    fn child(&self, peer: PeerId, size: Size) -> io::Result<Child> {
        let command = check::measurement(self.name, peer, size)?;
        Child::start_on(machine::WORKERS, command)
    }

    /// One round of a child.
    fn ask(&self, child: &mut Child) -> io::Result<Sample> {
        let sample = child.sample()?;
        if sample.len() == self.figures.len() {
            return Ok(sample);
        }
        Err(io::Error::other(format!(
            "the child answered {} figures, not {}",
            sample.len(),
            self.figures.len()
        )))
    }
}

/// The child's side of a row: answers round after round until the parent goes.
///
/// # Errors
///
/// If there is no such row for a child, or the parent cannot be talked to.
pub fn measure(name: &str, peer: PeerId, size: Size) -> io::Result<()> {
    let row = Row::named(name).filter(|row| row.peers.contains(&peer));
    let Some(How::Child(workload) | How::FreshChild(workload)) = row.map(|row| row.how) else {
        let message = format!("no row {name:?} is measured in a child of {peer}");
        return Err(io::Error::other(message));
    };
    machine::raise_file_limit();
    crate::child::answer(|| workload(peer, size))
}

/// One figure of a row.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// Its name in `targets.toml`.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds for each operation.
    Nanoseconds,
    /// Bytes.
    Bytes,
    /// Operations in a second: more is better.
    PerSecond,
    /// Plain numbers.
    Count,
    /// A part of one.
    Share,
}

impl Unit {
    /// A value of this unit, in at most ten characters.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Nanoseconds if value >= 1e6 => format!("{:.2} ms", value / 1e6),
            Self::Nanoseconds if value >= 1e4 => format!("{:.1} µs", value / 1e3),
            Self::Nanoseconds if value < 100.0 => format!("{value:.1} ns"),
            Self::Nanoseconds => format!("{value:.0} ns"),
            Self::Bytes => format!("{value:.0} B"),
            Self::PerSecond => format!("{:.1} k/s", value / 1e3),
            Self::Count => format!("{value:.0}"),
            Self::Share => format!("{value:.3}"),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

/// How often a row has to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounds {
    /// Once in each round: it is a time, and the machine drifts.
    Each,
    /// Once: it is a count.
    Once,
}

impl Figure {
    const fn of(name: &'static str, unit: Unit) -> Self {
        Self { name, unit }
    }

    /// A time for each operation, or a delay.
    const fn nanoseconds(name: &'static str) -> Self {
        Self::of(name, Unit::Nanoseconds)
    }
}

/// Median and tail of a delay, and the processor time it took.
const DELAY: &[Figure] = &[
    Figure::nanoseconds("p50"),
    Figure::nanoseconds("p99"),
    Figure::nanoseconds("cpu"),
];

/// Wall and processor time of one operation.
const TIME: &[Figure] = &[Figure::nanoseconds("time"), Figure::nanoseconds("cpu")];

/// Every row, in the order of the table.
pub fn all() -> impl Iterator<Item = &'static Row> {
    [tasks::ROWS, waiting::ROWS, memory::ROWS, servers::ROWS]
        .into_iter()
        .chain(workers::ROWS)
        .chain(sync::ROWS)
        .flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{How, all};
    use crate::peer::PeerId;

    #[test]
    fn names_are_unique_and_every_row_has_a_figure() {
        let mut names = HashSet::new();
        for row in all() {
            assert!(names.insert(row.name), "{} twice", row.name);
            assert!(!row.figures.is_empty(), "{} measures nothing", row.name);
            assert!(row.peers.len() >= 2, "{} compares nothing", row.name);
            assert_eq!(row.peers[0], PeerId::JUDGED, "{} judges nobody", row.name);
            let of_row = |peer| row.peers.contains(peer);
            assert!(row.brief.iter().all(of_row), "{}", row.name);
            assert!(row.barging.iter().all(of_row), "{}", row.name);
        }
    }

    #[test]
    fn rows_that_ask_go_are_translated() {
        let program = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/go/main.go"));
        let asked = all().filter(|row| row.peers.contains(&PeerId::Go));
        for row in asked.filter(|row| matches!(row.how, How::Child(_))) {
            assert!(
                program.contains(&format!("\"{}\":", row.name)),
                "{}",
                row.name
            );
        }
    }
}
