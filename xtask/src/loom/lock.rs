//! `loom-tests/models.lock`: how many schedules each model has.
//!
//! loom is deterministic, so a number that changed means that the model or the code under it did:
//! an atomic that became invisible makes a model shrink, and a proof that shrank is a finding.

use std::fmt::Write as _;

use super::{BOUND, Options};
use crate::{Outcome, source};

const FILE: &str = "loom-tests/models.lock";

/// What one model explored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub name: String,
    pub iterations: u64,
    pub bound: u32,
}

/// Reads the one line `model NAME iterations N bound B` out of what a model printed.
pub fn explored(output: &str, name: &str) -> Result<Row, String> {
    let mut rows = output.lines().filter_map(|line| {
        // libtest may print the name of the test on the same line first.
        let words: Vec<&str> = line.split_once("model ")?.1.split_whitespace().collect();
        match words.as_slice() {
            [name, "iterations", iterations, "bound", bound, ..] => Some(Row {
                name: (*name).to_owned(),
                iterations: iterations.parse().ok()?,
                bound: bound.parse().ok()?,
            }),
            _ => None,
        }
    });
    let row = rows
        .next()
        .ok_or("it explored nothing: a model ends in tenter_loom_tests::check")?;
    if rows.next().is_some() {
        return Err("it explored twice: one model, one test".to_owned());
    }
    if row.name != name {
        return Err(format!(
            "it calls itself {}; check(\"{name}\", …) is expected",
            row.name
        ));
    }
    Ok(row)
}

/// Compares with the committed numbers, or writes them.
pub fn compare(rows: &[Row], options: &Options) -> Outcome {
    let committed = parse(&source::read(FILE).unwrap_or_default())?;
    if options.bless {
        let kept = committed.iter().filter(|row| !options.wants(&row.name));
        let mut all: Vec<Row> = kept.chain(rows).cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        std::fs::write(source::root().join(FILE), format(&all))
            .map_err(|error| error.to_string())?;
        println!("  {FILE}: written, {} models", all.len());
        return Ok(());
    }
    let committed: Vec<Row> = committed
        .into_iter()
        .filter(|row| options.wants(&row.name))
        .collect();
    let changes = changes(&committed, rows);
    for change in &changes {
        println!("  {FILE}: {change}");
    }
    if changes.is_empty() {
        println!("  {FILE}: all {} numbers agree", rows.len());
        Ok(())
    } else {
        Err(format!(
            "{} numbers changed; if each is meant, `cargo xtask loom --bless` and commit {FILE}",
            changes.len()
        ))
    }
}

fn changes(committed: &[Row], rows: &[Row]) -> Vec<String> {
    let find = |list: &[Row], name: &str| {
        list.iter()
            .find(|row| row.name == name)
            .map(|row| row.iterations)
    };
    let mut changes = Vec::new();
    for row in rows {
        match find(committed, &row.name) {
            Some(iterations) if iterations == row.iterations => {}
            Some(iterations) => {
                changes.push(format!("{}: {iterations} -> {}", row.name, row.iterations));
            }
            None => changes.push(format!("{}: new, {}", row.name, row.iterations)),
        }
    }
    for row in committed {
        if find(rows, &row.name).is_none() {
            changes.push(format!("{}: {} -> gone", row.name, row.iterations));
        }
    }
    changes
}

fn parse(text: &str) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let row = line.split_once(' ').and_then(|(name, iterations)| {
            let iterations = iterations.trim().parse().ok()?;
            Some(Row {
                name: name.to_owned(),
                iterations,
                bound: BOUND,
            })
        });
        rows.push(row.ok_or_else(|| format!("{FILE}:{}: expected `model schedules`", index + 1))?);
    }
    Ok(rows)
}

fn format(rows: &[Row]) -> String {
    let mut text = format!(
        "# Schedules of each model at {BOUND} preemptions. Written by `cargo xtask loom --bless`.\n\
         # A number that changes without a reason in the same commit is a proof that shrank.\n"
    );
    for row in rows {
        writeln!(text, "{} {}", row.name, row.iterations).expect("writing to a String cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Row, changes, explored, format, parse};

    fn row(name: &str, iterations: u64) -> Row {
        Row {
            name: name.into(),
            iterations,
            bound: 2,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let rows = vec![row("a::b", 7), row("c::d", 8)];
        assert_eq!(parse(&format(&rows)).unwrap(), rows);
        assert!(parse("a::b seven").is_err());
    }

    #[test]
    fn every_kind_of_change_is_seen() {
        let found = changes(
            &[row("a", 1), row("b", 2), row("d", 4)],
            &[row("a", 1), row("b", 3), row("c", 1)],
        );
        assert_eq!(found, ["b: 2 -> 3", "c: new, 1", "d: 4 -> gone"]);
    }

    #[test]
    fn a_test_that_explores_nothing_is_no_model() {
        let line = "test t ... model a::t iterations 12 bound 2\nok";
        assert_eq!(explored(line, "a::t"), Ok(row("a::t", 12)));
        assert!(explored(line, "a::u").is_err());
        assert!(explored("test t ... ok", "a::t").is_err());
        assert!(explored(&format!("{line}\n{line}"), "a::t").is_err());
    }
}
