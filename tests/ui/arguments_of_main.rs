//! Wrong arguments of `#[tenter::main]`, all reported at once.

#[tenter::main(worker_threads = 4)] //~ ERROR unknown argument `worker_threads` of `#[tenter::main]`: write `workers`
async fn tokio_name() {}

#[tenter::main(wrokers = 4)] //~ ERROR unknown argument `wrokers` of `#[tenter::main]`: expected one of: `flavor`, `workers`, `name`, `ctrl_c`, `crate`
async fn misspelt() {}

#[tenter::main(workers = 0)] //~ ERROR `workers` may not be 0, nobody would run the tasks: write 1, or remove it
async fn no_workers() {}

#[tenter::main(flavor = "current_thread", workers = 4)] //~ ERROR has exactly one worker: write 1, or flavor = "multi_thread"
async fn too_many_workers() {}

#[tenter::main(workers = "4")] //~ ERROR `workers` takes an integer from 0 to 2^64 - 1: workers = 2
async fn wrong_literal() {}

#[tenter::main(flavor = "fast")] //~ ERROR no flavor `fast`: write "multi_thread" or "current_thread"
async fn no_such_flavor() {}

#[tenter::main(flavor = "deterministic")] //~ ERROR is for `#[tenter::test]`
async fn flavor_of_a_test() {}

#[tenter::main(flavor = current_thread)] //~ ERROR `flavor` takes a string: flavor = "current_thread"
async fn no_quotes() {}

#[tenter::main(
    name = "a",
    name = "b", //~ ERROR `name` is given twice: remove one of them
)]
async fn twice() {}

#[tenter::main(
    seed = 7, //~ ERROR only `#[tenter::test]` has a deterministic scheduler
    name = "", //~ ERROR `name` may not be empty: write one, or remove it
    crate = "tenter", //~ ERROR `crate` takes a path: crate = my_crate::tenter
    workers, //~ ERROR `workers` needs a value: workers = 2
)]
async fn several() {}

#[tenter::main("current_thread")] //~ ERROR expected `name = value` instead of `"current_thread"`
async fn nameless() {}

#[tenter::main(ctrl_c = "no")] //~ ERROR `ctrl_c` takes `true` or `false`: ctrl_c = false
async fn no_truth() {}

fn main() {}
