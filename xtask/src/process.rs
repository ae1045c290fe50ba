//! Running other programs: echoed, timed, and bounded where they might hang.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;

/// The cargo that runs this program, so that a step never switches the toolchain by accident.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Where builds of a kind of their own go, so that they do not evict the ordinary ones.
pub fn target_dir(kind: &str) -> PathBuf {
    let base = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    base.join(kind)
}

/// The command as a person would type it.
fn shown(command: &Command) -> String {
    let mut text = String::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            text += &format!("{}={:?} ", name.to_string_lossy(), value);
        }
    }
    let program = PathBuf::from(command.get_program());
    text += &program.file_name().unwrap_or_default().to_string_lossy();
    for argument in command.get_args() {
        text += " ";
        text += &argument.to_string_lossy();
    }
    text
}

/// Runs a command with our own output streams.
pub fn run(command: &mut Command) -> Outcome {
    println!("\n$ {}", shown(command));
    let status = command
        .status()
        .map_err(|error| format!("cannot start `{}`: {error}", shown(command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{}` ended with {status}", shown(command)))
    }
}

/// Runs a command and returns what it printed; its complaints go to our standard error.
pub fn capture(command: &mut Command) -> Result<String, String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start `{}`: {error}", shown(command)))?;
    if !output.status.success() {
        return Err(format!("`{}` ended with {}", shown(command), output.status));
    }
    String::from_utf8(output.stdout)
        .map_err(|_| format!("`{}` printed something that is not UTF-8", shown(command)))
}

/// Whether a program can be started at all.
pub fn exists(program: &str) -> bool {
    let probe = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    probe.is_ok()
}

/// How a bounded run ended.
#[derive(Debug)]
pub struct Finished {
    /// `None`: it ran past the limit and was killed.
    pub status: Option<ExitStatus>,
    /// Standard output, then standard error.
    pub output: String,
    pub took: Duration,
}

impl Finished {
    pub fn success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// The exit in words.
    pub fn how(&self) -> String {
        match self.status {
            None => format!("time-out after {:.0} s", self.took.as_secs_f64()),
            Some(status) => status.to_string(),
        }
    }
}

/// Runs a command silently and ends it at the limit.
pub fn run_limited(command: &mut Command, limit: Duration) -> Result<Finished, String> {
    let begin = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start `{}`: {error}", shown(command)))?;
    let seen = Arc::new(Seen::default());
    let stdout = collect(child.stdout.take(), &seen);
    let stderr = collect(child.stderr.take(), &seen);
    let status = wait_limited(&mut child, begin, limit, &seen)?;
    let took = begin.elapsed();
    let mut output = stdout.join().unwrap_or_default();
    output += &stderr.join().unwrap_or_default();
    Ok(Finished {
        status,
        output,
        took,
    })
}

/// The most that is kept of what a command writes. A program that goes on writing after that has lost its
/// way: it is killed, and what it wrote so far decides.
const OUTPUT_MAX: usize = 4 << 20;

/// What the model checker prints when it has found a deadlock. The process may not come out of it, for the
/// drop of a whole runtime waits for threads of the model that are stuck: it is given [`GRACE`].
const FOUND: &[u8] = b"deadlock; threads";
const GRACE: Duration = Duration::from_secs(1);

/// What the collectors of a command's output have seen.
#[derive(Debug, Default)]
struct Seen {
    too_much: AtomicBool,
    found: AtomicBool,
}

fn collect(
    pipe: Option<impl Read + Send + 'static>,
    seen: &Arc<Seen>,
) -> thread::JoinHandle<String> {
    let seen = Arc::clone(seen);
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut chunk = vec![0; 1 << 16];
        let Some(mut pipe) = pipe else {
            return String::new();
        };
        // A broken pipe only shortens the text; the exit status decides.
        while let Ok(count @ 1..) = pipe.read(&mut chunk) {
            let looked = bytes.len().saturating_sub(FOUND.len());
            bytes.extend_from_slice(&chunk[..count]);
            if bytes[looked..].windows(FOUND.len()).any(|at| at == FOUND) {
                seen.found.store(true, Ordering::Relaxed);
            }
            if bytes.len() > OUTPUT_MAX {
                seen.too_much.store(true, Ordering::Relaxed);
                break;
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn wait_limited(
    child: &mut Child,
    begin: Instant,
    limit: Duration,
    seen: &Seen,
) -> Result<Option<ExitStatus>, String> {
    let mut end = begin + limit;
    let mut found = false;
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(Some(status));
        }
        if !found && seen.found.load(Ordering::Relaxed) {
            found = true;
            end = end.min(Instant::now() + GRACE);
        }
        if Instant::now() > end || seen.too_much.load(Ordering::Relaxed) {
            child.kill().map_err(|error| error.to_string())?;
            child.wait().map_err(|error| error.to_string())?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Applies `work` to every item on as many threads as there are cores; results keep the order.
pub fn in_parallel<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let queue = Mutex::new(items.into_iter().enumerate());
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let next = queue
                        .lock()
                        .expect("no worker panics under the lock")
                        .next();
                    let Some((index, item)) = next else { return };
                    let result = work(item);
                    done.lock()
                        .expect("no worker panics under the lock")
                        .push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no worker panics under the lock");
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The named steps of a command: all run, each is timed, a summary closes.
#[derive(Debug, Default)]
pub struct Steps(Vec<(String, f64, Outcome)>);

impl Steps {
    pub fn step(&mut self, name: &str, body: impl FnOnce() -> Outcome) {
        println!("\n── {name}");
        let begin = Instant::now();
        let outcome = body();
        if let Err(message) = &outcome {
            println!("{name}: {message}");
        }
        self.0
            .push((name.to_owned(), begin.elapsed().as_secs_f64(), outcome));
    }

    pub fn summary(self) -> Outcome {
        println!();
        let mut failed = Vec::new();
        for (name, seconds, outcome) in self.0 {
            let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
            println!("  {verdict:<7}{seconds:>7.1} s  {name}");
            if outcome.is_err() {
                failed.push(name);
            }
        }
        if failed.is_empty() {
            Ok(())
        } else {
            Err(failed.join(", "))
        }
    }
}
