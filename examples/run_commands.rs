//! Run: `cargo run --release --example run_commands -- --at-once 2 --limit 5 'make a' 'make b'`
//!
//! Runs the lines that it is given, each in a shell of its own, some at once, each with a time limit.
//! What they write comes out line by line under their number. Ctrl-c ends those that run, and starts
//! no more.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tenter::io::{AsyncRead, AsyncReadExt};
use tenter::process::{Command, ExitStatus, OnDrop, Stdio};
use tenter::signal::{SignalKind, signals};
use tenter::sync::Semaphore;
use tenter::time::timeout;

/// What runs if no line is given.
const DEFAULT: [&str; 3] = [
    "for i in 1 2 3; do echo line $i; sleep 0.1; done",
    "echo to the error output >&2; exit 3",
    "echo this takes too long; sleep 60",
];

const USAGE: &str = "usage: run_commands [--at-once N] [--limit SECONDS] [LINE]...";

/// A line that is longer is cut into pieces of this length.
const LINE_MAX: usize = 64 * 1024;

struct Plan {
    at_once: usize,
    limit: Duration,
    lines: Vec<OsString>,
}

#[tenter::main]
async fn main() -> ExitCode {
    let plan = match Plan::parse(std::env::args_os().skip(1)) {
        Ok(plan) => plan,
        Err(refusal) => {
            eprintln!("run_commands: {refusal}; {USAGE}");
            return ExitCode::from(2);
        }
    };
    let mut stop = match signals([SignalKind::interrupt(), SignalKind::terminate()]) {
        Ok(stop) => stop,
        Err(error) => {
            eprintln!("run_commands: cannot listen for ctrl-c: {error}");
            return ExitCode::from(2);
        }
    };
    let crew = Arc::new(Crew {
        stop: Semaphore::new(0),
        limit: plan.limit,
    });
    // One for each command that may run at a time. Closed: no more is started.
    let places = Arc::new(Semaphore::new(plan.at_once));
    // Nobody waits for this task: it ends with the runtime.
    drop(tenter::spawn({
        let (crew, places) = (Arc::clone(&crew), Arc::clone(&places));
        async move {
            if let Some(kind) = stop.recv().await {
                eprintln!(
                    "run_commands: {kind}: what runs is asked to end, and no more is started"
                );
                places.close();
                crew.stop.close();
            }
        }
    }));
    let mut tasks = Vec::new();
    for (index, line) in plan.lines.into_iter().enumerate() {
        let name = format!("[{}]", index + 1);
        // Here and not in the task, so that they start in their order.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            println!("{name} was not started");
            continue;
        };
        let crew = Arc::clone(&crew);
        tasks.push(tenter::spawn(async move {
            let ended = crew.run(&name, &line).await;
            println!("{name} {ended}");
            drop(place);
            matches!(ended, Ended::By(status) if status.success())
        }));
    }
    let mut good = !places.is_closed();
    for task in tasks {
        good &= task.await.unwrap_or(false);
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What the tasks share.
struct Crew {
    /// Without permits. Closed: what runs is to end.
    stop: Semaphore,
    limit: Duration,
}

/// How a command ended.
enum Ended {
    By(ExitStatus),
    TimeUp(Duration),
    Stopped,
    Failed(io::Error),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::By(status) => write!(f, "ended: {status}"),
            Ended::TimeUp(limit) => write!(f, "was ended after {limit:?}"),
            Ended::Stopped => f.write_str("was stopped"),
            Ended::Failed(error) => write!(f, "failed: {error}"),
        }
    }
}

impl Crew {
    async fn run(&self, name: &str, line: &OsStr) -> Ended {
        // A group of its own, so that all that the shell starts ends with it.
        let mut command = Command::shell(line);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
            .process_group(0)
            .on_drop(OnDrop::terminate().whole_group());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return Ended::Failed(error),
        };
        let output = tenter::spawn(print_lines(name.to_owned(), child.stdout.take()));
        let errors = tenter::spawn(print_lines(name.to_owned(), child.stderr.take()));
        let (mut output, mut errors) = (output.cancel_on_drop(), errors.cancel_on_drop());
        let mut written = pin!(async move {
            // A task that panicked has said so.
            let _ = ((&mut output).await, (&mut errors).await);
        });
        let work = async {
            written.as_mut().await;
            child.wait().await
        };
        let early = match unless(self.stop.acquire(), timeout(self.limit, work)).await {
            Some(Ok(Ok(status))) => return Ended::By(status),
            Some(Ok(Err(error))) => return Ended::Failed(error),
            Some(Err(_)) => Ended::TimeUp(self.limit),
            None => Ended::Stopped,
        };
        // Does, and waits for, what dropping it would do in the background.
        if let Err(error) = child.end().await {
            return Ended::Failed(error);
        }
        // What was written on the way out. Who has left the group may keep the pipes open for ever.
        let _ = timeout(Duration::from_secs(1), written).await;
        early
    }
}

/// The output of `work`, unless `stop` is ready before.
async fn unless<T>(stop: impl Future, work: impl Future<Output = T>) -> Option<T> {
    let (mut stop, mut work) = (pin!(stop), pin!(work));
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => stop.as_mut().poll(cx).map(|_| None),
    })
    .await
}

/// Prints what comes out of `pipe`, line by line, each under `name`.
async fn print_lines(name: String, pipe: Option<impl AsyncRead + Unpin>) {
    let Some(mut pipe) = pipe else { return };
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = match pipe.read(&mut buffer).await {
            Ok(count) => count,
            Err(error) => {
                eprintln!("run_commands: {name} cannot be read: {error}");
                0
            }
        };
        text.extend_from_slice(&buffer[..count]);
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            print_line(&name, &text[..end]);
            text.drain(..=end);
        }
        if count == 0 || text.len() > LINE_MAX {
            if !text.is_empty() {
                print_line(&name, &text);
            }
            text.clear();
        }
        if count == 0 {
            return;
        }
    }
}

fn print_line(name: &str, line: &[u8]) {
    println!("{name} {}", String::from_utf8_lossy(line));
}

impl Plan {
    fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Plan, String> {
        let mut plan = Plan {
            at_once: 2,
            limit: Duration::from_secs(10),
            lines: Vec::new(),
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut number = |what: &str| {
                let value = arguments.next().unwrap_or_default();
                let value = value.to_string_lossy();
                let refused = || format!("`{value}` is no number of {what} from 1 to 1000000");
                let number = value.parse().map_err(|_| refused())?;
                (1..=1_000_000)
                    .contains(&number)
                    .then_some(number)
                    .ok_or_else(refused)
            };
            match argument.to_str() {
                Some("--at-once") => plan.at_once = number("commands")?,
                Some("--limit") => plan.limit = Duration::from_secs(number("seconds")? as u64),
                Some(option) if option.starts_with("--") => {
                    return Err(format!("there is no option `{option}`"));
                }
                _ => plan.lines.push(argument),
            }
        }
        if plan.lines.is_empty() {
            plan.lines = DEFAULT.map(OsString::from).into();
        }
        Ok(plan)
    }
}
