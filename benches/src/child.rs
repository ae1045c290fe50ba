//! A benchmark in a process of its own, and the few words parent and child exchange.
//!
//! The child first prints one line (an address, or that it is ready). Then it answers every line
//! `cpu` on its standard input with the nanoseconds of processor time it used, and ends when its
//! standard input ends: so a child never outlives a parent that was killed.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::machine;

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
        let questions = self.questions.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        questions.write_all(b"cpu\n")?;
        let answer = self.answer()?;
        answer
            .parse()
            .map(Duration::from_nanos)
            .map_err(io::Error::other)
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

    fn answer(&mut self) -> io::Result<String> {
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
