//! The one door for people and CI: `cargo xtask <command>`.
//!
//! Plain standard library, so that it builds in seconds and needs nothing but a Rust toolchain.
//! Every command prints what it runs, so that a step can be repeated by hand.

use std::process::ExitCode;
use std::time::Instant;

mod bench;
mod check;
mod dependencies;
mod documents;
mod json;
mod lexer;
mod loom;
mod planted;
mod process;
mod sanitize;
mod source;
mod spin;
mod test;
mod tidy;

/// What a command ends with: nothing, or one sentence that says what is wrong.
type Outcome = Result<(), String>;

const HELP: &str = "\
cargo xtask <command>

  check                     fmt, clippy and private docs with warnings denied, dependency
                            direction, count and rust-version, tidy
  tidy                      the project's own laws alone: files with unsafe, statics, ports,
                            ordering notes, documents
  test [--repeat N] [FILTER]
                            the whole suite, debug and release, with doctests;
                            --repeat runs the unit and integration tests N times
  loom [PROTOCOL [TEST]] [--bound N] [--limit SECONDS] [--bless]
                            explores every model, compares the numbers of schedules with
                            loom-tests/models.lock, proves that each planted bug is caught
  loom PROTOCOL TEST --explain [--plant BUG]
                            replays the failing schedule with a log
  spin [--bless]            checks the models of docs/models, and the table generated from them;
                            needs spin and gcc
  bench [ROW] [--peers] [--check] [...]
                            builds and runs the side-by-side benchmarks in release
  tsan [FILTER]             stress, groups, scopes, trees under ThreadSanitizer, where nightly is installed
  asan [FILTER]             tests under AddressSanitizer and LeakSanitizer, likewise
  help                      this text
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_else(|| "help".to_owned());
    let rest: Vec<String> = arguments.collect();
    if let Err(error) = std::env::set_current_dir(source::root()) {
        eprintln!("xtask: cannot enter the workspace: {error}");
        return ExitCode::FAILURE;
    }
    let begin = Instant::now();
    let outcome = match command.as_str() {
        "check" => check::check(&rest),
        "tidy" => tidy::tidy(&rest),
        "test" => test::test(&rest),
        "loom" => loom::loom(&rest),
        "spin" => spin::spin(&rest),
        "bench" => bench::bench(&rest),
        "tsan" => sanitize::tsan(&rest),
        "asan" => sanitize::asan(&rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        other => Err(format!(
            "there is no command {other:?}; see `cargo xtask help`"
        )),
    };
    let seconds = begin.elapsed().as_secs_f64();
    match outcome {
        Ok(()) => {
            println!("\nxtask {command}: ok, {seconds:.1} s");
            ExitCode::SUCCESS
        }
        Err(message) => {
            println!("\nxtask {command}: FAILED after {seconds:.1} s: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Refuses arguments that a command does not know.
fn no_more(rest: &[String]) -> Outcome {
    match rest.first() {
        None => Ok(()),
        Some(unknown) => Err(format!(
            "unexpected argument {unknown:?}; see `cargo xtask help`"
        )),
    }
}
