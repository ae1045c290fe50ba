//! `tsan` and `asan`: the sanitizers of the nightly compiler, each proved awake by a canary.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{Steps, run, run_limited, target_dir};
use crate::test::{Integration, integration_tests};
use crate::{Outcome, source};

const TARGET: &str = "x86_64-unknown-linux-gnu";

struct Sanitizer {
    /// Of the target folder.
    name: &'static str,
    flags: &'static str,
    options: (&'static str, String),
    /// A program that must be reported, and the words of the report.
    canary: &'static str,
    report: &'static str,
}

pub fn tsan(rest: &[String]) -> Outcome {
    let suppressions = source::root().join(".ci/tsan.supp");
    let sanitizer = Sanitizer {
        name: "tsan",
        // The standard library is not instrumented; .ci/tsan.supp names what follows from that.
        flags: "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer",
        options: (
            "TSAN_OPTIONS",
            format!(
                "suppressions={} halt_on_error=1 history_size=4",
                suppressions.display()
            ),
        ),
        canary: "race.rs",
        report: "ThreadSanitizer: data race",
    };
    let mut tests = integration_tests()?;
    let is_structure = |test: &Integration| {
        test.package == "tenter-tests" && STRUCTURE.contains(&test.name.as_str())
    };
    tests.retain(|test| test.is_stress() || is_structure(test));
    sanitizer.run(&tests, &[], rest)
}

pub fn asan(rest: &[String]) -> Outcome {
    let sanitizer = Sanitizer {
        name: "asan",
        flags: "-Zsanitizer=address --cfg tenter_unpooled",
        options: ("ASAN_OPTIONS", "detect_stack_use_after_return=1".to_owned()),
        canary: "use_after_free.rs",
        report: "AddressSanitizer: heap-use-after-free",
    };
    let mut tests = integration_tests()?;
    // The tests of the examples build and start programs, which the sanitizer does not see.
    tests.retain(|test| CORE.contains(&test.package.as_str()) && test.name != "examples");
    sanitizer.run(&tests, &["--lib"], rest)
}

/// What is tested of tasks in tasks, beside what counts in millions.
const STRUCTURE: [&str; 5] = ["cancel", "combine", "groups", "scopes", "trees"];

/// How many random trees of tasks each test grows, unless `TENTER_TREES` says otherwise: what takes seconds
/// without a sanitizer takes minutes with one.
const TREES: &str = "1000";

/// The packages whose tests run under AddressSanitizer.
const CORE: [&str; 5] = [
    "tenter-sync",
    "tenter-timer",
    "tenter-io",
    "tenter",
    "tenter-tests",
];

impl Sanitizer {
    fn run(&self, tests: &[Integration], targets: &[&str], filter: &[String]) -> Outcome {
        let probe = Command::new("cargo")
            .args(["+nightly", "--version"])
            .output();
        if !probe.is_ok_and(|output| output.status.success()) {
            println!(
                "xtask: no nightly toolchain, so {} did not run: `rustup toolchain install nightly`",
                self.name
            );
            return Ok(());
        }
        let mut steps = Steps::default();
        steps.step("canary: the sanitizer is awake", || self.canary());
        steps.step("tests", || run(&mut self.tests(tests, targets, filter)));
        steps.summary()
    }

    fn tests(&self, tests: &[Integration], targets: &[&str], filter: &[String]) -> Command {
        let mut command = Command::new("cargo");
        command
            .env(self.options.0, &self.options.1)
            .env("RUSTFLAGS", self.flags)
            .env(
                "TENTER_TREES",
                std::env::var("TENTER_TREES").unwrap_or_else(|_| TREES.into()),
            )
            .args(["+nightly", "test", "--target", TARGET, "--target-dir"])
            .arg(target_dir(self.name))
            .args(targets);
        for test in tests {
            command.args(["--package", &test.package, "--test", &test.name]);
        }
        command.arg("--no-fail-fast").args(filter);
        command
    }

    /// A deliberate bug, compiled with the same flags, must be reported.
    fn canary(&self) -> Outcome {
        let folder = target_dir(self.name);
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let program = folder.join("canary");
        run(&mut self.compiler(&program))?;
        let mut command = Command::new(absolute(&program));
        command.env(self.options.0, &self.options.1);
        let finished = run_limited(&mut command, Duration::from_secs(60))?;
        if finished.success() || !finished.output.contains(self.report) {
            return Err(format!(
                "xtask/canary/{} was not reported ({}): the sanitizer sees nothing\n{}",
                self.canary,
                finished.how(),
                finished.output
            ));
        }
        println!(
            "xtask/canary/{}: reported as it must be ({})",
            self.canary,
            finished.how()
        );
        Ok(())
    }

    fn compiler(&self, program: &Path) -> Command {
        let mut command = Command::new("rustc");
        command
            .args(["+nightly", "--edition", "2024", "--target", TARGET])
            .args(self.flags.split(' '))
            .arg(Path::new("xtask/canary").join(self.canary))
            .arg("-o")
            .arg(program);
        command
    }
}

fn absolute(path: &Path) -> PathBuf {
    source::root().join(path)
}
