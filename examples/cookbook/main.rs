//! Run: `cargo run --release --example cookbook` lists the programs, `… --example cookbook -- p04` runs one
//!
//! The programs are the other files of this folder; each can be read by itself.

use std::env;
use std::process::ExitCode;

use tenter_examples::cookbook::{PROGRAMS, Program};

fn main() -> ExitCode {
    let ids: Vec<String> = env::args_os()
        .skip(1)
        .map(|id| id.to_string_lossy().to_lowercase())
        .collect();
    if ids.is_empty() {
        for program in PROGRAMS {
            println!("{}  {}", program.id(), program.title);
        }
        return ExitCode::SUCCESS;
    }
    let mut programs = Vec::new();
    for id in &ids {
        let Some(program) = Program::find(id) else {
            eprintln!("cookbook: there is no program `{id}`: without an argument all are listed");
            return ExitCode::from(2);
        };
        programs.push(program);
    }
    for program in programs {
        // A runtime for each: what a program leaves behind ends with it.
        if let Err(error) = tenter::run(program.run()) {
            eprintln!("cookbook: {}: {error}", program.id());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
