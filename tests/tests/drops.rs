//! Every waiting function, dropped after each of its polls: nothing is left behind, what was promised not to be
//! lost is there, and what is left can be used.
//!
//! `drops/harness.rs` says how. `drops/listed.rs` reads the list of all waiting functions from the sources;
//! one that has no case here fails `a23_every_waiting_function_has_a_case`.

#[path = "drops/bells.rs"]
mod bells;
#[path = "drops/combinators.rs"]
mod combinators;
#[path = "drops/datagrams.rs"]
mod datagrams;
#[path = "drops/files.rs"]
mod files;
#[path = "drops/harness.rs"]
mod harness;
#[path = "drops/listed.rs"]
mod listed;
#[path = "drops/processes.rs"]
mod processes;
#[path = "drops/reads.rs"]
mod reads;
#[path = "drops/streams.rs"]
mod streams;
#[path = "drops/tasks.rs"]
mod tasks;
#[path = "drops/writes.rs"]
mod writes;

use std::collections::BTreeSet;

use harness::{ONE_THREAD, Place, run};

/// Those that need nothing but a driver.
const EVERYWHERE: &[Place] = &[
    Place::CurrentThread,
    Place::Deterministic,
    Place::Workers,
    Place::Foreign,
];

/// Those that spawn tasks.
const IN_RUNTIMES: &[Place] = &[Place::CurrentThread, Place::Deterministic, Place::Workers];

/// Those that have no case, and why.
const WITHOUT: &[(&str, &str)] = &[
    ("spawn_local", "a handle as that of `spawn`"),
    (
        "task::builder::Builder::spawn_local",
        "a handle as that of `spawn`",
    ),
    ("runtime::Runtime::spawn", "a handle as that of `spawn`"),
    (
        "runtime::Runtime::spawn_blocking",
        "a handle as that of `spawn_blocking`",
    ),
    (
        "handle::Handle::spawn_blocking",
        "a handle as that of `spawn_blocking`",
    ),
    ("guest::Guest::spawn_local", "a handle as that of `spawn`"),
    (
        "scope::clean_up::stack::AsyncStack::close",
        "tests/tests/streams/stacks.rs",
    ),
    (
        "scope::clean_up::stack::AsyncStack::with",
        "tests/tests/streams/stacks.rs",
    ),
    (
        "stream::ext::StreamExt::timeout",
        "a stream: tests/tests/streams/drops.rs",
    ),
    (
        "stream::stream_fn::StreamFn::close",
        "tests/tests/streams/drops.rs",
    ),
    (
        "stream::stream_fn::TryStreamFn::close",
        "tests/tests/streams/drops.rs",
    ),
    (
        "stream::yielder::Yielder::send",
        "within its generator alone: tests/tests/streams/drops.rs",
    ),
    ("serve::listener::Listener::next", "hidden: it is `accept`"),
    (
        "serve::server::start",
        "not public: `Server::new` and `serve`",
    ),
    ("serve::shared::until", "not public"),
    (
        "timeout::timeout",
        "of tenter-timer alone: timer/tests/timeout.rs",
    ),
    (
        "timeout::timeout_at",
        "of tenter-timer alone: timer/tests/timeout.rs",
    ),
];

#[test]
fn every_waiting_function_has_a_case() {
    let groups = [
        reads::cases,
        writes::cases,
        streams::cases,
        datagrams::cases,
        files::cases,
        combinators::cases,
        tasks::cases,
        tasks::timed,
        processes::children,
        processes::signalling,
        processes::serving,
    ];
    let covered = groups.iter().flat_map(|cases| cases());
    let covered = covered.flat_map(|case| case.covers.split_whitespace());
    let covered = covered.chain(WITHOUT.iter().map(|(name, _)| *name));
    let covered: BTreeSet<String> = covered.map(str::to_owned).collect();
    let listed = listed::listed();
    let without: Vec<_> = listed.difference(&covered).collect();
    let unknown: Vec<_> = covered.difference(&listed).collect();
    assert!(
        without.is_empty(),
        "these have no case in tests/tests/drops: {without:#?}"
    );
    assert!(
        unknown.is_empty(),
        "these are no waiting functions any more: {unknown:#?}"
    );
}

#[test]
fn reads() {
    run(reads::cases, EVERYWHERE);
}

#[test]
fn writes() {
    run(writes::cases, EVERYWHERE);
}

#[test]
fn connections() {
    run(streams::cases, EVERYWHERE);
}

#[test]
fn datagrams() {
    run(datagrams::cases, EVERYWHERE);
}

#[test]
fn files() {
    run(files::cases, EVERYWHERE);
}

#[test]
fn combinators() {
    run(combinators::cases, EVERYWHERE);
}

#[test]
fn tasks() {
    run(tasks::cases, IN_RUNTIMES);
}

#[test]
fn timed() {
    run(tasks::timed, &ONE_THREAD[1..]);
}

#[test]
fn children() {
    run(processes::children, EVERYWHERE);
}

#[test]
fn signals() {
    run(processes::signalling, IN_RUNTIMES);
}

#[test]
fn servers() {
    run(processes::serving, IN_RUNTIMES);
}
