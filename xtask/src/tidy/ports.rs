//! What may be named where: the ports, the memory orderings, the flag of the model.

use super::{NOTE_DISTANCE, Report};
use crate::lexer::{Kind, after_group, reads};
use crate::source::Source;

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
        // The last one converts for hyper, whose trait speaks of the system's time.
        files: &[
            "timer/src/clock.rs",
            "timer/src/instant.rs",
            "http/src/timer.rs",
        ],
        instead: "take the time from a tenter_timer::Clock, which a test can turn",
    },
    Port {
        names: &["polling"],
        files: &["io/src/selector"],
        instead: "go through io/src/selector.rs, which has a scripted twin",
    },
    Port {
        names: &["crossbeam_deque"],
        files: &["runtime/src/scheduler/multi_thread/deque.rs"],
        instead: "go through runtime/src/scheduler/multi_thread/deque.rs, which has a model twin",
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

/// These start nothing and synchronise nothing.
fn is_harmless(path: &str) -> bool {
    matches!(
        path,
        "std::thread::current"
            | "std::thread::panicking"
            | "std::thread::Result"
            | "std::alloc::Layout"
    )
}

pub fn check_ports(source: &Source, report: &mut Report) {
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
pub fn check_orderings(source: &Source, report: &mut Report) {
    if source.path == "sync/src/shim/model.rs" {
        return; // The counters of the explorer itself.
    }
    let plants = plants(source);
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
        if plants.iter().any(|plant| plant.body.contains(&line)) {
            continue;
        }
        // Around a planted bug, the note of the true branch may stand further up, or below.
        let reach = |plant: &Plant| (plant.line..plant.line + NOTE_DISTANCE).contains(&line);
        let slack = if plants.iter().any(reach) {
            NOTE_DISTANCE
        } else {
            0
        };
        let noted = ["ORDERING:", "pairs with"]
            .iter()
            .any(|words| source.comment_near(line + slack, NOTE_DISTANCE + 2 * slack, words));
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

/// A planted bug: code that is wrong on purpose.
struct Plant {
    line: usize,
    /// The lines of its branch.
    body: std::ops::Range<usize>,
}

fn plants(source: &Source) -> Vec<Plant> {
    let tokens = &source.tokens;
    let mut found = Vec::new();
    for at in (0..tokens.len()).filter(|at| reads(tokens, *at, &["planted", "!", "("])) {
        let line = tokens[at].line;
        let open = after_group(tokens, at + 2);
        let negated = at > 0 && reads(tokens, at - 1, &["!"]);
        let body = if !negated && reads(tokens, open, &["{"]) {
            let close = after_group(tokens, open) - 1;
            line..tokens[close].line + 1
        } else {
            line..line
        };
        found.push(Plant { line, body });
    }
    found
}

/// Production bodies are the same text under the model.
pub fn check_model_cfg(source: &Source, report: &mut Report) {
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

#[cfg(test)]
mod tests {
    use super::{check_model_cfg, check_orderings, check_ports};
    use crate::tidy::tests::findings;

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
    fn a_planted_bug_needs_no_note_but_its_true_branch_does() {
        let wrong = "if planted!(\"a\") {\n a.load(Ordering::Relaxed);\n return; }\n";
        assert_eq!(
            findings(
                "io/src/a.rs",
                &format!("fn f() {{ {wrong} }}"),
                check_orderings
            ),
            0
        );
        let right = "if !planted!(\"a\") {\n fence(Ordering::SeqCst);\n }\n";
        assert_eq!(
            findings(
                "io/src/a.rs",
                &format!("fn f() {{ {right} }}"),
                check_orderings
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
}
