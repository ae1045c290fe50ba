//! The rows of the table: one question each, and how it is answered.
//!
//! A row yields one or more *figures* a round; the first is the answer, the others say what it cost.
//! To add a row, write its operation in [`operation`](crate::operation) or its measurement in a
//! module here, list it in that module's `ROWS`, and give it a target in `targets.toml` if it has one.

mod memory;
mod servers;
mod tasks;
mod waiting;

use std::fmt;
use std::io;

use crate::measure::Sample;
use crate::peer::PeerId;

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
    /// Prepares it for one peer.
    pub open: fn(PeerId) -> io::Result<Measure>,
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

/// Wall and processor time of one operation.
const TIME: &[Figure] = &[
    Figure {
        name: "time",
        unit: Unit::Nanoseconds,
    },
    Figure {
        name: "cpu",
        unit: Unit::Nanoseconds,
    },
];

/// Every row, in the order of the table.
pub fn all() -> impl Iterator<Item = &'static Row> {
    [tasks::ROWS, waiting::ROWS, memory::ROWS, servers::ROWS]
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::all;
    use crate::peer::PeerId;

    #[test]
    fn names_are_unique_and_every_row_has_a_figure() {
        let mut names = HashSet::new();
        for row in all() {
            assert!(names.insert(row.name), "{} twice", row.name);
            assert!(!row.figures.is_empty(), "{} measures nothing", row.name);
        }
        assert!(PeerId::ALL.len() >= 2, "nothing to compare");
    }
}
