//! The planted bugs: each is caught by its model, and each model catches one.

use super::verdict::{Verdict, tail};
use super::{Model, Options};
use crate::planted::{self, Planted};
use crate::process::in_parallel;
use crate::{Outcome, source};

/// Proves that every planted bug is caught by its model, and prints the table.
pub fn prove(models: &[Model], options: &Options) -> Outcome {
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
                tail(&finished.output)
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

/// A model that catches nothing may be blind: those that no list names are tried with the bugs of
/// their protocol, and then with those of the protocols underneath, until they catch one.
pub fn prove_models(wanted: &[Model], options: &Options) -> Outcome {
    let lists = planted::lists()?;
    let named = |model: &Model| lists.iter().any(|entry| entry.model == model.name);
    let unnamed: Vec<Model> = wanted
        .iter()
        .filter(|model| !named(model))
        .cloned()
        .collect();
    println!(
        "  {} of {} models are named by a planted bug",
        wanted.len() - unnamed.len(),
        wanted.len()
    );
    let results = in_parallel(unnamed, |model| {
        let protocol = model.name.split("::").next().unwrap_or_default();
        let is_own = |entry: &Planted| entry.model.split("::").next() == Some(protocol);
        let mut bugs: Vec<&Planted> = lists.iter().collect();
        bugs.sort_by_key(|entry| !is_own(entry));
        for entry in bugs {
            let finished = model.run(options, &[("TENTER_PLANT", &entry.name)])?;
            if Verdict::of(&finished).is_caught() {
                return Ok((model.name, Some(entry.name.clone())));
            }
        }
        Ok::<_, String>((model.name, None))
    });
    let mut blind = Vec::new();
    for result in results {
        match result? {
            (model, Some(bug)) => println!("  {model:<54} {bug}"),
            (model, None) => blind.push(model),
        }
    }
    if blind.is_empty() {
        return Ok(());
    }
    Err(format!(
        "these models catch no planted bug; plant what they are for: {}",
        blind.join(", ")
    ))
}
