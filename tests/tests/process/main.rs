//! `tenter::process` with real processes: `sh`, `cat`, `tee`, `true`, `sleep`.
//!
//! What counts the descriptors or the children of this process runs in a process of its own.

mod support;

mod cancel;
mod communicate;
mod drops;
mod errors;
mod host;
mod pipes;
mod scopes;
mod waits;
