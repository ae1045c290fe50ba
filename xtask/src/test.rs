//! `test`: the whole suite with nothing but a Rust toolchain; cargo-nextest where it is installed.

use crate::Outcome;
use crate::process::{Steps, capture, cargo, run, target_dir};
use crate::source;

pub fn test(rest: &[String]) -> Outcome {
    let mut repeat = 1_u32;
    let mut filter = Vec::new();
    let mut rest = rest.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--repeat" => {
                let count = rest
                    .next()
                    .and_then(|count| count.parse().ok())
                    .filter(|count| *count > 0);
                repeat = count.ok_or("--repeat needs a number of runs, at least 1")?;
            }
            flag if flag.starts_with('-') => {
                return Err(format!(
                    "unexpected argument {flag:?}; see `cargo xtask help`"
                ));
            }
            _ => filter.push(argument.clone()),
        }
    }
    if repeat > 1 {
        return again(repeat, &filter);
    }
    let mut steps = Steps::default();
    steps.step("debug: unit, integration and documentation tests", || {
        run(cargo()
            .args(["test", "--workspace", "--no-fail-fast"])
            .args(&filter))
    });
    steps.step("debug: the selector on `poll`", || {
        run(&mut poll_back_end(&filter))
    });
    let mut heavy = integration_tests()?;
    heavy.retain(Integration::is_stress);
    if !heavy.is_empty() {
        steps.step("release: what counts in millions", || {
            run(&mut release(&heavy, &filter))
        });
    }
    steps.summary()
}

/// An integration test of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integration {
    pub package: String,
    pub name: String,
}

impl Integration {
    /// `folder/tests/name.rs`, or `folder/tests/name/main.rs`.
    fn of(file: &str) -> Option<Self> {
        let (folder, rest) = file.split_once("/tests/")?;
        let name = rest
            .strip_suffix("/main.rs")
            .or_else(|| rest.strip_suffix(".rs"))?;
        let is_target = !name.contains('/') && !folder.contains('/') && folder != "loom-tests";
        let package = match folder {
            "runtime" => "tenter".to_owned(),
            other => format!("tenter-{other}"),
        };
        is_target.then(|| Self {
            package,
            name: name.to_owned(),
        })
    }

    /// One that counts in millions: it runs again in release, and under ThreadSanitizer.
    pub fn is_stress(&self) -> bool {
        self.name.starts_with("stress")
    }
}

/// Every integration test but the models.
pub fn integration_tests() -> Result<Vec<Integration>, String> {
    Ok(source::files()?
        .iter()
        .filter_map(|file| Integration::of(file))
        .collect())
}

/// Where the poller of the system has no edges: `polling` is built to wait by `poll`, with the flag
/// that it has for its own tests.
fn poll_back_end(filter: &[String]) -> std::process::Command {
    let mut command = cargo();
    command
        .args(["test", "--package", "tenter-io", "--no-fail-fast"])
        .args(["--test", "selector", "--test", "driver", "--test", "stream"])
        .env("RUSTFLAGS", "--cfg polling_test_poll_backend")
        .env("CARGO_TARGET_DIR", target_dir("poll"))
        .args(filter);
    command
}

fn release(heavy: &[Integration], filter: &[String]) -> std::process::Command {
    let mut command = cargo();
    command.args(["test", "--profile", "stress", "--no-fail-fast"]);
    for test in heavy {
        command.args(["--package", &test.package, "--test", &test.name]);
    }
    command.args(filter);
    command
}

/// Runs the unit and integration tests many times, to find the test that fails now and then.
fn again(repeat: u32, filter: &[String]) -> Outcome {
    if capture(cargo().args(["nextest", "--version"])).is_ok() {
        return run(cargo()
            .args([
                "nextest",
                "run",
                "--workspace",
                "--no-fail-fast",
                "--stress-count",
            ])
            .arg(repeat.to_string())
            .args(filter));
    }
    for round in 1..=repeat {
        println!("round {round} of {repeat}");
        run(cargo()
            .args([
                "test",
                "--workspace",
                "--tests",
                "--no-fail-fast",
                "--quiet",
            ])
            .args(filter))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Integration;

    #[test]
    fn the_targets_of_cargo_are_found() {
        let of = |file| Integration::of(file).map(|test| (test.package, test.name));
        let found = |package: &str, name: &str| Some((package.to_owned(), name.to_owned()));
        assert_eq!(of("io/tests/stress.rs"), found("tenter-io", "stress"));
        assert_eq!(
            of("tests/tests/http/main.rs"),
            found("tenter-tests", "http")
        );
        assert_eq!(of("runtime/tests/a.rs"), found("tenter", "a"));
        for other in [
            "io/tests/rig/mod.rs",
            "timer/src/wheel/tests.rs",
            "loom-tests/tests/io.rs",
            "tests/src/lib.rs",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
