//! Streams against programs that others wrote: asyncio of Python, `socat`, `curl`, `wrk`, `iperf3`.
//!
//! Every byte comes back as it was, also of large transfers, and half-closed connections are seen as
//! such on both sides. A program that is not installed is named on standard output, and skipped.

mod http;
mod python;
mod socat;
mod support;
mod through;
