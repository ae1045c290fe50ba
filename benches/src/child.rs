//! A benchmark in a process of its own, and the few words parent and child exchange.
//!
//! The child first prints one line (an address, or that it is ready). Then it answers every line
//! `cpu` on its standard input with the nanoseconds of processor time it used, or, if it measures a
//! row, every line `round` with the figures of one round; and it ends when its standard input ends:
//! so a child never outlives a parent that was killed. A child that answers nothing for a minute is
//! ended by its parent: a runtime that hangs costs one row and not the whole run.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::machine::{self, Seat};
use crate::measure::Sample;

/// The longest a parent waits for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Child side: prints the first line, and starts to listen to the parent.
pub fn announce(line: &str) -> io::Result<()> {
    thread::Builder::new().name("control".into()).spawn(|| {
        for question in io::stdin().lines().map_while(Result::ok) {
            if question == "cpu" {
                println!("{}", machine::process_cpu().as_nanos());
            }
        }
        process::exit(0);
    })?;
    say(line)
}

/// Child side of a row: answers each question with a round, until the parent goes.
pub fn answer(mut round: impl FnMut() -> Sample) -> io::Result<()> {
    say("ready")?;
    for question in io::stdin().lines() {
        if question? == "round" {
            let figures: Vec<String> = round().iter().map(f64::to_string).collect();
            say(&figures.join(" "))?;
        }
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Parent side: a running child.
#[derive(Debug)]
pub struct Child {
    process: process::Child,
    /// `None` once the child was told to end.
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    first_line: String,
}

impl Child {
    /// As [`Child::start`], with the processors of `seat`; the harness keeps its own.
    pub fn start_on(seat: Seat, command: Command) -> io::Result<Self> {
        machine::pin(seat);
        let child = Self::start(command);
        machine::pin(machine::HARNESS);
        child
    }

    /// Starts `command` and waits for its first line.
    pub fn start(mut command: Command) -> io::Result<Self> {
        let shown = format!("{command:?}");
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| {
                io::Error::new(error.kind(), format!("cannot start {shown}: {error}"))
            })?;
        let questions = process.stdin.take();
        let answers = process.stdout.take().expect("standard output is a pipe");
        let mut child = Self {
            process,
            questions,
            answers: BufReader::new(answers),
            first_line: String::new(),
        };
        child.first_line = child.answer()?;
        Ok(child)
    }

    /// What the child said first.
    pub fn first_line(&self) -> &str {
        &self.first_line
    }

    /// Processor time the child has used so far.
    pub fn cpu(&mut self) -> io::Result<Duration> {
        let answer = self.ask("cpu\n")?;
        answer
            .parse()
            .map(Duration::from_nanos)
            .map_err(io::Error::other)
    }

    /// The figures of one round.
    pub fn sample(&mut self) -> io::Result<Sample> {
        let answer = self.ask("round\n")?;
        let figures = answer.split_whitespace().map(str::parse);
        figures
            .collect::<Result<_, _>>()
            .map_err(|error| io::Error::other(format!("{answer:?} is no sample: {error}")))
    }

    /// Tells the child to end and waits until it has.
    pub fn finish(mut self) -> io::Result<()> {
        self.questions = None;
        let status = self.process.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("child: {status}")))
        }
    }

    fn ask(&mut self, question: &str) -> io::Result<String> {
        let questions = self.questions.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        questions.write_all(question.as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> io::Result<String> {
        // An answer is one line and the question before it is answered, so nothing is buffered.
        let mut pipe = [PollFd::new(self.answers.get_ref(), PollFlags::IN)];
        let patience = Timespec::try_from(PATIENCE).map_err(io::Error::other)?;
        if poll(&mut pipe, Some(&patience))? == 0 {
            self.process.kill()?;
            let message = format!("the child did not answer for {PATIENCE:?}");
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(io::Error::other("the child ended without an answer"));
        }
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.questions = None;
        // It ends by itself when its standard input does; the wait leaves no zombie behind.
        let _ = self.process.wait();
    }
}
