//! What a run with a planted bug proves.

use std::fmt;
use std::process::ExitStatus;

use crate::process::Finished;

/// Whether the model checker found the bug, and as what.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Found, as this.
    Caught(String),
    /// Not found, or not by the model checker.
    Missed(String),
}

impl Verdict {
    /// Judges a run. Only a finding counts: not a time-out, a missing test or a limited search.
    pub fn of(finished: &Finished) -> Self {
        let output = &finished.output;
        let missed = |why: &str| Self::Missed(why.to_owned());
        if finished.status.is_none() && !output.contains("deadlock; threads") {
            return Self::Missed(finished.how());
        }
        // A process that has found a deadlock may not come out of it: the drop of a whole runtime waits for
        // threads of the model that are stuck.
        if !output.contains("running 1 test") {
            return missed("the model did not run");
        }
        if finished.success() {
            return missed("the model passed");
        }
        if output.contains("TRUNCATED") {
            return missed("the search was limited");
        }
        for (words, finding) in [
            ("deadlock; threads", "deadlock"),
            ("Causality violation", "causality violation"),
            ("Arc leaked", "leak"),
            ("Allocation leaked", "leak"),
            ("object leaked", "leak"),
            ("Messages leaked", "leak"),
        ] {
            if output.contains(words) {
                return Self::Caught(finding.to_owned());
            }
        }
        if output.contains("Model exceeded maximum number of branches") {
            return Self::Caught("no progress within the step limit".to_owned());
        }
        if let Some(message) = panic_message(output) {
            return Self::Caught(message);
        }
        // A use after free may take the whole process with it before loom can say so.
        match finished.status.and_then(signal) {
            Some(signal @ (4 | 6 | 7 | 11)) => Self::Caught(format!("crash, signal {signal}")),
            _ => Self::Missed(format!("it ended without a finding: {}", finished.how())),
        }
    }

    pub fn is_caught(&self) -> bool {
        matches!(self, Self::Caught(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caught(how) => write!(f, "{how}"),
            Self::Missed(why) => write!(f, "NOT CAUGHT: {why}"),
        }
    }
}

/// The signal that ended a process, where there are signals.
#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt as _;
    status.signal()
}

#[cfg(not(unix))]
fn signal(_status: ExitStatus) -> Option<i32> {
    None
}

/// The first line of the first panic.
fn panic_message(output: &str) -> Option<String> {
    let mut lines = output
        .lines()
        .skip_while(|line| !line.contains("panicked at "));
    lines.next()?;
    let message = lines.find(|line| !line.trim().is_empty())?;
    let message = message
        .split_once(" failed: ")
        .map_or(message, |(_, said)| said);
    Some(message.chars().take(60).collect())
}

/// The end of a long output.
pub fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;
    use std::time::Duration;

    use super::Verdict;
    use crate::process::Finished;

    fn verdict(status: Option<i32>, output: &str) -> Verdict {
        let status = status.map(ExitStatus::from_raw);
        Verdict::of(&Finished {
            status,
            output: output.into(),
            took: Duration::ZERO,
        })
    }

    #[test]
    fn only_a_finding_counts() {
        assert!(verdict(Some(6), "running 1 test\ndeadlock; threads = [..]").is_caught());
        assert!(
            verdict(
                Some(101 << 8),
                "running 1 test\nthread 't' panicked at a.rs:1:2:\nlost permit"
            )
            .is_caught()
        );
        for (status, output) in [
            (None, "running 1 test"),
            (Some(0), "running 1 test\ntest result: ok"),
            (Some(0), "running 0 tests"),
            (Some(101 << 8), "error: no such test"),
            (
                Some(101 << 8),
                "running 1 test\npanicked at a.rs\nTRUNCATED: unset",
            ),
            (Some(9), "running 1 test"),
        ] {
            assert!(!verdict(status, output).is_caught(), "{output}");
        }
    }
}
