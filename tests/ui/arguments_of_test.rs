//! Wrong arguments of `#[tenter::test]`.

#[tenter::test(start_paused = true)] //~ ERROR remove it: the clock of flavor "deterministic" is virtual from the start
async fn tokio_name() {}

#[tenter::test(schedules = 0)] //~ ERROR `schedules` may not be 0
async fn no_schedule() {}

#[tenter::test(schedules = 9, flavor = "multi_thread")] //~ ERROR remove `schedules`
async fn schedules_of_many_threads() {}

#[tenter::test(workers = 2)] //~ ERROR the default of a test, has exactly one worker: write 1, or flavor = "multi_thread"
async fn workers() {}

#[tenter::test(seed = -1)] //~ ERROR `seed` takes an integer from 0 to 2^64 - 1: seed = 7
async fn negative() {}

#[tenter::test(seed = 7, flavor = "current_thread")] //~ ERROR makes no choice that a seed could decide
async fn seed_of_nothing() {}

#[tenter::test(flavor = "multi_thread", seed = 7)] //~ ERROR which no seed decides
async fn seed_of_many_threads() {}

#[tenter::test(flavor = "fast")] //~ ERROR no flavor `fast`: write "deterministic", "multi_thread" or "current_thread"
async fn no_such_flavor() {}

#[tenter::test(timeout = 5)] //~ ERROR `timeout` takes a string: timeout = "5s"
async fn no_unit() {}

#[tenter::test(timeout = "5 minutes")] //~ ERROR write a whole number and `ms`, `s` or `m`
async fn long_unit() {}

#[tenter::test(timeout = "0s")] //~ ERROR a timeout of zero would fail every test
async fn no_time() {}

fn main() {}
