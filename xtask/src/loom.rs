//! `loom`: explores every model in a process of its own, compares the numbers of schedules with
//! the committed ones, and proves that every planted bug is caught.
//!
//! One process per model, because a found deadlock may abort the process, and because two models
//! then run beside each other. A model that does not explore, explores less than was committed,
//! or misses its bug, fails the command.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::json::Json;
use crate::planted::{self, Planted};
use crate::process::{Finished, Steps, capture, cargo, in_parallel, run_limited, target_dir};
use crate::{Outcome, source};

mod explain;
mod lock;
mod verdict;

use verdict::Verdict;

/// Preemptions explored per schedule, unless `--bound` says otherwise.
const BOUND: u32 = 2;

/// Seconds that one model may take.
const LIMIT: u64 = 300;

/// What the command line asks for.
struct Options {
    protocol: Option<String>,
    test: Option<String>,
    bound: u32,
    limit: Duration,
    bless: bool,
    /// Replay the failing schedule of the one model with a log.
    explain: bool,
    /// With `explain`: the planted bug that makes it fail.
    plant: Option<String>,
}

impl Options {
    fn parse(rest: &[String]) -> Result<Self, String> {
        let mut options = Self {
            protocol: None,
            test: None,
            bound: BOUND,
            limit: Duration::from_secs(LIMIT),
            bless: false,
            explain: false,
            plant: None,
        };
        let mut rest = rest.iter();
        while let Some(argument) = rest.next() {
            let number = |value: Option<&String>| {
                let parsed = value.and_then(|value| value.parse::<u32>().ok());
                parsed.ok_or_else(|| format!("{argument} needs a number"))
            };
            match argument.as_str() {
                "--bless" => options.bless = true,
                "--explain" => options.explain = true,
                "--plant" => options.plant = rest.next().cloned(),
                "--bound" => options.bound = number(rest.next())?,
                "--limit" => options.limit = Duration::from_secs(number(rest.next())?.into()),
                flag if flag.starts_with('-') => {
                    return Err(format!(
                        "unexpected argument {flag:?}; see `cargo xtask help`"
                    ));
                }
                name if options.protocol.is_none() => options.protocol = Some(name.to_owned()),
                name if options.test.is_none() => options.test = Some(name.to_owned()),
                name => {
                    return Err(format!(
                        "unexpected argument {name:?}; see `cargo xtask help`"
                    ));
                }
            }
        }
        if options.bless && options.bound != BOUND {
            return Err(format!(
                "--bless writes the numbers of bound {BOUND}; drop --bound"
            ));
        }
        if options.explain && options.test.is_none() {
            return Err("--explain needs PROTOCOL TEST".to_owned());
        }
        Ok(options)
    }

    /// Whether a model, `protocol::test`, was asked for.
    fn wants(&self, model: &str) -> bool {
        let (protocol, test) = model.split_once("::").unwrap_or((model, ""));
        self.protocol
            .as_deref()
            .is_none_or(|wanted| wanted == protocol)
            && self.test.as_deref().is_none_or(|wanted| wanted == test)
    }
}

/// A test of a binary.
#[derive(Clone, Debug)]
struct Model {
    /// `file::test`.
    name: String,
    binary: PathBuf,
    test: String,
}

impl Model {
    fn run(&self, options: &Options, environment: &[(&str, &str)]) -> Result<Finished, String> {
        let mut command = Command::new(&self.binary);
        for limit in [
            "LOOM_MAX_DURATION",
            "LOOM_MAX_PERMUTATIONS",
            "LOOM_MAX_THREADS",
            "TENTER_PLANT",
        ] {
            command.env_remove(limit);
        }
        command
            .args(["--exact", &self.test, "--nocapture", "--test-threads=1"])
            .env("LOOM_MAX_PREEMPTIONS", options.bound.to_string())
            .env("RUST_BACKTRACE", "0")
            .envs(environment.iter().copied());
        run_limited(&mut command, options.limit)
    }
}

pub fn loom(rest: &[String]) -> Outcome {
    let options = Options::parse(rest)?;
    let mut steps = Steps::default();
    let mut models = Vec::new();
    steps.step("build", || {
        models = build()?;
        Ok(())
    });
    let wanted: Vec<Model> = models
        .iter()
        .filter(|model| options.wants(&model.name))
        .cloned()
        .collect();
    if models.is_empty() {
        return steps.summary();
    }
    if wanted.is_empty() {
        let names: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
        return Err(format!(
            "no such model; there are:\n  {}",
            names.join("\n  ")
        ));
    }
    if options.explain {
        return explain::explain(&wanted[0], &options);
    }
    steps.step("models", || explore(&wanted, &options));
    steps.step("planted bugs", || plant(&models, &options));
    if options
        .protocol
        .as_deref()
        .is_none_or(|protocol| protocol == "canary")
    {
        steps.step("a limited search is refused", || {
            refuse_truncation(&models, &options)
        });
    }
    steps.summary()
}

/// Builds the models once and lists them.
fn build() -> Result<Vec<Model>, String> {
    println!(
        "$ RUSTFLAGS=\"--cfg tenter_loom\" cargo test --profile loom -p tenter-loom-tests --no-run"
    );
    let text = capture(
        cargo()
            .env("RUSTFLAGS", "--cfg tenter_loom")
            .args([
                "test",
                "--profile",
                "loom",
                "--package",
                "tenter-loom-tests",
                "--tests",
                "--no-run",
            ])
            .arg("--message-format=json-render-diagnostics")
            .arg("--target-dir")
            .arg(target_dir("loom")),
    )?;
    let mut models = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let message = Json::parse(line)?;
        let target = message.get("target");
        let is_test = target
            .get("kind")
            .list()
            .iter()
            .any(|kind| kind.text() == Some("test"));
        if let (true, Some(binary), Some(file)) = (
            is_test,
            message.get("executable").text(),
            target.get("name").text(),
        ) {
            models.extend(list(binary.into(), file)?);
        }
    }
    models.sort_by(|a, b| a.name.cmp(&b.name));
    if models.is_empty() {
        return Err("there are no models; was the flag lost on the way?".to_owned());
    }
    Ok(models)
}

fn list(binary: PathBuf, file: &str) -> Result<Vec<Model>, String> {
    let text = capture(Command::new(&binary).args(["--list", "--format", "terse"]))?;
    let tests: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .collect();
    if tests.is_empty() {
        return Err(format!(
            "loom-tests/tests/{file}.rs holds no model under --cfg tenter_loom"
        ));
    }
    let model = |test: &&str| Model {
        name: format!("{file}::{test}"),
        binary: binary.clone(),
        test: (*test).to_owned(),
    };
    Ok(tests.iter().map(model).collect())
}

/// Runs every wanted model as it ships; each must pass, and explore what was committed.
fn explore(wanted: &[Model], options: &Options) -> Outcome {
    let results = in_parallel(wanted.to_vec(), |model| {
        let result = model.run(options, &[]);
        (model, result)
    });
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    for (model, result) in results {
        let finished = result?;
        let explored = lock::explored(&finished.output, &model.name);
        match explored {
            Ok(row) if finished.success() && row.bound == options.bound => {
                println!(
                    "  {:>8} schedules {:>7.2} s  {}",
                    row.iterations,
                    finished.took.as_secs_f64(),
                    model.name
                );
                rows.push(row);
            }
            _ => {
                println!(
                    "  FAILED {} ({})\n{}",
                    model.name,
                    finished.how(),
                    finished.output
                );
                if let (true, Err(reason)) = (finished.success(), explored) {
                    println!("  {}: {reason}", model.name);
                }
                failed.push(model.name);
            }
        }
    }
    if !failed.is_empty() {
        return Err(format!(
            "{} models failed: {}",
            failed.len(),
            failed.join(", ")
        ));
    }
    let schedules: u64 = rows.iter().map(|row| row.iterations).sum();
    println!(
        "  {} models, {schedules} schedules, at most {} preemptions each",
        rows.len(),
        options.bound
    );
    if options.bound == BOUND {
        lock::compare(&rows, options)
    } else {
        println!(
            "  loom-tests/models.lock holds the numbers of bound {BOUND}, so it is not compared"
        );
        Ok(())
    }
}

/// Proves that every planted bug is caught by its model, and prints the table.
fn plant(models: &[Model], options: &Options) -> Outcome {
    let lists = planted::lists()?;
    let mismatches = planted::mismatches(&source::sources()?, &lists);
    let matched = options.protocol.is_some() || mismatches.is_empty();
    let wanted: Vec<Planted> = lists
        .into_iter()
        .filter(|entry| options.wants(&entry.model))
        .collect();
    let results = in_parallel(wanted, |entry| {
        let model = models.iter().find(|model| model.name == entry.model);
        let model = model.ok_or_else(|| format!("there is no model {}", entry.model));
        let finished = model.and_then(|model| model.run(options, &[("TENTER_PLANT", &entry.name)]));
        (entry, finished)
    });
    println!("  {:<44} {:<44} {:>8}  how", "bug", "model", "caught in");
    let mut missed = Vec::new();
    for (entry, finished) in results {
        let finished = finished?;
        let verdict = Verdict::of(&finished);
        println!(
            "  {:<44} {:<44} {:>7.2} s  {}",
            entry.name,
            entry.model,
            finished.took.as_secs_f64(),
            verdict
        );
        if !verdict.is_caught() {
            println!(
                "    {}: {}\n{}",
                entry.name,
                entry.what,
                verdict::tail(&finished.output)
            );
            missed.push(entry.name);
        }
    }
    if !missed.is_empty() {
        return Err(format!(
            "{} planted bugs were not caught: {}",
            missed.len(),
            missed.join(", ")
        ));
    }
    if !matched {
        for (file, line, what, fix) in &mismatches {
            println!("{file}:{line}: {what}\n    fix: {fix}");
        }
        return Err(format!(
            "{} planted bugs do not match their lists",
            mismatches.len()
        ));
    }
    Ok(())
}

/// loom ends a limited search as if it had been complete; the models must refuse to begin one.
fn refuse_truncation(models: &[Model], options: &Options) -> Outcome {
    let model = models
        .iter()
        .find(|model| model.name.starts_with("canary::"));
    let model = model.ok_or("loom-tests/tests/canary.rs holds no model")?;
    for limit in ["LOOM_MAX_DURATION", "LOOM_MAX_PERMUTATIONS"] {
        let finished = model.run(options, &[(limit, "1")])?;
        if finished.success() || !finished.output.contains("TRUNCATED") {
            return Err(format!("{limit}=1 was not refused\n{}", finished.output));
        }
        println!("  {limit}=1: refused");
    }
    Ok(())
}
