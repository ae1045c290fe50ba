//! `tidy`: the project's own laws, read from the sources.
//!
//! A law that can be broken by a slip is checked here, not remembered in review. Each finding
//! names the place, what is wrong, and how to put it right.

use std::collections::BTreeSet;

use crate::lexer::{Kind, Token, after_group, reads};
use crate::source::{self, SHIPPED, Source};
use crate::{Outcome, documents, no_more, planted};

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

/// A name that may stand only behind its port.
struct Port {
    names: &'static [&'static str],
    files: &'static [&'static str],
    instead: &'static str,
}

const PORTS: [Port; 6] = [
    Port {
        names: &[
            "std::sync::atomic",
            "std::cell::UnsafeCell",
            "std::thread",
            "std::thread_local!",
            "thread_local!",
            "std::alloc",
            "parking_lot",
            "crossbeam_utils",
            "loom",
        ],
        files: &["sync/src/shim/"],
        instead: "use tenter_sync::shim, which the model checker sees",
    },
    Port {
        names: &[
            "std::sync::Mutex",
            "std::sync::RwLock",
            "std::sync::Condvar",
            "std::sync::Once",
            "std::sync::Barrier",
            "std::sync::mpsc",
        ],
        files: &[],
        instead: "use tenter_sync::shim::{Mutex, Condvar}, which the model checker sees",
    },
    Port {
        names: &[
            "std::time::Instant",
            "std::time::SystemTime",
            "std::time::UNIX_EPOCH",
        ],
        files: &["timer/src/clock.rs", "timer/src/instant.rs"],
        instead: "take the time from a tenter_timer::Clock, which a test can turn",
    },
    Port {
        names: &["polling"],
        files: &["io/src/selector"],
        instead: "go through io/src/selector.rs, which has a scripted twin",
    },
    Port {
        names: &["crossbeam_deque"],
        files: &["runtime/src/scheduler/deque.rs"],
        instead: "go through runtime/src/scheduler/deque.rs, which has a model twin",
    },
    Port {
        names: &["signal_hook_registry"],
        files: &["runtime/src/signal"],
        instead: "go through runtime/src/signal",
    },
];

fn within(name: &str, path: &str) -> bool {
    path == name
        || path
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with("::"))
}

/// `std::thread::panicking` and `std::thread::Result` start nothing and synchronise nothing.
fn is_harmless(path: &str) -> bool {
    matches!(
        path,
        "std::thread::panicking" | "std::thread::Result" | "std::alloc::Layout"
    )
}

fn check_ports(source: &Source, report: &mut Report) {
    for (line, path) in source.paths() {
        for port in &PORTS {
            let named = port.names.iter().any(|name| within(name, &path));
            let allowed = port.files.iter().any(|file| source.path.starts_with(file));
            if named && !allowed && !is_harmless(&path) {
                report.add(
                    &source.path,
                    line,
                    format!("names `{path}` outside its port"),
                    port.instead,
                );
            }
        }
    }
}

const ORDERINGS: [&str; 5] = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];

/// Every memory ordering has a note that names its partner.
fn check_orderings(source: &Source, report: &mut Report) {
    for (line, path) in source.paths() {
        let Some((before, last)) = path.rsplit_once("::") else {
            continue;
        };
        if !ORDERINGS.contains(&last) || !before.ends_with("Ordering") {
            continue;
        }
        if path.starts_with("std::") {
            report.add(
                &source.path,
                line,
                format!("imports `{last}` by itself"),
                "write `Ordering::…` in full, so that every ordering can be found",
            );
        }
        let noted = source.comment_near(line, NOTE_DISTANCE, "ORDERING:")
            || source.comment_near(line, NOTE_DISTANCE, "pairs with");
        if !noted {
            report.add(
                &source.path,
                line,
                format!("`Ordering::{last}` has no note within {NOTE_DISTANCE} lines above"),
                "`// ORDERING:` with its partner and what becomes visible, or why nothing is published",
            );
        }
    }
}

/// Production bodies are the same text under the model.
fn check_model_cfg(source: &Source, report: &mut Report) {
    let allowed = source.path.starts_with("sync/src/shim/")
        || source.path.ends_with("/src/lib.rs")
        || PORTS
            .iter()
            .any(|port| port.files.iter().any(|file| source.path.starts_with(file)))
        || source.path.ends_with("/mod.rs") && mod_picks_twin(source);
    if allowed {
        return;
    }
    for (_, token) in source.live() {
        if token.kind == Kind::Ident && token.text == "tenter_loom" {
            report.add(
                &source.path,
                token.line,
                "`cfg(tenter_loom)` outside the shim and the ports",
                "one text for production and model: use a shim type, `shim::size`, or a twin file",
            );
        }
    }
}

/// In a `mod.rs`, the flag may stand only before `mod` and `use`, to pick a twin.
fn mod_picks_twin(source: &Source) -> bool {
    let tokens = &source.tokens;
    (0..tokens.len())
        .filter(|at| reads(tokens, *at, &["#", "[", "cfg"]))
        .all(|at| {
            let mut end = after_group(tokens, at + 1);
            let about_model = tokens[at..end]
                .iter()
                .any(|token| token.text == "tenter_loom");
            while reads(tokens, end, &["pub"]) || reads(tokens, end, &["("]) {
                end = if reads(tokens, end, &["("]) {
                    after_group(tokens, end)
                } else {
                    end + 1
                };
            }
            !about_model || reads(tokens, end, &["mod"]) || reads(tokens, end, &["use"])
        })
}

fn check_crate_roots(sources: &[Source], report: &mut Report) {
    for folder in SHIPPED {
        let path = format!("{folder}/src/lib.rs");
        let Some(root) = sources.iter().find(|source| source.path == path) else {
            report.add(&path, 1, "the crate has no root", "write it");
            continue;
        };
        let guarded = (0..root.tokens.len()).any(|at| {
            ["deny", "forbid"]
                .iter()
                .any(|word| reads(&root.tokens, at, &["#", "!", "[", word, "(", "unsafe_code"]))
        });
        if !guarded {
            report.add(
                &path,
                1,
                "the crate does not deny unsafe code",
                "add `#![deny(unsafe_code)]`",
            );
        }
    }
}

/// `unsafe` stands only in the files that ARCHITECTURE.md lists, and each listed file needs it.
fn check_unsafe_list(sources: &[Source], report: &mut Report) -> Outcome {
    let listed = documents::table("ARCHITECTURE.md", "Files with unsafe")?;
    let mut used = BTreeSet::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        let first = source
            .live()
            .find(|(_, token)| token.kind == Kind::Ident && token.text == "unsafe");
        let Some((_, token)) = first else { continue };
        used.insert(source.path.as_str());
        if !listed.iter().any(|row| row.cells[0] == source.path) {
            report.add(
                &source.path,
                token.line,
                "unsafe code in a file that may not hold any",
                "write it safely, or add a row with the reason to ARCHITECTURE.md, \"Files with unsafe\"",
            );
        }
    }
    for row in &listed {
        if !used.contains(row.cells[0].as_str()) {
            report.add(
                "ARCHITECTURE.md",
                row.line,
                format!("{} is listed but holds no unsafe code", row.cells[0]),
                "remove the row",
            );
        }
    }
    Ok(())
}

/// The statics are a list: two runtimes in one process share nothing else.
fn check_statics_list(sources: &[Source], report: &mut Report) -> Outcome {
    let listed = documents::table("ARCHITECTURE.md", "Statics")?;
    let mut found = BTreeSet::new();
    for source in sources.iter().filter(|source| source.is_shipped()) {
        for (name, line) in statics(&source.tokens) {
            let is_listed = listed.iter().any(|row| {
                row.cells[0] == name && row.cells.get(1).is_some_and(|file| *file == source.path)
            });
            if !is_listed {
                report.add(
                    &source.path,
                    line,
                    format!("the static {name} is not in the list"),
                    "put the state into the runtime, or add a row to ARCHITECTURE.md, \"Statics\"",
                );
            }
            found.insert((name, source.path.clone()));
        }
    }
    for row in &listed {
        let file = row.cells.get(1).cloned().unwrap_or_default();
        if !found.contains(&(row.cells[0].clone(), file.clone())) {
            report.add(
                "ARCHITECTURE.md",
                row.line,
                format!("there is no static {} in {file}", row.cells[0]),
                "remove the row",
            );
        }
    }
    Ok(())
}

/// Statics outside tests and outside thread-local declarations: (name, line).
fn statics(tokens: &[Token]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let thread_local = ["thread_local", "local", "loom_thread_local"]
            .iter()
            .any(|name| reads(tokens, at, &[name, "!"]));
        if thread_local {
            at = after_group(tokens, at + 2);
            continue;
        }
        let is_static =
            tokens[at].kind == Kind::Ident && tokens[at].text == "static" && !tokens[at].test;
        let name_at = if reads(tokens, at + 1, &["mut"]) {
            at + 2
        } else {
            at + 1
        };
        if let (true, Some(name)) = (is_static, tokens.get(name_at)) {
            if name.kind == Kind::Ident && reads(tokens, name_at + 1, &[":"]) {
                found.push((name.text.clone(), name.line));
            }
        }
        at += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Report, check_model_cfg, check_orderings, check_ports, check_tests_run, statics};
    use crate::source::Source;

    fn findings(path: &str, text: &str, rule: fn(&Source, &mut Report)) -> usize {
        let mut report = Report::default();
        rule(&Source::parse(path.into(), text.into()), &mut report);
        report.0.len()
    }

    #[test]
    fn a_name_outside_its_port_is_found_however_it_is_written() {
        for text in [
            "use std::sync::atomic::AtomicU8;",
            "use std::{fmt, thread};",
            "use core::{sync::{atomic::*}};",
            "fn f() { std::thread::spawn(g); }",
            "use std::time::{Duration, Instant};",
            "thread_local! { static A: u8 = 0; }",
        ] {
            assert_eq!(findings("io/src/a.rs", text, check_ports), 1, "{text}");
        }
        assert_eq!(
            findings(
                "io/src/a.rs",
                "use std::sync::Arc; // std::thread",
                check_ports
            ),
            0
        );
        assert_eq!(
            findings("sync/src/shim/real.rs", "use std::thread;", check_ports),
            0
        );
    }

    #[test]
    fn an_ordering_needs_a_note() {
        let bare = "fn f() { a.load(Ordering::Acquire) }";
        assert_eq!(findings("io/src/a.rs", bare, check_orderings), 1);
        let noted = format!("// ORDERING: pairs with the release in g.\n{bare}");
        assert_eq!(findings("io/src/a.rs", &noted, check_orderings), 0);
        assert_eq!(
            findings(
                "io/src/a.rs",
                "use std::cmp::Ordering; Ordering::Less",
                check_orderings
            ),
            0
        );
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

    #[test]
    fn the_model_flag_stays_in_the_ports() {
        assert_eq!(
            findings(
                "sync/src/a.rs",
                "#[cfg(tenter_loom)] mod x;",
                check_model_cfg
            ),
            1
        );
        assert_eq!(
            findings(
                "io/src/a/mod.rs",
                "#[cfg(tenter_loom)] pub(crate) mod x;",
                check_model_cfg
            ),
            0
        );
        assert_eq!(
            findings(
                "io/src/a/mod.rs",
                "#[cfg(tenter_loom)] fn f() {}",
                check_model_cfg
            ),
            1
        );
    }

    #[test]
    fn statics_are_told_from_lifetimes_and_thread_locals() {
        let text = "static A: u8 = 0; fn f(x: &'static str) {} local! { static B: u8 = 0; } fn g() { static mut C: u8 = 0; }";
        let source = Source::parse("a.rs".into(), text.into());
        let names: Vec<String> = statics(&source.tokens)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["A", "C"]);
    }
}
