//! What is shown to those who look into the process.
//!
//! All that is known of tasks comes through [`look`].
//!
//! Tests: `tests/tests/inspect/main.rs`.

use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::Entry;
use super::protocol::{Answer, Question, Status};
use crate::handle::Handle;
use crate::signal::SignalKind;
use crate::task::payload::drop_payload;

/// What a look at a runtime has shown.
struct Seen {
    tasks: usize,
    /// In the form that was asked for, with the circles at its end.
    text: String,
    /// How many circles there are.
    cycles: usize,
}

/// Answers a question about the runtimes.
pub fn answer(question: Question, entries: &[Arc<Entry>]) -> Answer {
    let mut text = String::new();
    let cycles = show(&mut text, question, entries);
    let status = if cycles == 0 {
        Status::Fine
    } else {
        Status::Cycles
    };
    Answer { status, text }
}

/// What a signal has printed.
pub fn dump(kind: SignalKind, entries: &[Arc<Entry>]) -> String {
    let process = std::process::id();
    let mut text = format!("tenter: {kind}: the tasks of process {process}\n");
    show(&mut text, Question::PsTree, entries);
    let _ = writeln!(text, "tenter: process {process} goes on");
    text
}

/// Adds what there is to be said of all runtimes. Returns the number of circles.
fn show(text: &mut String, question: Question, entries: &[Arc<Entry>]) -> usize {
    let mut cycles = 0;
    for entry in entries {
        let title = title(entry);
        // A bug here must not take the thread away that is needed when there are bugs.
        let seen = catch_unwind(AssertUnwindSafe(|| look(&entry.handle, question)));
        let _ = match seen {
            Ok(seen) => {
                cycles += seen.cycles;
                let plural = if seen.tasks == 1 { "" } else { "s" };
                write!(text, "{title}: {} task{plural}\n{}", seen.tasks, seen.text)
            }
            Err(payload) => {
                drop_payload(payload);
                writeln!(
                    text,
                    "{title}: tenter itself has panicked, and said why on standard error"
                )
            }
        };
    }
    cycles
}

/// `runtime 1 "web", MultiThread`
fn title(entry: &Entry) -> String {
    let config = entry.handle.scheduler().config();
    let name = config.name.as_ref();
    let name = name.map(|name| format!(" {name:?}")).unwrap_or_default();
    format!("runtime {}{name}, {:?}", entry.number, config.flavor)
}

/// The one look at a runtime.
fn look(handle: &Handle, question: Question) -> Seen {
    let tree = handle.tree();
    Seen {
        tasks: tree.tasks().len(),
        text: match question {
            // An empty table would not say why.
            Question::Ps if tree.is_complete() => tree.table().to_string(),
            _ => tree.to_string(),
        },
        cycles: tree.cycles().len(),
    }
}
