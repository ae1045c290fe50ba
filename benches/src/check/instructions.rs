//! Instructions of an operation, by `valgrind --tool=callgrind` on the `counted` program.

use std::process::{Command, Stdio};
use std::{env, fs, io, process};

use super::counted_program;
use crate::peer::PeerId;

/// Instructions of the whole program for the short and for the long run, which go side by side.
pub fn of_two_runs(peer: PeerId, operation: &str, short: u64, long: u64) -> io::Result<(u64, u64)> {
    let (short, long) = (
        start(peer, operation, short)?,
        start(peer, operation, long)?,
    );
    Ok((short.finish()?, long.finish()?))
}

struct Run {
    process: process::Child,
    file: std::path::PathBuf,
}

fn start(peer: PeerId, operation: &str, n: u64) -> io::Result<Run> {
    let file = env::temp_dir().join(format!(
        "tenter-callgrind-{}-{peer}-{operation}-{n}.out",
        process::id()
    ));
    let mut command = Command::new("valgrind");
    command
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(counted_program()?)
        .args(["run", peer.name(), operation, &n.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let process = command.spawn().map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("valgrind does not start ({error}); install valgrind"),
        )
    })?;
    Ok(Run { process, file })
}

impl Run {
    fn finish(self) -> io::Result<u64> {
        let output = self.process.wait_with_output()?;
        let profile = fs::read_to_string(&self.file);
        let _ = fs::remove_file(&self.file);
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(io::Error::other(format!(
                "valgrind: {}: {said}",
                output.status
            )));
        }
        total(&profile?).ok_or_else(|| io::Error::other("the profile has no totals line"))
    }
}

/// The sum over all functions and threads.
fn total(profile: &str) -> Option<u64> {
    let line = profile
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("totals:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_total_is_the_last_line_of_a_profile() {
        assert_eq!(
            super::total("events: Ir\nfn=(1)\n1 20\n\ntotals: 42\n"),
            Some(42)
        );
        assert_eq!(super::total("events: Ir\n"), None);
    }
}
