//! `spin`: checks the models of `docs/models`, proves that each omission in them is found, and compares
//! the table of transitions that is generated from them.
//!
//! A transition is a comment `/* T: from -> to | event | when */` in a model, at the step it stands for.
//! Its event is the name of a function in the Rust source that the model speaks of.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::process::{Finished, Steps, exists, in_parallel, run_limited, target_dir};
use crate::source;

const TABLE: &str = "docs/models/transitions.md";
const LIMIT: Duration = Duration::from_secs(600);

/// A model and the sources that it speaks of.
const MODELS: [(&str, &[&str]); 2] = [
    ("idle", &["runtime/src/scheduler/multi_thread/idle.rs"]),
    (
        "stop",
        &[
            "runtime/src/scheduler/multi_thread/stop.rs",
            "runtime/src/task/state.rs",
        ],
    ),
];

/// One search.
#[derive(Clone, Copy, Debug)]
struct Run {
    model: &'static str,
    what: &'static str,
    defines: &'static str,
    /// A step is left out: there must be an error.
    broken: bool,
}

const fn holds(model: &'static str, what: &'static str, defines: &'static str) -> Run {
    Run {
        model,
        what,
        defines,
        broken: false,
    }
}

const fn fails(model: &'static str, what: &'static str, defines: &'static str) -> Run {
    Run {
        model,
        what,
        defines,
        broken: true,
    }
}

/// The longest first.
const RUNS: [Run; 18] = [
    holds(
        "idle",
        "four workers",
        "-DN=4 -DPUSHED=1 -DSPAWNED=0 -DNO_POLLER -DCOARSE",
    ),
    holds("stop", "four workers", "-DN=4"),
    holds(
        "idle",
        "three workers, a task that spawns",
        "-DN=3 -DPUSHED=1 -DNO_POLLER -DCOARSE",
    ),
    holds(
        "idle",
        "three workers, a poller",
        "-DN=3 -DPUSHED=1 -DSPAWNED=0 -DCOARSE",
    ),
    holds(
        "idle",
        "two workers, a poller, all steps",
        "-DN=2 -DPUSHED=2",
    ),
    holds(
        "idle",
        "liveness, three workers",
        "-DN=3 -DPUSHED=1 -DNO_POLLER -DCOARSE -DLIVENESS",
    ),
    holds(
        "idle",
        "liveness, two workers, a poller",
        "-DN=2 -DPUSHED=1 -DLIVENESS",
    ),
    holds("stop", "liveness, three workers", "-DN=3 -DLIVENESS"),
    fails(
        "idle",
        "a guard resigns without a look",
        "-DN=3 -DPUSHED=1 -DRESIGN_WITHOUT_LOOK",
    ),
    fails(
        "idle",
        "a claim leaves no guard",
        "-DN=3 -DPUSHED=1 -DCLAIM_WITHOUT_GUARD",
    ),
    fails(
        "idle",
        "a search leaves no guard",
        "-DN=3 -DPUSHED=2 -DNO_POLLER -DCOARSE -DSEARCH_WITHOUT_GUARD",
    ),
    fails(
        "idle",
        "who gets up leaves no guard",
        "-DN=3 -DPUSHED=1 -DLEAVE_WITHOUT_GUARD",
    ),
    fails(
        "idle",
        "a claim is forgotten",
        "-DN=2 -DPUSHED=1 -DLEAVE_FORGETS_THE_CLAIM",
    ),
    holds("stop", "three workers, a poll that stays", "-DN=3 -DSTAYS"),
    fails(
        "stop",
        "a queued task is ended by who does not hold it",
        "-DN=2 -DEND_WITHOUT_CLAIM",
    ),
    fails("stop", "the inbox stays open", "-DN=2 -DINBOX_LEFT_OPEN"),
    fails(
        "stop",
        "a thread starts after the close",
        "-DN=2 -DSTART_WITHOUT_LOCK",
    ),
    fails(
        "stop",
        "sleepers are not interrupted",
        "-DN=2 -DNO_INTERRUPT",
    ),
];

pub fn spin(rest: &[String]) -> Outcome {
    let bless = match rest {
        [] => false,
        [bless] if bless == "--bless" => true,
        _ => return Err("spin takes --bless or nothing".to_owned()),
    };
    let mut steps = Steps::default();
    steps.step("table of transitions", || table(bless));
    let missing: Vec<&str> = ["spin", "gcc"]
        .into_iter()
        .filter(|program| !exists(program))
        .collect();
    if !missing.is_empty() {
        steps.step("searches", || {
            Err(format!(
                "{} is not installed; on Debian: apt-get install {}",
                missing.join(" and "),
                missing.join(" ")
            ))
        });
        return steps.summary();
    }
    steps.step("searches", searches);
    steps.summary()
}

fn searches() -> Outcome {
    let outcomes = in_parallel(RUNS.into_iter().enumerate().collect(), |(number, run)| {
        let outcome = search(number, run);
        match &outcome {
            Ok(line) => println!("  {line}"),
            Err(message) => println!("  FAILED {} ({}): {message}", run.model, run.what),
        }
        outcome.map_or_else(|_| Some(format!("{} ({})", run.model, run.what)), |_| None)
    });
    let failed: Vec<String> = outcomes.into_iter().flatten().collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(failed.join(", "))
    }
}

fn search(number: usize, run: Run) -> Result<String, String> {
    // Absolute, for the programs are run in there.
    let folder = std::path::absolute(target_dir("spin").join(number.to_string()))
        .map_err(|error| error.to_string())?;
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let model: PathBuf = source::root().join(format!("docs/models/{}.pml", run.model));
    let liveness = run.defines.contains("-DLIVENESS");
    let mut generate = Command::new("spin");
    generate.arg("-a").args(run.defines.split(' ')).arg(&model);
    step(&folder, &mut generate)?;
    let mut compile = Command::new("gcc");
    compile.args([
        "-O2",
        "-w",
        "-DCOLLAPSE",
        "-DMEMLIM=6000",
        "-o",
        "pan",
        "pan.c",
    ]);
    compile.arg(if liveness { "-DNFAIR=3" } else { "-DSAFETY" });
    step(&folder, &mut compile)?;
    let mut explore = Command::new(folder.join("pan"));
    explore.arg("-m2000000");
    if liveness {
        explore.args(["-a", "-f"]);
    }
    let finished = step(&folder, &mut explore)?;
    judge(run, &finished)
}

fn step(folder: &Path, command: &mut Command) -> Result<Finished, String> {
    let finished = run_limited(command.current_dir(folder), LIMIT)?;
    if finished.success() {
        Ok(finished)
    } else {
        Err(format!(
            "{:?}: {}\n{}",
            command.get_program(),
            finished.how(),
            finished.output
        ))
    }
}

/// A search that ended early proves nothing, in either direction but that of the error it found.
fn judge(run: Run, finished: &Finished) -> Result<String, String> {
    let output = &finished.output;
    let errors = number_before(output, "errors: ", true).ok_or("the search says nothing")?;
    let states = number_before(output, " states, stored", false).unwrap_or(0);
    let cut_short = [
        "max search depth too small",
        "MEMLIM bound",
        "out of memory",
    ];
    if run.broken {
        if errors == 0 {
            return Err(format!("the omission was not found in {states} states"));
        }
    } else if errors != 0 || cut_short.iter().any(|sign| output.contains(sign)) {
        return Err(format!("spin {} {}\n{output}", run.defines, run.model));
    }
    let verdict = if run.broken { "found  " } else { "errors: 0" };
    Ok(format!(
        "{:<10} {states:>10} states {:>6.1} s  {}: {}",
        verdict,
        finished.took.as_secs_f64(),
        run.model,
        run.what
    ))
}

/// The number right behind `mark`, or right before it.
fn number_before(text: &str, mark: &str, behind: bool) -> Option<u64> {
    let (before, after) = text.split_once(mark)?;
    let word = if behind {
        after.split_whitespace().next()
    } else {
        before.split_whitespace().next_back()
    };
    word?.parse().ok()
}

fn table(bless: bool) -> Outcome {
    let mut text = String::from(
        "# Transitions\n\nWritten by `cargo xtask spin --bless` from the models beside it. Each event is a \
         function of the source.\n",
    );
    for (model, sources) in MODELS {
        let path = format!("docs/models/{model}.pml");
        text += &format!(
            "\n## {model}\n\nModel: `{path}`. Source: `{}`.\n\n",
            sources.join("`, `")
        );
        text += "| from | to | event | when |\n|---|---|---|---|\n";
        let mut code = String::new();
        for source in sources {
            code += &source::read(source)?;
        }
        for row in rows(&source::read(&path)?) {
            let [from, to, event, when] = row.map_err(|line| format!("{path}: {line:?}"))?;
            if !code.contains(&format!("fn {event}(")) {
                return Err(format!("{path}: {sources:?} hold no function {event}"));
            }
            text += &format!("| {from} | {to} | `{event}` | {when} |\n");
        }
    }
    if bless {
        return std::fs::write(TABLE, text).map_err(|error| format!("{TABLE}: {error}"));
    }
    if source::read(TABLE)? == text {
        Ok(())
    } else {
        Err(format!(
            "{TABLE} is not what the models say; run `cargo xtask spin --bless`"
        ))
    }
}

/// The transitions of a model, in their order.
fn rows(model: &str) -> impl Iterator<Item = Result<[String; 4], String>> {
    model.lines().filter_map(|line| {
        let (_, rest) = line.split_once("/* T: ")?;
        let (row, _) = rest.split_once(" */")?;
        let parts: Option<[String; 4]> = row.split_once(" -> ").and_then(|(from, rest)| {
            let rest: Vec<&str> = rest.split(" | ").collect();
            let [to, event, when] = rest[..] else {
                return None;
            };
            Some([from, to, event, when].map(str::to_owned))
        });
        Some(parts.ok_or_else(|| line.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::{number_before, rows};

    #[test]
    fn the_numbers_of_a_search_are_read() {
        let text = "State-vector 72 byte, depth reached 500, errors: 0\n 16784168 states, stored\n";
        assert_eq!(number_before(text, "errors: ", true), Some(0));
        assert_eq!(
            number_before(text, " states, stored", false),
            Some(16_784_168)
        );
    }

    #[test]
    fn a_transition_has_four_parts() {
        let model = "  /* T: a -> b | park | always */\n /* other */\n /* T: a -> b | park */";
        let rows: Vec<_> = rows(model).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].as_ref().unwrap()[3], "always");
        assert!(rows[1].is_err());
    }
}
