//! The process that counts: it has the counting allocator, and little else happens in it.
//!
//! `counted parked PEER N` prints the resident and the usable bytes of one of N parked tasks.
//! `counted run PEER OPERATION N` warms up, does the operation N times, and prints how many
//! allocations that took; the harness takes the difference of two N, here and under callgrind, so
//! that start and warm-up cancel.

use std::process::ExitCode;

use tenter_benches::check::counts::Operation;
use tenter_benches::measure::in_a_task;
use tenter_benches::peer::{Peer, PeerId};
use tenter_benches::{allocator, machine, operation, with_peer};

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
            let n = n
                .parse()
                .map_err(|_| format!("{n:?} is no number of tasks"))?;
            with_peer!(peer.parse::<PeerId>()?, P => parked::<P>(n))
        }
        ["run", peer, operation, n] => {
            let operation = Operation::named(operation)
                .ok_or_else(|| format!("no operation is called {operation:?}"))?;
            let n = n
                .parse()
                .map_err(|_| format!("{n:?} is no number of operations"))?;
            Ok(operation.allocations(peer.parse()?, n).to_string())
        }
        _ => Err("usage: counted parked PEER N | counted run PEER OPERATION N".into()),
    }
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
