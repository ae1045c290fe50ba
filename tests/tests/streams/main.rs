//! Streams: generators, what a clock adds to a stream, merged streams; and what stands for `async with`.
//! Rows A100, A101, A102 and X21.

mod allocations;
mod drops;
mod generators;
mod merged;
mod model;
mod scopes;
mod sends;
mod stacks;
mod support;
mod timed;
mod withs;
