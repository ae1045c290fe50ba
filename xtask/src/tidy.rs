//! `tidy`: the project's own laws, read from the sources.
//!
//! A law that can be broken by a slip is checked here, not remembered in review. Each finding
//! names the place, what is wrong, and how to put it right.

use crate::lexer::{Kind, after_group, reads};
use crate::source::{self, Source};
use crate::{Outcome, documents, no_more, planted};

mod lists;
mod ports;

use lists::{check_crate_roots, check_statics_list, check_unsafe_list};
use ports::{check_model_cfg, check_orderings, check_ports};

/// The most lines a Rust file may have.
const LINES_MAX: usize = 600;

/// An ordering note stands on the line or at most this far above it.
const NOTE_DISTANCE: usize = 8;

/// What is wrong, where, and how to put it right.
#[derive(Debug)]
pub struct Finding {
    pub file: String,
    pub line: usize,
    pub what: String,
    pub fix: String,
}

/// Collects findings.
#[derive(Debug, Default)]
pub struct Report(Vec<Finding>);

impl Report {
    pub fn add(
        &mut self,
        file: &str,
        line: usize,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.0.push(Finding {
            file: file.to_owned(),
            line,
            what: what.into(),
            fix: fix.into(),
        });
    }
}

pub fn tidy(rest: &[String]) -> Outcome {
    no_more(rest)?;
    let sources = source::sources()?;
    let mut report = Report::default();
    for source in &sources {
        check_shape(source, &mut report);
        check_tests_run(source, &mut report);
        if source.is_shipped() {
            check_ports(source, &mut report);
            check_orderings(source, &mut report);
            check_model_cfg(source, &mut report);
        }
    }
    check_crate_roots(&sources, &mut report);
    check_unsafe_list(&sources, &mut report)?;
    check_statics_list(&sources, &mut report)?;
    for (file, line, what, fix) in planted::mismatches(&sources, &planted::lists()?) {
        report.add(&file, line, what, fix);
    }
    documents::check(&sources, &mut report)?;
    report
        .0
        .sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    for finding in &report.0 {
        println!(
            "{}:{}: {}\n    fix: {}",
            finding.file, finding.line, finding.what, finding.fix
        );
    }
    println!(
        "tidy: {} Rust files read, {} findings",
        sources.len(),
        report.0.len()
    );
    if report.0.is_empty() {
        Ok(())
    } else {
        Err(format!("{} findings", report.0.len()))
    }
}

fn check_shape(source: &Source, report: &mut Report) {
    let lines = source.text.lines().count();
    if lines > LINES_MAX {
        report.add(
            &source.path,
            LINES_MAX,
            format!("{lines} lines; the limit is {LINES_MAX}"),
            "one protocol, one file: split it by noun",
        );
    }
    let first = source
        .text
        .lines()
        .find(|line| !line.trim().is_empty() && !line.starts_with("#!["))
        .unwrap_or_default();
    let test_file = source.is_test() || source.path.starts_with("loom-tests/tests/");
    let begins_well = first.starts_with("//!") || (test_file && first.starts_with("//"));
    if !begins_well {
        report.add(
            &source.path,
            1,
            "the file does not begin with what it is for",
            "begin with a `//!` header",
        );
    }
    if source.path.starts_with("examples/")
        && !source.path.contains("/src/lib.rs")
        && !first.contains("cargo run")
    {
        report.add(
            &source.path,
            1,
            "the first line of an example does not say how to run it",
            "begin with `//! Run with `cargo run …`, try it with …`",
        );
    }
}

/// Nothing is ignored.
fn check_tests_run(source: &Source, report: &mut Report) {
    for (at, token) in source.tokens.iter().enumerate() {
        let ignored = reads(&source.tokens, at, &["#", "[", "ignore"]);
        if ignored
            || reads(&source.tokens, at, &["#", "[", "cfg_attr"]) && attribute_ignores(source, at)
        {
            report.add(
                &source.path,
                token.line,
                "an ignored test",
                "make it run, or remove it",
            );
        }
    }
}

fn attribute_ignores(source: &Source, at: usize) -> bool {
    let end = after_group(&source.tokens, at + 1);
    source.tokens[at..end]
        .iter()
        .any(|token| token.kind == Kind::Ident && token.text == "ignore")
}

#[cfg(test)]
mod tests {
    use super::{Report, check_tests_run};
    use crate::source::Source;

    pub fn findings(path: &str, text: &str, rule: fn(&Source, &mut Report)) -> usize {
        let mut report = Report::default();
        rule(&Source::parse(path.into(), text.into()), &mut report);
        report.0.len()
    }

    #[test]
    fn ignored_tests_are_found() {
        assert_eq!(
            findings("tests/a.rs", "#[test] #[ignore] fn f() {}", check_tests_run),
            1
        );
        assert_eq!(
            findings(
                "tests/a.rs",
                "#[cfg_attr(unix, ignore)] fn f() {}",
                check_tests_run
            ),
            1
        );
    }
}
