//! The blocking pool: jobs that run, fail and are cancelled; how many threads there are; how it ends.

mod end;
mod jobs;
mod limiter;
mod limits;
mod support;
