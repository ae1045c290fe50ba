//! Go as a peer: a program of its own (`go/main.go`) that answers the same questions as a child of
//! this harness, built where Go is installed.

use std::path::PathBuf;
use std::process::Command;
use std::{env, io};

/// Builds the program.
///
/// # Errors
///
/// [`io::ErrorKind::NotFound`] if Go is not installed, else what the compiler says.
pub fn build() -> io::Result<()> {
    const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/go/main.go");
    let mut command = Command::new("go");
    command.arg("build").arg("-o").arg(program()?).arg(SOURCE);
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("go build: {}", said.trim())))
}

/// The program on two processors.
pub(crate) fn command() -> io::Result<Command> {
    let mut command = Command::new(program()?);
    command.env("GOMAXPROCS", "2");
    Ok(command)
}

fn program() -> io::Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name("go-rows"))
}
