//! `tenter ps PID` and `tenter pstree PID`: looks into a running program of tenter.
//!
//! What it does is in `runtime/src/inspect/client.rs`, beside the other end of the socket.

use std::process::ExitCode;

fn main() -> ExitCode {
    tenter::__private::inspect()
}
