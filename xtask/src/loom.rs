//! `loom`: explores every model in a process of its own, compares the numbers of schedules with
//! the committed ones, and proves that every planted bug is caught.
//!
//! One process per model, because a found deadlock may abort the process, and because two models
//! then run beside each other. A model that does not explore, explores less than was committed,
//! or misses its bug, fails the command.

use crate::Outcome;
use crate::process::{Steps, in_parallel};

mod bugs;
mod explain;
mod lock;
mod model;
mod options;
mod verdict;

use model::Model;
use options::{BOUND, Options};

pub fn loom(rest: &[String]) -> Outcome {
    let options = Options::parse(rest)?;
    let mut steps = Steps::default();
    let mut models = Vec::new();
    steps.step("build", || {
        models = model::build()?;
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
    steps.step("planted bugs", || bugs::prove(&models, &options));
    steps.step("every model catches a bug", || {
        bugs::prove_models(&wanted, &options)
    });
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
