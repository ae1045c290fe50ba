//! `tsan` and `asan`: the sanitizers of the nightly compiler, each proved awake by a canary.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{Steps, run, run_limited, target_dir};
use crate::test::package_of;
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
    let stress = |path: &str| path.contains("/tests/stress") || path.starts_with("tests/stress");
    sanitizer.run(&test_files(stress)?, rest)
}

pub fn asan(rest: &[String]) -> Outcome {
    let sanitizer = Sanitizer {
        name: "asan",
        flags: "-Zsanitizer=address",
        options: ("ASAN_OPTIONS", "detect_stack_use_after_return=1".to_owned()),
        canary: "use_after_free.rs",
        report: "AddressSanitizer: heap-use-after-free",
    };
    sanitizer.run(&[], rest)
}

/// The integration tests whose path fits: (package, test).
fn test_files(fits: impl Fn(&str) -> bool) -> Result<Vec<(String, String)>, String> {
    let files = source::files()?;
    let found: Vec<(String, String)> = files
        .iter()
        .filter(|path| fits(path))
        .filter_map(|path| {
            let (folder, name) = path.rsplit_once("tests/")?;
            Some((
                package_of(folder.trim_end_matches('/')),
                name.strip_suffix(".rs")?.to_owned(),
            ))
        })
        .collect();
    if found.is_empty() {
        return Err("there are no stress tests: tests/stress*.rs".to_owned());
    }
    Ok(found)
}

/// The packages whose tests run under AddressSanitizer.
const CORE: [&str; 5] = [
    "tenter-sync",
    "tenter-timer",
    "tenter-io",
    "tenter",
    "tenter-tests",
];

impl Sanitizer {
    fn run(&self, tests: &[(String, String)], filter: &[String]) -> Outcome {
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
        steps.step("tests", || run(&mut self.tests(tests, filter)));
        steps.summary()
    }

    fn tests(&self, tests: &[(String, String)], filter: &[String]) -> Command {
        let mut command = Command::new("cargo");
        command
            .env(self.options.0, &self.options.1)
            .env("RUSTFLAGS", self.flags)
            .args(["+nightly", "test", "--target", TARGET, "--target-dir"])
            .arg(target_dir(self.name));
        if tests.is_empty() {
            command.arg("--tests");
            for package in CORE {
                command.args(["--package", package]);
            }
        }
        for (package, test) in tests {
            command.args(["--package", package, "--test", test]);
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
