//! `counts.toml`: what one operation costs in allocations, system calls and instructions.
//!
//! Each count is the difference between a short and a long run of the same program, divided by the
//! difference of their lengths: start, warm-up and end cancel. A count may differ from its
//! committed figure by 2 % and may never exceed its limit. Instructions and read-modify-writes hold
//! for one compiler and one C library; elsewhere they are printed and not compared. What workers do
//! depends on who is faster, so their counts may not exceed their limits, and nothing else is asked.

mod operation;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use self::operation::LONG;
pub use self::operation::Operation;

use super::{Gate, c_library, compiler, counted, in_ci, instructions, system_calls};
use crate::peer::PeerId;

/// How far a count may be from its committed figure.
const TOLERANCE: f64 = 0.02;
/// How many operations the short run does; the long one does [`LONG`].
const SHORT: u64 = 1_000;

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
    read_modify_writes: BTreeMap<String, f64>,
    instructions: BTreeMap<String, f64>,
}

/// The count for one operation, from a short and a long run.
fn for_each(short: u64, long: u64) -> f64 {
    (long as f64 - short as f64) / (LONG - SHORT) as f64
}

/// Counts the allocations of one operation.
fn allocations_of(peer: PeerId, operation: Operation) -> io::Result<f64> {
    let run = |n: u64| {
        let printed = counted(&["run", peer.name(), operation.name(), &n.to_string()])?;
        printed.trim().parse::<u64>().map_err(io::Error::other)
    };
    Ok(for_each(run(SHORT)?, run(LONG)?))
}

/// What one operation executes, counted when it is first asked for.
#[derive(Clone)]
struct Profile {
    peer: PeerId,
    operation: Operation,
    counted: Rc<OnceCell<[f64; 2]>>,
}

impl Profile {
    fn instructions(&self) -> io::Result<f64> {
        Ok(self.counted()?[0])
    }

    fn read_modify_writes(&self) -> io::Result<f64> {
        Ok(self.counted()?[1])
    }

    fn counted(&self) -> io::Result<[f64; 2]> {
        if let Some(counted) = self.counted.get() {
            return Ok(*counted);
        }
        let (short, long) =
            instructions::of_two_runs(self.peer, self.operation.name(), SHORT, LONG)?;
        let counted = [
            for_each(short.instructions, long.instructions),
            for_each(short.read_modify_writes, long.read_modify_writes),
        ];
        Ok(*self.counted.get_or_init(|| counted))
    }
}

/// One thing that is counted.
struct Count {
    section: &'static str,
    name: &'static str,
    /// Whether the next run counts the same.
    repeats: bool,
    take: Box<dyn Fn() -> io::Result<f64>>,
}

impl Count {
    fn new(
        section: &'static str,
        name: &'static str,
        repeats: bool,
        take: impl Fn() -> io::Result<f64> + 'static,
    ) -> Self {
        Self {
            section,
            name,
            repeats,
            take: Box::new(take),
        }
    }

    fn full_name(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }
}

/// Everything that is counted of a peer; the judged one's is gated.
fn counts_of(peer: PeerId) -> Vec<Count> {
    let mut counts = Vec::new();
    for &operation in Operation::ALL.iter().filter(|one| one.can_be_asked(peer)) {
        let (name, repeats) = (operation.name(), operation.repeats());
        counts.push(Count::new("allocations", name, repeats, move || {
            allocations_of(peer, operation)
        }));
    }
    counts.push(Count::new(
        "system_calls",
        "echoed_message",
        true,
        move || system_calls::echo_calls(peer),
    ));
    counts.push(Count::new("system_calls", "idle_10s", true, move || {
        Ok(system_calls::idle_calls(peer, false)? as f64)
    }));
    counts.push(Count::new(
        "system_calls",
        "worker_idle_10s",
        true,
        move || Ok(system_calls::idle_calls(peer, true)? as f64),
    ));
    counts.push(Count::new(
        "system_calls",
        "worker_remote_wake",
        false,
        move || system_calls::wake_calls(peer),
    ));
    for &operation in Operation::ALL.iter().filter(|one| one.can_be_asked(peer)) {
        let (name, repeats) = (operation.name(), operation.repeats());
        let profile = Profile {
            peer,
            operation,
            counted: Rc::default(),
        };
        let other = profile.clone();
        let instructions = move || profile.instructions();
        counts.push(Count::new("instructions", name, repeats, instructions));
        let writes = move || other.read_modify_writes();
        counts.push(Count::new("read_modify_writes", name, repeats, writes));
    }
    counts
}

/// Counts everything and compares it, one by one as the caller asks.
///
/// # Errors
///
/// If `counts.toml` cannot be read.
pub fn gates() -> io::Result<impl Iterator<Item = Gate>> {
    let committed = Counts::read()?;
    let counts = counts_of(PeerId::JUDGED).into_iter();
    Ok(counts.map(move |count| committed.gate(&count, (count.take)())))
}

/// Counts everything of a peer, for comparison; a line each.
///
/// # Errors
///
/// If something cannot be counted.
pub fn listing(peer: PeerId) -> impl Iterator<Item = io::Result<String>> {
    let counts = counts_of(peer).into_iter();
    counts.map(|count| Ok(format!("{:<42}{:.3}", count.full_name(), (count.take)()?)))
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
        println!("  {full:<42}{figure:.3}");
        if let Some(limit) = counts
            .limits
            .get(&full)
            .filter(|&&limit| is_over(figure, limit))
        {
            return Err(io::Error::other(format!(
                "{full} is {figure}, over its limit of {limit}"
            )));
        }
        if !count.repeats {
            continue;
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
            "read_modify_writes" => &mut self.read_modify_writes,
            _ => &mut self.instructions,
        }
    }

    fn committed(&self, section: &str, name: &str) -> Option<f64> {
        let figures = match section {
            "allocations" => &self.allocations,
            "system_calls" => &self.system_calls,
            "read_modify_writes" => &self.read_modify_writes,
            _ => &self.instructions,
        };
        figures.get(name).copied()
    }

    /// Instructions depend on what generated them.
    fn holds_here(&self, section: &str) -> bool {
        let generated = ["instructions", "read_modify_writes"].contains(&section);
        !generated || (self.compiler == compiler() && self.c_library == c_library())
    }

    fn gate(&self, count: &Count, counted: io::Result<f64>) -> Gate {
        let (section, name, full) = (count.section, count.name, count.full_name());
        let figure = match counted {
            Ok(figure) => figure,
            Err(error) => return uncounted(full, &error, in_ci()),
        };
        let limit = self.limits.get(&full).copied();
        if let Some(limit) = limit.filter(|&limit| is_over(figure, limit)) {
            let outcome = format!("{figure:.3}, over its limit of {limit}");
            return Gate::Failed {
                name: full,
                outcome,
            };
        }
        if !count.repeats {
            let bound = limit.map_or("no limit".into(), |limit| format!("limit {limit}"));
            let outcome = format!("{figure:.3}, {bound}");
            return Gate::Passed {
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

    fn gate(counts: &Counts, section: &'static str, name: &'static str, figure: f64) -> Gate {
        let count = Count::new(section, name, true, || Ok(0.0));
        counts.gate(&count, Ok(figure))
    }

    #[test]
    fn what_does_not_repeat_is_held_against_its_limit_alone() {
        let counts = committed();
        let gate = |name, figure| {
            let count = Count::new("allocations", name, false, || Ok(0.0));
            counts.gate(&count, Ok(figure))
        };
        assert!(matches!(gate("spawn", 500.0), Gate::Passed { .. }));
        assert!(matches!(gate("wake", 0.5), Gate::Failed { .. }));
    }

    #[test]
    fn up_to_two_percent_passes() {
        let counts = committed();
        assert!(matches!(
            gate(&counts, "allocations", "spawn", 1.019),
            Gate::Passed { .. }
        ));
        assert!(matches!(
            gate(&counts, "allocations", "spawn", 1.021),
            Gate::Failed { .. }
        ));
        assert!(matches!(
            gate(&counts, "allocations", "spawn", 0.979),
            Gate::Failed { .. }
        ));
        assert!(matches!(
            gate(&counts, "allocations", "wake", 0.0),
            Gate::Passed { .. }
        ));
        assert!(matches!(
            gate(&counts, "allocations", "wake", 0.001),
            Gate::Failed { .. }
        ));
    }

    #[test]
    fn a_figure_of_another_compiler_is_not_compared_and_a_new_one_must_be_blessed() {
        let counts = committed();
        assert!(matches!(
            gate(&counts, "instructions", "spawn", 500.0),
            Gate::Skipped { .. }
        ));
        assert!(matches!(
            gate(&counts, "instructions", "new", 1.0),
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
            let all = counts_of(PeerId::JUDGED);
            let named = all.iter().find(|c| (c.section, c.name) == (section, count));
            let named = named.expect("a limit names a count");
            let figure = counts.committed(section, count);
            assert_eq!(figure.is_some(), named.repeats, "{name} is committed");
            assert!(figure <= Some(*limit), "{name} is {figure:?}, over {limit}");
        }
    }
}
