//! `counts.toml`: what one operation costs in allocations, system calls and instructions.
//!
//! Each count is the difference between a short and a long run of the same program, divided by the
//! difference of their lengths: start, warm-up and end cancel. A count may differ from its
//! committed figure by 2 % and may never exceed its limit. Instructions hold for one compiler and
//! one C library; elsewhere they are printed and not compared.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::{Gate, c_library, compiler, counted, in_ci, instructions, system_calls};
use crate::measure::in_a_task_of;
use crate::peer::{Peer, PeerId};
use crate::{allocator, operation, with_peer};

/// How far a count may be from its committed figure.
const TOLERANCE: f64 = 0.02;
/// How many operations the short and the long run do.
const SHORT: u64 = 1_000;
const LONG: u64 = 3_000;

/// The committed figures. A section maps what was counted to the count for one operation.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    /// The compiler that `instructions` holds for.
    compiler: String,
    /// The C library that `instructions` holds for.
    c_library: String,
    /// The most a count may ever be, whatever is committed: a promise of the design.
    limits: BTreeMap<String, f64>,
    allocations: BTreeMap<String, f64>,
    system_calls: BTreeMap<String, f64>,
    instructions: BTreeMap<String, f64>,
}

/// An operation whose allocations and instructions are counted.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    name: &'static str,
    allocations: fn(PeerId, u64) -> u64,
}

macro_rules! counted_operation {
    ($name:literal, $runtime:ident, $operation:ident) => {
        Operation {
            name: $name,
            allocations: |peer, n| {
                with_peer!(peer, P => allocations(P::$runtime(), n, operation::$operation::<P>))
            },
        }
    };
}

impl Operation {
    /// All of them, in the order of the table.
    pub const ALL: &[Self] = &[
        counted_operation!("spawn", on_standing_clock, spawn_detached),
        counted_operation!("spawn_and_join", on_standing_clock, spawn_and_join),
        counted_operation!("wake", on_standing_clock, ping_pong_long),
        counted_operation!("yield", on_standing_clock, yields_of_200),
        counted_operation!("timer", on_standing_clock, timeouts),
        counted_operation!("semaphore", on_standing_clock, semaphore),
        counted_operation!("oneshot", on_standing_clock, oneshot_in_task),
        // Sockets keep real time on any clock.
        counted_operation!("socket", new, socket_echo),
    ];

    /// The operation with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|operation| operation.name == name)
    }

    /// Its name on the command line and in `counts.toml`.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Does it `n` times, warmed up, and returns how many allocations that took. Only a process that
    /// installed the counting allocator counts any.
    pub fn allocations(self, peer: PeerId, n: u64) -> u64 {
        (self.allocations)(peer, n)
    }
}

/// The warm-up is as long as the longest run, so that every queue has grown before.
fn allocations<P, F>(peer: P, n: u64, operation: fn(u64) -> F) -> u64
where
    P: Peer,
    F: Future<Output = ()> + Send + 'static,
{
    in_a_task_of(&peer, async move {
        operation(LONG).await;
        let before = allocator::allocations();
        operation(n).await;
        allocator::allocations() - before
    })
}

/// The count for one operation, from a short and a long run.
fn for_each(short: u64, long: u64) -> f64 {
    (long as f64 - short as f64) / (LONG - SHORT) as f64
}

/// Counts the allocations of one operation.
fn allocations_of(peer: PeerId, operation: Operation) -> io::Result<f64> {
    let run = |n: u64| {
        let printed = counted(&["run", peer.name(), operation.name, &n.to_string()])?;
        printed.trim().parse::<u64>().map_err(io::Error::other)
    };
    Ok(for_each(run(SHORT)?, run(LONG)?))
}

/// Counts the instructions of one operation.
fn instructions_of(peer: PeerId, operation: Operation) -> io::Result<f64> {
    let (short, long) = instructions::of_two_runs(peer, operation.name, SHORT, LONG)?;
    Ok(for_each(short, long))
}

/// One thing that is counted.
struct Count {
    section: &'static str,
    name: &'static str,
    take: Box<dyn Fn() -> io::Result<f64>>,
}

impl Count {
    fn new(
        section: &'static str,
        name: &'static str,
        take: impl Fn() -> io::Result<f64> + 'static,
    ) -> Self {
        Self {
            section,
            name,
            take: Box::new(take),
        }
    }

    fn full_name(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }
}

/// Everything that is counted of a peer; the judged one's is gated.
fn counts_of(peer: PeerId) -> Vec<Count> {
    let operations = Operation::ALL.iter().copied();
    let allocations = operations.clone().map(|operation| {
        Count::new("allocations", operation.name, move || {
            allocations_of(peer, operation)
        })
    });
    let instructions = operations.map(|operation| {
        Count::new("instructions", operation.name, move || {
            instructions_of(peer, operation)
        })
    });
    let system_calls = [
        Count::new("system_calls", "echoed_message", move || {
            system_calls::echo_calls(peer)
        }),
        Count::new("system_calls", "idle_10s", move || {
            Ok(system_calls::idle_calls(peer, false)? as f64)
        }),
    ];
    allocations
        .chain(system_calls)
        .chain(instructions)
        .collect()
}

/// Counts everything and compares it, one by one as the caller asks.
///
/// # Errors
///
/// If `counts.toml` cannot be read.
pub fn gates() -> io::Result<impl Iterator<Item = Gate>> {
    let committed = Counts::read()?;
    let counts = counts_of(PeerId::JUDGED).into_iter();
    Ok(counts.map(move |count| committed.gate(count.section, count.name, (count.take)())))
}

/// Counts everything of a peer, for comparison; a line each.
///
/// # Errors
///
/// If something cannot be counted.
pub fn listing(peer: PeerId) -> impl Iterator<Item = io::Result<String>> {
    let counts = counts_of(peer).into_iter();
    counts.map(|count| Ok(format!("{:<34}{:.3}", count.full_name(), (count.take)()?)))
}

/// Counts everything and commits it to `counts.toml`.
///
/// # Errors
///
/// If something cannot be counted or is over its limit; nothing is written then.
pub fn bless() -> io::Result<()> {
    let mut counts = Counts {
        limits: Counts::read()?.limits,
        ..Counts::default()
    };
    compiler().clone_into(&mut counts.compiler);
    counts.c_library = c_library();
    for count in counts_of(PeerId::JUDGED) {
        let full = count.full_name();
        let figure = (count.take)()?;
        println!("  {full:<34}{figure:.3}");
        if let Some(limit) = counts
            .limits
            .get(&full)
            .filter(|&&limit| is_over(figure, limit))
        {
            return Err(io::Error::other(format!(
                "{full} is {figure}, over its limit of {limit}"
            )));
        }
        let rounded = (figure * 1_000.0).round() / 1_000.0;
        counts
            .section(count.section)
            .insert(count.name.into(), rounded);
    }
    counts.write()
}

impl Counts {
    fn path() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("counts.toml")
    }

    fn read() -> io::Result<Self> {
        let text = fs::read_to_string(Self::path())?;
        toml::from_str(&text)
            .map_err(|error| io::Error::other(format!("benches/counts.toml: {error}")))
    }

    fn write(&self) -> io::Result<()> {
        let head = "# What one operation of tenter costs. Written by `side-by-side --bless`; the\n\
                    # limits are kept as they are.\n\n";
        let body = toml::to_string(self).map_err(io::Error::other)?;
        fs::write(Self::path(), format!("{head}{body}"))
    }

    fn section(&mut self, name: &str) -> &mut BTreeMap<String, f64> {
        match name {
            "allocations" => &mut self.allocations,
            "system_calls" => &mut self.system_calls,
            _ => &mut self.instructions,
        }
    }

    fn committed(&self, section: &str, name: &str) -> Option<f64> {
        let figures = match section {
            "allocations" => &self.allocations,
            "system_calls" => &self.system_calls,
            _ => &self.instructions,
        };
        figures.get(name).copied()
    }

    /// Instructions depend on what generated them.
    fn holds_here(&self, section: &str) -> bool {
        section != "instructions" || (self.compiler == compiler() && self.c_library == c_library())
    }

    fn gate(&self, section: &str, name: &str, counted: io::Result<f64>) -> Gate {
        let full = format!("{section}.{name}");
        let figure = match counted {
            Ok(figure) => figure,
            Err(error) => return uncounted(full, &error, in_ci()),
        };
        if let Some(limit) = self
            .limits
            .get(&full)
            .filter(|&&limit| is_over(figure, limit))
        {
            let outcome = format!("{figure:.3}, over its limit of {limit}");
            return Gate::Failed {
                name: full,
                outcome,
            };
        }
        let Some(committed) = self.committed(section, name) else {
            let outcome = format!("{figure:.3}, and nothing is committed: run with --bless");
            return Gate::Failed {
                name: full,
                outcome,
            };
        };
        if !self.holds_here(section) {
            let why = format!(
                "{figure:.1}; {committed:.1} is committed for {} on {}",
                self.compiler, self.c_library
            );
            return Gate::Skipped { name: full, why };
        }
        let outcome = format!("{figure:.3}, committed {committed:.3}");
        if (figure - committed).abs() <= TOLERANCE * committed {
            Gate::Passed {
                name: full,
                outcome,
            }
        } else {
            Gate::Failed {
                name: full,
                outcome: format!("{outcome}, differs by more than 2 %"),
            }
        }
    }
}

/// Whether a count breaks a promise, and not only by what the counting may be off.
fn is_over(figure: f64, limit: f64) -> bool {
    figure > limit * (1.0 + TOLERANCE)
}

/// A count that could not be taken is a failure in CI, where every tool is installed.
fn uncounted(name: String, error: &io::Error, in_ci: bool) -> Gate {
    let why = format!("not counted: {error}");
    if in_ci {
        Gate::Failed { name, outcome: why }
    } else {
        Gate::Skipped { name, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed() -> Counts {
        let mut counts = Counts::default();
        counts.section("allocations").insert("spawn".into(), 1.0);
        counts.section("allocations").insert("wake".into(), 0.0);
        counts.section("instructions").insert("spawn".into(), 100.0);
        counts.limits.insert("allocations.wake".into(), 0.0);
        counts
    }

    #[test]
    fn up_to_two_percent_passes() {
        let counts = committed();
        assert!(matches!(
            counts.gate("allocations", "spawn", Ok(1.019)),
            Gate::Passed { .. }
        ));
        assert!(matches!(
            counts.gate("allocations", "spawn", Ok(1.021)),
            Gate::Failed { .. }
        ));
        assert!(matches!(
            counts.gate("allocations", "spawn", Ok(0.979)),
            Gate::Failed { .. }
        ));
        assert!(matches!(
            counts.gate("allocations", "wake", Ok(0.0)),
            Gate::Passed { .. }
        ));
        assert!(matches!(
            counts.gate("allocations", "wake", Ok(0.001)),
            Gate::Failed { .. }
        ));
    }

    #[test]
    fn a_figure_of_another_compiler_is_not_compared_and_a_new_one_must_be_blessed() {
        let counts = committed();
        assert!(matches!(
            counts.gate("instructions", "spawn", Ok(500.0)),
            Gate::Skipped { .. }
        ));
        assert!(matches!(
            counts.gate("instructions", "new", Ok(1.0)),
            Gate::Failed { .. }
        ));
    }

    #[test]
    fn a_missing_tool_fails_in_ci_alone() {
        let error = io::Error::other("no strace");
        assert!(matches!(
            uncounted("x".into(), &error, true),
            Gate::Failed { .. }
        ));
        assert!(matches!(
            uncounted("x".into(), &error, false),
            Gate::Skipped { .. }
        ));
    }

    #[test]
    fn the_committed_file_is_readable_and_within_its_limits() {
        let counts = Counts::read().expect("counts.toml");
        for (name, limit) in &counts.limits {
            let (section, count) = name.split_once('.').expect("section.name");
            let figure = counts
                .committed(section, count)
                .expect("a limit names a count");
            assert!(figure <= *limit, "{name} is {figure}, over {limit}");
        }
    }
}
