//! Runs tenter and its peers interleaved and prints medians, spread and paired ratios.

use std::io;
use std::process::ExitCode;

use tenter_benches::check::{self, Gate, targets};
use tenter_benches::peer::{PeerId, unknown};
use tenter_benches::row::{self, Row, Size};
use tenter_benches::server::{self, Service};
use tenter_benches::{go, interleave, machine, report};

const USAGE: &str = "\
usage: side-by-side [ROW..] [--rounds N] [--peers A,B] [--quick] [--markdown | --check | --counts | --bless | --list]

  ROW          only rows whose name contains this
  --rounds N   rounds a row, default 9 (5 with --check), at least 1
  --peers A,B  only these peers beside the judged one, default all
  --markdown   the table as README.md wants it
  --quick      a quarter of the operations in rows with two workers (with --check always)
  --check      all rows, then met or short for each target, then the gates: exit 1 if one fails
  --counts     the gates alone; with --peers, the counts of those peers beside them
  --bless      writes what the gates count now to counts.toml
  --list       the rows and what they ask";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // The child side: a server or a row in a process of its own.
    if let [word, what, peer, how] = arguments.as_slice() {
        match word.as_str() {
            "serve" => return ended(serve(what, peer, how)),
            "measure" => return ended(measure(what, peer, how)),
            _ => {}
        }
    }
    match Options::parse(&arguments) {
        Ok(options) => ended(run(&options)),
        Err(error) => {
            eprintln!("side-by-side: {error}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn ended(result: io::Result<bool>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("side-by-side: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(service: &str, peer: &str, kind: &str) -> io::Result<bool> {
    let service = Service::named(service)
        .ok_or_else(|| io::Error::other(format!("no service is called {service:?}")))?;
    let peer = peer.parse().map_err(io::Error::other)?;
    server::run(service, peer, kind == "workers")?;
    Ok(true)
}

fn measure(row: &str, peer: &str, size: &str) -> io::Result<bool> {
    let size =
        Size::named(size).ok_or_else(|| io::Error::other(format!("no size is called {size:?}")))?;
    row::measure(row, peer.parse().map_err(io::Error::other)?, size)?;
    Ok(true)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Table,
    Markdown,
    Check,
    Counts,
    Bless,
    List,
}

#[derive(Debug)]
struct Options {
    rows: Vec<&'static Row>,
    rounds: usize,
    /// The peers that were asked for; all of them where none was.
    beside: Option<Vec<PeerId>>,
    size: Size,
    task: Task,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut wanted = Vec::new();
        let mut rounds = None;
        let mut beside = None;
        let mut size = Size::Full;
        let mut task = Task::Table;
        let mut rest = arguments.iter().map(String::as_str).peekable();
        while let Some(argument) = rest.next() {
            match argument {
                "--markdown" => task = Task::Markdown,
                "--check" => task = Task::Check,
                "--counts" => task = Task::Counts,
                "--bless" => task = Task::Bless,
                "--list" => task = Task::List,
                "--quick" => size = Size::Quick,
                "--rounds" => {
                    let given = rest.next().and_then(|n| n.parse().ok()).filter(|&n| n > 0);
                    rounds = Some(given.ok_or("--rounds takes a number from 1 on")?);
                }
                "--peers" => {
                    let names = rest.next_if(|next| !next.starts_with('-'));
                    beside = Some(names.map_or(Ok(PeerId::ALL.to_vec()), peers_named)?);
                }
                unknown if unknown.starts_with('-') => return Err(format!("what is {unknown}?")),
                row => wanted.push(row),
            }
        }
        let chosen =
            |row: &&Row| wanted.is_empty() || wanted.iter().any(|part| row.name.contains(part));
        let rows: Vec<_> = row::all().filter(chosen).collect();
        if rows.is_empty() {
            return Err(format!("no row contains {wanted:?}; --list shows them"));
        }
        if let Some(peers) = &mut beside {
            peers.retain(|&peer| peer != PeerId::JUDGED);
        }
        let rounds = rounds.unwrap_or(if task == Task::Check { 5 } else { 9 });
        Ok(Self {
            rows,
            rounds,
            beside,
            size: if task == Task::Check {
                Size::Quick
            } else {
                size
            },
            task,
        })
    }
}

/// Those who answer to one of the names: a maker of primitives stands for both its hosts.
fn peers_named(names: &str) -> Result<Vec<PeerId>, String> {
    let mut named = Vec::new();
    for name in names.split(',') {
        let before = named.len();
        named.extend(PeerId::ALL.iter().filter(|peer| peer.answers_to(name)));
        if named.len() == before {
            return Err(unknown(name));
        }
    }
    Ok(named)
}

fn run(options: &Options) -> io::Result<bool> {
    match options.task {
        Task::List => {
            for row in &options.rows {
                println!("{:<28}{}", row.name, row.question);
            }
            Ok(true)
        }
        Task::Bless => check::bless().map(|()| true),
        Task::Counts => {
            let counted = |peer: &&PeerId| PeerId::ON_ONE_THREAD.contains(*peer);
            for &peer in options.beside.iter().flatten().filter(counted) {
                println!("\ncounts of {peer}:");
                for line in check::listing(peer) {
                    println!("  {}", line?);
                }
            }
            gates()
        }
        Task::Table | Task::Markdown => table(options),
        Task::Check => {
            let measured = table(options)?;
            Ok(gates()? && measured)
        }
    }
}

/// Measures and prints every row, then the targets in one list. False if a row could not be
/// measured, but for a tool that is missing outside CI.
fn table(options: &Options) -> io::Result<bool> {
    let markdown = options.task == Task::Markdown;
    println!("{}", check::environment());
    machine::raise_file_limit();
    machine::pin(machine::HARNESS);
    let mut peers = options
        .beside
        .clone()
        .unwrap_or_else(|| PeerId::ALL[1..].to_vec());
    peers.insert(0, PeerId::JUDGED);
    if let Some(why) = without_go(&mut peers, &options.rows) {
        println!("{why}");
    }
    println!(
        "{} rounds, peers interleaved; medians; paired ratio [interval]",
        options.rounds
    );
    peers.retain(|peer| options.rows.iter().any(|row| row.peers.contains(peer)));
    // A check asks those alone who matter to it, unless it was told whom to ask.
    let brief = options.task == Task::Check && options.beside.is_none();
    if markdown {
        println!("\n{}", report::markdown_head(&peers));
    }
    let targets = targets::load()?;
    let mut verdicts = Vec::new();
    let mut complete = true;
    for &row in &options.rows {
        let mut peers = peers.clone();
        if brief {
            peers.retain(|peer| row.brief.contains(peer));
        }
        if peers.is_empty() {
            continue;
        }
        match interleave::run(row, &peers, options.rounds, options.size) {
            Ok(outcome) => {
                let found = targets::judge(&targets, &outcome);
                let shown = if markdown {
                    report::markdown(&outcome, &peers, &found)
                } else {
                    report::block(&outcome, &found)
                };
                print!("{shown}");
                verdicts.extend(found);
            }
            Err(error) => {
                println!("\n{}: NOT MEASURED: {error}", row.name);
                complete &= error.kind() == io::ErrorKind::NotFound && !check::in_ci();
            }
        }
    }
    if !markdown {
        println!("\ntargets:");
        for verdict in &verdicts {
            println!("  {:<28}{verdict}", verdict.row);
        }
    }
    Ok(complete)
}

/// Builds Go's program if a row asks for it, or takes Go out of the peers and says why.
fn without_go(peers: &mut Vec<PeerId>, rows: &[&Row]) -> Option<String> {
    let asked = |row: &&Row| row.peers.contains(&PeerId::Go);
    if !peers.contains(&PeerId::Go) || !rows.iter().any(asked) {
        return None;
    }
    let error = go::build().err()?;
    peers.retain(|&peer| peer != PeerId::Go);
    Some(match error.kind() {
        io::ErrorKind::NotFound => "go is not installed: its figures are left out".into(),
        _ => format!("go is left out: {error}"),
    })
}

/// Counts what repeats exactly, and says whether all of it is as committed.
fn gates() -> io::Result<bool> {
    println!("\ncounts, each against counts.toml:");
    let mut passed = true;
    for gate in check::gates()? {
        println!("  {gate}");
        passed &= !matches!(gate, Gate::Failed { .. });
    }
    println!(
        "{}",
        if passed {
            "gates: passed"
        } else {
            "gates: FAILED"
        }
    );
    Ok(passed)
}
