//! The models: how they are built, listed and run.

use std::path::PathBuf;
use std::process::Command;

use super::Options;
use crate::json::Json;
use crate::process::{Finished, capture, cargo, run_limited, target_dir};

/// A test of a binary.
#[derive(Clone, Debug)]
pub struct Model {
    /// `file::test`.
    pub name: String,
    binary: PathBuf,
    test: String,
}

impl Model {
    /// Runs the model in a process of its own.
    pub fn run(&self, options: &Options, environment: &[(&str, &str)]) -> Result<Finished, String> {
        let mut command = Command::new(&self.binary);
        for limit in [
            "LOOM_MAX_DURATION",
            "LOOM_MAX_PERMUTATIONS",
            "LOOM_MAX_THREADS",
            "TENTER_PLANT",
        ] {
            command.env_remove(limit);
        }
        command
            .args(["--exact", &self.test, "--nocapture", "--test-threads=1"])
            .env("LOOM_MAX_PREEMPTIONS", options.bound.to_string())
            .env("RUST_BACKTRACE", "0")
            .envs(environment.iter().copied());
        run_limited(&mut command, options.limit)
    }
}

/// Builds the models once and lists them.
pub fn build() -> Result<Vec<Model>, String> {
    println!(
        "$ RUSTFLAGS=\"--cfg tenter_loom\" cargo test --profile loom -p tenter-loom-tests --no-run"
    );
    let text = capture(
        cargo()
            .env("RUSTFLAGS", "--cfg tenter_loom")
            .args([
                "test",
                "--profile",
                "loom",
                "--package",
                "tenter-loom-tests",
                "--tests",
                "--no-run",
            ])
            .arg("--message-format=json-render-diagnostics")
            .arg("--target-dir")
            .arg(target_dir("loom")),
    )?;
    let mut models = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let message = Json::parse(line)?;
        let target = message.get("target");
        let is_test = target
            .get("kind")
            .list()
            .iter()
            .any(|kind| kind.text() == Some("test"));
        if let (true, Some(binary), Some(file)) = (
            is_test,
            message.get("executable").text(),
            target.get("name").text(),
        ) {
            models.extend(list(binary.into(), file)?);
        }
    }
    models.sort_by(|a, b| a.name.cmp(&b.name));
    if models.is_empty() {
        return Err("there are no models; was the flag lost on the way?".to_owned());
    }
    Ok(models)
}

fn list(binary: PathBuf, file: &str) -> Result<Vec<Model>, String> {
    let text = capture(Command::new(&binary).args(["--list", "--format", "terse"]))?;
    let tests: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .collect();
    if tests.is_empty() {
        return Err(format!(
            "loom-tests/tests/{file}.rs holds no model under --cfg tenter_loom"
        ));
    }
    let model = |test: &&str| Model {
        name: format!("{file}::{test}"),
        binary: binary.clone(),
        test: (*test).to_owned(),
    };
    Ok(tests.iter().map(model).collect())
}
