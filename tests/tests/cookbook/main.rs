//! The cookbook: every program of `examples/cookbook` prints what it should, in order, when it should.
//!
//! On the deterministic flavour times are exact. The multi-threaded one has the real clock: there all
//! programs run at the same time, none is early, and the order is as exact as the program itself makes it.

mod expected;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use expected::{Case, Order, cases};
use tenter::{Builder, Runtime};
use tenter_examples::cookbook::stage::{Line, Pace, Record};
use tenter_examples::cookbook::{PROGRAMS, Program};

/// A real clock may show a line this much late, and not so much that a second more would look the same.
const LATE: Duration = Duration::from_millis(900);

/// Goal: P01 to P28 and F01 to F16 print what the table says, on both flavours; the whole set takes less
/// than two seconds on the deterministic one.
/// Method: one after the other on virtual clocks, then all at a time on real ones. In this order, and in
/// one test, as some of them share statics with themselves.
#[test]
fn p01_to_p28_and_f01_to_f16_print_what_they_should() {
    let cases = cases();
    let began = Instant::now();
    let mut wrong = Vec::new();
    for case in &cases {
        let ran = Ran::virtually(program(case.id));
        note(&mut wrong, case, "deterministic", ran.exactly(case));
    }
    let took = began.elapsed();
    println!("deterministic: {} programs in {took:?}", cases.len());

    thread::scope(|scope| {
        let running: Vec<_> = cases
            .iter()
            .map(|case| (case, scope.spawn(|| on_many_workers(case))))
            .collect();
        for (case, run) in running {
            note(&mut wrong, case, "multi_thread", run.join().unwrap());
        }
    });
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(took < Duration::from_secs(2), "{took:?}");
}

fn note(wrong: &mut Vec<String>, case: &Case, flavor: &str, outcome: Result<(), String>) {
    let said = match &outcome {
        Ok(()) => "as it should be",
        Err(reason) => reason,
    };
    let line = format!("{} on {flavor}: {said}", case.id);
    println!("{line}");
    if outcome.is_err() {
        wrong.push(line);
    }
}

fn program(id: &str) -> &'static Program {
    Program::find(id).unwrap_or_else(|| panic!("there is no program {id}"))
}

/// A machine that stands still for a while makes programs late, so they get three attempts to be in time.
fn on_many_workers(case: &Case) -> Result<(), String> {
    let mut outcome = Ok(());
    for _ in 0..3 {
        let ran = Ran::really(program(case.id));
        ran.loosely(case)?;
        outcome = ran.in_time(case);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// How a program ran.
struct Ran {
    ended: Result<(), String>,
    lines: Vec<Line>,
    took: Duration,
    unobserved: usize,
}

impl Ran {
    fn virtually(program: &Program) -> Ran {
        Ran::on(Builder::deterministic(7), Pace::Virtual, program)
    }

    fn really(program: &Program) -> Ran {
        // It blocks its thread for fifteen seconds, to be compared with three. Ten times as fast will do.
        let times = if program.id() == "p11" { 10 } else { 1 };
        let runtime = Builder::multi_thread().workers(2);
        Ran::on(runtime, Pace::Real { times }, program)
    }

    fn on(builder: Builder, pace: Pace, program: &Program) -> Ran {
        let unobserved = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&unobserved);
        let builder = builder.on_unobserved(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        let runtime: Runtime = builder.build().unwrap();
        let (ended, lines, took) = runtime.block_on(Record::of(pace, program.run()));
        // Everything that the program has left behind ends here, without a word.
        drop(runtime);
        let lines = lines.into_iter().map(|(at, line)| (at, anywhere(&line)));
        Ran {
            ended,
            lines: lines.collect(),
            took,
            unobserved: unobserved.load(Ordering::SeqCst),
        }
    }

    fn ended_well(&self) -> Result<(), String> {
        self.ended.clone()?;
        match self.unobserved {
            0 => Ok(()),
            count => Err(format!("{count} failures that nobody observes")),
        }
    }

    /// On a virtual clock: every line at its time.
    fn exactly(&self, case: &Case) -> Result<(), String> {
        self.ended_well()?;
        let within = if case.order == Order::Exact || case.order == Order::Fifo {
            compared(&self.lines, &case.lines)
        } else {
            grouped(&self.lines, &case.lines)
        };
        within?;
        let times = self.lines.iter().map(|(at, _)| *at);
        if !times.eq(case.lines.iter().map(|(at, _)| *at)) {
            return Err(format!("wrong times: {:?}", self.lines));
        }
        if self.took != case.took {
            return Err(format!("took {:?} and not {:?}", self.took, case.took));
        }
        Ok(())
    }

    /// On many workers: every line, in an order that the program allows, and none too early.
    fn loosely(&self, case: &Case) -> Result<(), String> {
        self.ended_well()?;
        match case.order {
            Order::Exact => compared(&self.lines, &case.lines)?,
            Order::Fifo | Order::Grouped => grouped(&self.lines, &case.lines)?,
            Order::Racy => return same(&self.lines, &case.lines),
        }
        let early = |(line, expected): (&Line, &Line)| line.0 < expected.0;
        if self.lines.iter().zip(&case.lines).any(early) || self.took < case.took {
            return Err(format!("too early: {:?}, {:?}", self.lines, self.took));
        }
        Ok(())
    }

    fn in_time(&self, case: &Case) -> Result<(), String> {
        let late = |(line, expected): (&Line, &Line)| line.0 > expected.0 + LATE;
        if self.took > case.took + LATE || self.lines.iter().zip(&case.lines).any(late) {
            return Err(format!("too late: {:?}, {:?}", self.lines, self.took));
        }
        Ok(())
    }
}

/// The line, whatever port the site had.
fn anywhere(line: &str) -> String {
    const HOST: &str = "http://127.0.0.1:";
    match line.split_once(HOST) {
        None => line.to_owned(),
        Some((before, after)) => {
            let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{before}{{site}}{after}")
        }
    }
}

fn texts(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|(_, line)| line.as_str()).collect()
}

fn compared(lines: &[Line], expected: &[Line]) -> Result<(), String> {
    let (lines, expected) = (texts(lines), texts(expected));
    if lines == expected {
        return Ok(());
    }
    Err(format!("printed {lines:#?}\n    and not {expected:#?}"))
}

/// The same lines, in any order.
fn same(lines: &[Line], expected: &[Line]) -> Result<(), String> {
    let sorted = |lines: &[Line]| {
        let mut lines = lines.to_vec();
        lines.sort_by(|a, b| a.1.cmp(&b.1));
        lines
    };
    compared(&sorted(lines), &sorted(expected))
}

/// The same lines, where those of one moment may come in any order.
fn grouped(lines: &[Line], expected: &[Line]) -> Result<(), String> {
    if lines.len() != expected.len() {
        return compared(lines, expected);
    }
    let mut at = 0;
    for group in expected.chunk_by(|a, b| a.0 == b.0) {
        same(&lines[at..][..group.len()], group)?;
        at += group.len();
    }
    Ok(())
}

/// Goal: where nobody listens, P12 says so for each page, and ends well; the text is not empty.
#[test]
fn p12_an_error_is_one_lines_own() {
    let runtime = Builder::deterministic(7).build().unwrap();
    // Nobody else gets the port while this lives, and nobody listens.
    let holder = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let site = format!("http://{}", holder.local_addr().unwrap());
    let program = program("p12").run_with_site(&site);
    let (ended, lines, _) = runtime.block_on(Record::of(Pace::Virtual, program));
    assert_eq!(ended, Ok(()));
    assert_eq!(lines.len(), 5);
    for (_, line) in &lines {
        let reason = line.strip_prefix(&format!("Error fetching {site}/"));
        let reason = reason.unwrap_or_else(|| panic!("{line}"));
        assert!(
            reason.contains("onnect") && reason.ends_with(" ❌"),
            "{line}"
        );
    }
}

/// Goal: the contrast that the tutorial is about: fifteen seconds with a waiter who stands still, three
/// with one who does not, and the same lines.
#[test]
fn p11_takes_five_times_as_long_as_p10() {
    let (still, moving) = (
        Ran::virtually(program("p11")),
        Ran::virtually(program("p10")),
    );
    assert_eq!(still.took, moving.took * 5);
    assert_eq!(same(&still.lines, &moving.lines), Ok(()));
}

/// Goal: P11 holds up everybody on its thread for all of its fifteen seconds.
/// Method: a task that counts the seconds next to it. It has no turn.
#[test]
fn p11_holds_up_every_task() {
    let runtime = Builder::deterministic(7).build().unwrap();
    let counted = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&counted);
    let _clock = runtime.spawn(async move {
        loop {
            tenter::time::sleep(Duration::from_secs(1)).await;
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    let program = async {
        // So that it counts already.
        tenter::task::yield_now().await;
        program("p11").run().await
    };
    let (_, _, took) = runtime.block_on(Record::of(Pace::Virtual, program));
    assert_eq!(took, Duration::from_secs(15));
    assert_eq!(counted.load(Ordering::SeqCst), 0);
}

/// Goal: F16: every program is explained where it stands, and none is missing from the list.
/// Method: the files of the folder. Each says how it is run and what it prints, and each function has at
/// least one comment.
#[test]
fn f16_every_program_is_explained() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/cookbook");
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        files.insert(name.strip_suffix(".rs").unwrap().to_owned());
    }
    for own in ["main", "mod", "site", "stage"] {
        assert!(files.remove(own), "{own}");
    }
    let listed: BTreeSet<_> = PROGRAMS
        .iter()
        .map(|program| program.file.to_owned())
        .collect();
    assert_eq!(listed, files);
    assert_eq!(PROGRAMS.len(), 28 + 16);
    for program in PROGRAMS {
        let text = fs::read_to_string(folder.join(format!("{}.rs", program.file))).unwrap();
        let run = format!(
            "//! Run: `cargo run --release --example cookbook -- {}`",
            program.id()
        );
        assert_eq!(text.lines().next(), Some(&*run));
        let about = text
            .lines()
            .skip(2)
            .take_while(|line| line.starts_with("//!"));
        assert!(
            about.count() >= 3,
            "{}: what it shows and what it prints",
            program.id()
        );
        let comments = text.lines().filter(|line| line.contains("// ")).count();
        assert!(comments >= 1, "{} is not explained", program.id());
    }
}
