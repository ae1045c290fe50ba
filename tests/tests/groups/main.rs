//! Task groups: the cases TG of asyncio's suite and NS of trio's, and what goes wrong around them.

mod abandoned;
mod allocations;
mod cancelled;
mod cases;
mod drops;
mod flavours;
mod limit;
mod names;
mod panics;
mod start;
mod support;
