//! The process that counts: it has the counting allocator, and little else happens in it.
//!
//! `counted parked PEER N` prints the resident and the usable bytes of one of N parked tasks.
//! `counted run PEER OPERATION N` warms up, does the operation N times, and prints how many
//! allocations that took; `counted bare PEER OPERATION N` does the same and counts none, for callgrind.
//! `counted wakes PEER N` wakes a parked task N times from another thread, for strace.
//! `counted waiting KIND PEER` prints the bytes of a primitive and of one that waits for it. The harness
//! takes the difference of two N, so that start and warm-up cancel.

use std::process::ExitCode;

use tenter_benches::check::counts::Operation;
use tenter_benches::measure::in_a_task;
use tenter_benches::peer::{Peer, PeerId};
use tenter_benches::{allocator, machine, operation, primitive, with_peer, with_workers};

const USAGE: &str = "usage: counted parked|wakes PEER N | counted run|bare PEER OPERATION N \
                     | counted waiting KIND PEER";

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match count(&arguments) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("counted: {error}");
            ExitCode::FAILURE
        }
    }
}

fn count(arguments: &[&str]) -> Result<String, String> {
    match *arguments {
        ["parked", peer, n] => {
            allocator::start();
            with_peer!(peer.parse::<PeerId>()?, P => parked::<P>(number(n)?))
        }
        ["run", peer, operation, n] => {
            allocator::start();
            run(peer, operation, n)
        }
        ["bare", peer, operation, n] => run(peer, operation, n),
        ["wakes", peer, n] => {
            let n = number(n)?;
            with_workers!(peer.parse::<PeerId>()?, P => {
                in_a_task::<P, _>(operation::workers::wakes_from_a_thread::<P>(n));
            });
            Ok(n.to_string())
        }
        ["waiting", kind, peer] => {
            allocator::start();
            let bytes = primitive::bytes::of(kind, peer.parse()?)?;
            Ok(bytes.map(|figure| figure.to_string()).join(" "))
        }
        _ => Err(USAGE.into()),
    }
}

fn number(n: &str) -> Result<u64, String> {
    n.parse().map_err(|_| format!("{n:?} is no number"))
}

fn run(peer: &str, operation: &str, n: &str) -> Result<String, String> {
    let operation = Operation::named(operation)
        .ok_or_else(|| format!("no operation is called {operation:?}"))?;
    Ok(operation.allocations(peer.parse()?, number(n)?).to_string())
}

fn parked<P: Peer>(n: u64) -> Result<String, String> {
    let resident = || machine::resident_bytes().map_err(|error| error.to_string());
    in_a_task::<P, _>(async move {
        // A first task of each kind makes whatever a runtime makes only once.
        operation::park::<P>(1).await;
        let before = (resident()?, allocator::live_bytes());
        operation::park::<P>(n).await;
        let after = (resident()?, allocator::live_bytes());
        let each = |before: u64, after: u64| (after - before) as f64 / n as f64;
        Ok(format!(
            "{:.1} {:.1}",
            each(before.0, after.0),
            each(before.1, after.1)
        ))
    })
}
