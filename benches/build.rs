//! Tells the harness which compiler built it: committed instruction counts hold for that one alone.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC");
    let rustc = env::var_os("RUSTC").expect("cargo sets RUSTC for build scripts");
    let output = Command::new(rustc)
        .arg("--version")
        .output()
        .expect("the compiler states its version");
    println!(
        "cargo::rustc-env=TENTER_BENCHES_RUSTC={}",
        String::from_utf8_lossy(&output.stdout).trim()
    );
}
