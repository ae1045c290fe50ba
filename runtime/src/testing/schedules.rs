//! Many schedules of one test: what `#[tenter::test(seed = .., schedules = ..)]` runs.
//!
//! ```text
//!  seed ──► run 0: seed itself; run n: derived from it ──► first failure: say the seed, fail as the test did
//!  TENTER_SEED=s ──► one run, with seed s
//! ```
//!
//! Every run has a runtime of its own, so that nothing but the seed decides what happens in it.
//!
//! Tests: `tests/tests/schedules.rs`.

use core::fmt::Write as _;
use core::future::Future;
use core::time::Duration;
use std::panic::catch_unwind;
use std::process::ExitCode;

use crate::__private::{TestConfig, run_in};
use crate::scheduler::choices::derive;
use crate::task::payload::drop_payload;

/// Names the seed of the one run that is wanted.
const VARIABLE: &str = "TENTER_SEED";

/// What a test that runs many times may return.
#[diagnostic::on_unimplemented(
    message = "a test with `seed` or `schedules` cannot return `{Self}`",
    note = "return nothing, a `Result` of that, or an `ExitCode`: whether a run has failed has to be seen"
)]
pub trait Outcome {
    /// Whether the test has failed.
    fn is_failure(&self) -> bool;
}

impl Outcome for () {
    fn is_failure(&self) -> bool {
        false
    }
}

impl Outcome for ExitCode {
    fn is_failure(&self) -> bool {
        *self != ExitCode::SUCCESS
    }
}

impl<T: Outcome, E> Outcome for Result<T, E> {
    fn is_failure(&self) -> bool {
        self.as_ref().map_or(true, Outcome::is_failure)
    }
}

/// Runs the body of a test once for each of `schedules` seeds, until it fails.
///
/// # Panics
///
/// As the body does. If the variable `TENTER_SEED` is set to what is no number.
#[track_caller]
pub fn run_schedules<F>(config: TestConfig, schedules: u64, body: impl Fn() -> F) -> F::Output
where
    F: Future,
    F::Output: Outcome,
{
    let wanted = std::env::var(VARIABLE).ok().map(|text| {
        parse(&text).unwrap_or_else(|| {
            panic!("{VARIABLE}={text}: write an integer such as 7 or 0x9e37, or unset it")
        })
    });
    let (first, count) = match wanted {
        Some(seed) => (seed, 1),
        None => (config.seed, schedules.max(1)),
    };
    let mut run = 0;
    loop {
        let config = TestConfig {
            seed: derive(first, run),
            ..config
        };
        run += 1;
        let explained = Explained {
            text: (schedules > 1).then(|| explain(config, run, count)),
        };
        // Called here and not in a closure, so that the place of the test is that of its main task.
        let output = run_in(config, true, body());
        if output.is_failure() || run == count {
            explained.end(output.is_failure());
            return output;
        }
        explained.end(false);
    }
}

/// Says how to have a run again, if the run unwinds.
struct Explained {
    text: Option<String>,
}

impl Explained {
    /// The run has ended by itself.
    fn end(mut self, is_failure: bool) {
        let text = self.text.take().filter(|_| is_failure);
        if let Some(text) = text {
            // Not `say`: it belongs to what the harness captures of a test.
            eprint!("{text}");
        }
    }
}

impl Drop for Explained {
    fn drop(&mut self) {
        if let Some(text) = self.text.take() {
            // It unwinds already: a panic of the printing would abort the process.
            if let Err(payload) = catch_unwind(|| eprint!("{text}")) {
                drop_payload(payload);
            }
        }
    }
}

/// How to have this run again.
fn explain(config: TestConfig, run: u64, count: u64) -> String {
    let TestConfig { seed, name, .. } = config;
    let mut attribute = format!("#[tenter::test(seed = {seed:#018x}");
    if let Some(timeout) = config.timeout {
        let _ = write!(attribute, ", timeout = \"{}\"", written(timeout));
    }
    attribute.push_str(")]");
    // As a filter, the name has no crate.
    let path = name.split_once("::").map_or(name, |(_, path)| path);
    format!(
        "tenter: {name} failed in schedule {run} of {count}, that of seed {seed:#018x}.\n\
         To run this schedule alone: {attribute}\n\
         or, with the test as it is: {VARIABLE}={seed:#018x} cargo test {path}\n"
    )
}

/// A duration as the attribute takes it, which knows whole milliseconds, seconds and minutes.
fn written(duration: Duration) -> String {
    match duration.as_millis() {
        millis if millis % 1_000 != 0 => format!("{millis}ms"),
        millis => format!("{}s", millis / 1_000),
    }
}

fn parse(text: &str) -> Option<u64> {
    let text = text.trim().replace('_', "");
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_read_as_they_are_printed() {
        for (text, seed) in [
            ("7", Some(7)),
            (" 0x9e37 ", Some(0x9e37)),
            ("0x0000000000000007", Some(7)),
            ("18_446_744_073_709_551_615", Some(u64::MAX)),
            ("", None),
            ("seven", None),
            ("-7", None),
        ] {
            assert_eq!(parse(text), seed, "{text}");
        }
        let config = TestConfig {
            seed: 0x9e37,
            timeout: Some(Duration::from_millis(2_500)),
            name: "crate_name::module::test_name",
            ..TestConfig::default()
        };
        assert_eq!(
            explain(config, 3, 1_000),
            "tenter: crate_name::module::test_name failed in schedule 3 of 1000, that of seed \
             0x0000000000009e37.\nTo run this schedule alone: #[tenter::test(seed = 0x0000000000009e37, \
             timeout = \"2500ms\")]\nor, with the test as it is: TENTER_SEED=0x0000000000009e37 cargo test \
             module::test_name\n"
        );
    }

    #[test]
    fn failures_are_seen_in_what_a_test_returns() {
        assert!(!().is_failure());
        assert!(Err::<(), u8>(1).is_failure());
        assert!(Ok::<_, u8>(Err::<(), u8>(1)).is_failure());
        assert!(!Ok::<(), u8>(()).is_failure());
        assert!(!ExitCode::SUCCESS.is_failure());
        assert!(ExitCode::from(3).is_failure());
    }
}
