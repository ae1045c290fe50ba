//! `check`: everything that can be said about the code without running it.

use crate::process::{Steps, cargo, run, target_dir};
use crate::{Outcome, dependencies, no_more, tidy};

/// The features of `tenter`; the first is none.
const FEATURES: [&str; 10] = [
    "", "fs", "inspect", "macros", "net", "process", "signal", "sync", "time", "tokio-io",
];

pub fn check(rest: &[String]) -> Outcome {
    no_more(rest)?;
    let mut steps = Steps::default();
    steps.step("fmt", || run(cargo().args(["fmt", "--all", "--check"])));
    steps.step("tidy", || tidy::tidy(&[]));
    steps.step("dependencies", dependencies::check);
    steps.step("clippy", || {
        run(cargo().args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--keep-going",
            "--quiet",
            "--",
            "-Dwarnings",
        ]))
    });
    steps.step("clippy of each feature alone", || {
        FEATURES.iter().try_for_each(|feature| {
            run(cargo()
                .args(["clippy", "--package", "tenter", "--quiet"])
                .args(["--no-default-features", "--features", feature])
                .args(["--", "-Dwarnings"]))
        })
    });
    steps.step("clippy of the models", || {
        run(cargo()
            .env("RUSTFLAGS", "--cfg tenter_loom")
            .args([
                "clippy",
                "--profile",
                "loom",
                "--package",
                "tenter-loom-tests",
                "--tests",
                "--quiet",
            ])
            .args(["--target-dir".as_ref(), target_dir("loom").as_os_str()])
            .args(["--", "-Dwarnings"]))
    });
    steps.step("private docs", || {
        run(cargo().env("RUSTDOCFLAGS", "-Dwarnings").args([
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
            "--keep-going",
            "--quiet",
        ]))
    });
    steps.summary()
}
