//! Instructions of an operation, and how many of them read, modify and write memory in one, by
//! `valgrind --tool=callgrind` on the `counted` program.
//!
//! The profile says how often each instruction ran, by its address (`--dump-instr`), and `objdump`
//! which of the program's instructions have a `lock` prefix or are an `xchg` with memory. What the
//! C library does by such instructions, in `malloc` above all, is not among them.

use std::collections::HashSet;
use std::process::{Command, Stdio};
use std::{env, fs, io, process};

use super::{counted_program, output};
use crate::peer::PeerId;

/// What a whole run of the program executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Instructions of all threads, the C library's included.
    pub instructions: u64,
    /// Atomic read-modify-writes in the program itself.
    pub read_modify_writes: u64,
}

/// A short and a long run, which go side by side.
pub fn of_two_runs(
    peer: PeerId,
    operation: &str,
    short: u64,
    long: u64,
) -> io::Result<(Executed, Executed)> {
    let (short, long) = (
        start(peer, operation, short)?,
        start(peer, operation, long)?,
    );
    let mut dump = Command::new("objdump");
    dump.args(["-d", "--no-show-raw-insn"])
        .arg(counted_program()?);
    let disassembly = output(&mut dump).map_err(|error| {
        io::Error::new(error.kind(), format!("objdump ({error}); install binutils"))
    })?;
    let atomic = read_modify_writes(&disassembly);
    Ok((short.finish(&atomic)?, long.finish(&atomic)?))
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
        .args(["--tool=callgrind", "--dump-instr=yes"])
        .args(["--compress-pos=no", "--compress-strings=no"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(counted_program()?)
        .args(["bare", peer.name(), operation, &n.to_string()])
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
    fn finish(self, atomic: &HashSet<u64>) -> io::Result<Executed> {
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
        let profile = profile?;
        let program = counted_program()?;
        let executed = total(&profile).map(|instructions| Executed {
            instructions,
            read_modify_writes: executed(&profile, &program.to_string_lossy(), atomic),
        });
        executed.ok_or_else(|| io::Error::other("the profile has no totals line"))
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

/// How often those instructions of `program` ran. A line of cost is: address, line, count; the one
/// after a `calls=` line is what the callee cost, which is counted where the callee is.
fn executed(profile: &str, program: &str, addresses: &HashSet<u64>) -> u64 {
    let mut inside = false;
    let mut callee = false;
    let mut sum = 0;
    for line in profile.lines() {
        if let Some(object) = line.strip_prefix("ob=") {
            inside = object == program;
        } else if line.starts_with("calls=") {
            callee = true;
        } else if let Some(cost) = line.strip_prefix("0x") {
            if inside && !callee {
                sum += count(cost, addresses).unwrap_or(0);
            }
            callee = false;
        }
    }
    sum
}

/// The count of a line of cost, if it is of one of these addresses.
fn count(cost: &str, addresses: &HashSet<u64>) -> Option<u64> {
    let mut words = cost.split(' ');
    let address = u64::from_str_radix(words.next()?, 16).ok()?;
    let count = words.nth(1)?.parse().ok()?;
    addresses.contains(&address).then_some(count)
}

/// Where a disassembly has an instruction that reads, modifies and writes memory in one: `xchg` does
/// so without a prefix, unless both its operands are registers.
fn read_modify_writes(disassembly: &str) -> HashSet<u64> {
    let instructions = disassembly.lines().filter_map(|line| {
        let (address, instruction) = line.split_once(":\t")?;
        let instruction = instruction.trim_start();
        let exchanges = instruction.starts_with("xchg") && instruction.contains('(');
        let atomic = exchanges || instruction.starts_with("lock ");
        let address = u64::from_str_radix(address.trim(), 16).ok()?;
        atomic.then_some(address)
    });
    instructions.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn a_prefix_or_an_exchange_with_memory_is_a_read_modify_write() {
        let text = "0000000000051000 <main>:\n\
                    \x20  51000:\tlock cmpxchg %rcx,(%rdx)\n\
                    \x20  51004:\txchg   %al,0x8(%rdi)\n\
                    \x20  51008:\txchg   %ax,%ax\n\
                    \x20  5100a:\tmov    (%rax),%rbx\n";
        let found = super::read_modify_writes(text);
        assert_eq!(found, HashSet::from([0x51000, 0x51004]));
    }

    #[test]
    fn what_ran_is_counted_once_and_in_the_program_alone() {
        let profile = "ob=/bin/it\nfn=a\n0x10 7 3\n0x14 7 5\ncob=/lib/c\ncfn=b\ncalls=2 0x10 0\n\
                       0x10 8 900\n0x10 9 1\n\nob=/lib/c\nfn=b\n0x10 1 50\n\ntotals: 42\n";
        assert_eq!(
            super::executed(profile, "/bin/it", &HashSet::from([0x10])),
            4
        );
    }

    #[test]
    fn the_total_is_the_last_line_of_a_profile() {
        assert_eq!(
            super::total("events: Ir\nfn=(1)\n1 20\n\ntotals: 42\n"),
            Some(42)
        );
        assert_eq!(super::total("events: Ir\n"), None);
    }
}
