//! `bench`: builds and runs the side-by-side harness; the harness understands the arguments.

use std::process::Command;

use crate::Outcome;
use crate::process::{cargo, exists, run};

/// The harness is a program of its own because its figures need the release profile.
pub fn bench(rest: &[String]) -> Outcome {
    if rest.iter().any(|argument| argument == "--check") {
        for tool in ["strace", "valgrind"] {
            provide(tool);
        }
    }
    // The harness starts a second program of its package, so both are built.
    run(cargo().args([
        "build",
        "--release",
        "--package",
        "tenter-benches",
        "--bins",
    ]))?;
    run(cargo()
        .args(["run", "--quiet", "--release", "--package", "tenter-benches"])
        .args(["--bin", "side-by-side", "--"])
        .args(rest))
}

/// Installs a tool where that is possible; else says what is missing.
fn provide(tool: &str) {
    if exists(tool) {
        return;
    }
    let user = Command::new("id").arg("-u").output();
    let is_root = user.is_ok_and(|output| output.stdout == b"0\n");
    if is_root && exists("apt-get") {
        let installed = run(Command::new("apt-get").args(["install", "-y", tool]));
        if installed.is_ok() && exists(tool) {
            return;
        }
    }
    println!(
        "xtask: {tool} is not installed, so what it counts is not checked here; install it with your package manager"
    );
}
