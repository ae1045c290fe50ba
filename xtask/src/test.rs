//! `test`: the whole suite with nothing but a Rust toolchain; cargo-nextest where it is installed.

use crate::Outcome;
use crate::process::{Steps, capture, cargo, run};
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
    let heavy = heavy_tests()?;
    if !heavy.is_empty() {
        steps.step("release: what counts in millions", || {
            run(&mut release(&heavy, &filter))
        });
    }
    steps.summary()
}

/// Test files that run again in release: `tests/stress*.rs` of any package.
fn heavy_tests() -> Result<Vec<(String, String)>, String> {
    let files = source::files()?;
    Ok(files
        .iter()
        .filter_map(|file| {
            let (package, name) = file.rsplit_once("tests/")?;
            let name = name
                .strip_suffix(".rs")
                .filter(|name| name.starts_with("stress"))?;
            Some((package.trim_end_matches('/').to_owned(), name.to_owned()))
        })
        .filter(|(package, _)| package != "loom-tests")
        .collect())
}

fn release(heavy: &[(String, String)], filter: &[String]) -> std::process::Command {
    let mut command = cargo();
    command.args(["test", "--profile", "stress", "--no-fail-fast"]);
    for (folder, name) in heavy {
        command.args(["--package", &package_of(folder), "--test", name]);
    }
    command.args(filter);
    command
}

/// The package in a folder.
pub fn package_of(folder: &str) -> String {
    match folder {
        "runtime" => "tenter".to_owned(),
        "" => "tenter-tests".to_owned(),
        other => format!("tenter-{other}"),
    }
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
