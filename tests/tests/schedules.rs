//! Random orders of ready tasks: found by a seed, and found again by it.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tenter::__private::{TestConfig, choose, run_schedules};
use tenter::sync::{Lock, Notify, Semaphore};
use tenter::task::yield_now;
use tenter::time::{now, sleep, timeout};
use tenter::{Builder, spawn};
use tenter_tests::support::{Count, Log, assert_says, build, ends, panic_of};

/// Makes [`the_canary`] and [`the_rare_canary`] fail, as they should.
const PLANT: &str = "TENTER_TEST_CANARY";

/// A writer and a reader that take for granted that the first to be spawned is the first to run.
async fn takes_the_order_for_granted() {
    println!("a run");
    let value = Arc::new(AtomicUsize::new(0));
    let writer = spawn({
        let value = Arc::clone(&value);
        async move { value.store(7, Ordering::Relaxed) }
    });
    let reader = spawn(async move { value.load(Ordering::Relaxed) });
    assert_eq!(reader.await.expect("no panic"), 7, "nothing to read");
    writer.await.expect("no panic");
}

/// Five tasks, of which only one order in 120 is wrong.
async fn takes_a_rare_order_for_granted() -> Result<(), String> {
    println!("a run");
    let log = Log::new();
    let tasks: Vec<_> = (0..5)
        .map(|number| {
            let log = log.clone();
            spawn(async move { log.add(number) })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    match log.take()[..] {
        [4, 3, 2, 1, 0] => Err("backwards".to_owned()),
        _ => Ok(()),
    }
}

#[tenter::test(seed = 1, schedules = 1000, timeout = "5s")]
async fn the_canary() {
    if std::env::var_os(PLANT).is_some() {
        takes_the_order_for_granted().await;
    }
}

#[tenter::test(schedules = 1000)]
async fn the_rare_canary() -> Result<(), String> {
    match std::env::var_os(PLANT) {
        Some(_) => takes_a_rare_order_for_granted().await,
        None => Ok(()),
    }
}

/// What one of the canaries says, with the bug, in a process of its own.
fn sing(canary: &str, seed: Option<&str>) -> (bool, String) {
    let mut command = Command::new(std::env::current_exe().expect("a test knows its program"));
    command.args(["--exact", canary, "--nocapture", "--test-threads=1"]);
    command.env(PLANT, "1").env_remove("TENTER_SEED");
    if let Some(seed) = seed {
        command.env("TENTER_SEED", seed);
    }
    let output = command.output().expect("the system starts the program");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout) + &text(&output.stderr);
    (output.status.success(), said)
}

fn runs(said: &str) -> usize {
    said.matches("a run").count()
}

/// The text between the first `before` and the next `after`.
fn between<'a>(said: &'a str, before: &str, after: &str) -> &'a str {
    let rest = said.split_once(before).map(|(_, rest)| rest);
    let found = rest.and_then(|rest| rest.split_once(after));
    found.unwrap_or_else(|| panic!("no {before} in: {said}")).0
}

/// Goal: first in, first out hides both bugs.
#[test]
fn x14_first_in_first_out_hides_the_bugs() {
    ends("deterministic", || {
        let runtime = build(Builder::deterministic(1));
        runtime.block_on(takes_the_order_for_granted());
        assert_eq!(runtime.block_on(takes_a_rare_order_for_granted()), Ok(()));
    });
}

/// Goal: a bug that first in, first out hides is found, and its seed finds it at once: by the environment
/// and by the attribute that was printed.
#[test]
fn x14_a_hidden_bug_is_found_and_its_seed_replays_it() {
    for (canary, says, attribute) in [
        ("the_canary", "nothing to read", ", timeout = \"5s\")]"),
        ("the_rare_canary", "backwards", ")]"),
    ] {
        let (passed, said) = sing(canary, None);
        assert!(!passed, "{said}");
        assert_says(
            &said,
            &[
                says,
                &format!("schedules::{canary} failed in schedule "),
                " of 1000",
            ],
        );
        let (tried, seed) = (runs(&said), between(&said, "TENTER_SEED=", " "));
        assert!((1..=1_000).contains(&tried), "{tried}");
        assert_says(
            &said,
            &[
                &format!("schedule {tried} of"),
                &format!("#[tenter::test(seed = {seed}{attribute}"),
                &format!("cargo test {canary}"),
            ],
        );
        let (passed, again) = sing(canary, Some(seed));
        assert!(!passed, "{again}");
        assert_eq!(runs(&again), 1, "{again}");
        assert_says(&again, &[says, &format!("that of seed {seed}")]);

        let seed = u64::from_str_radix(seed.trim_start_matches("0x"), 16).expect("hexadecimal");
        let failed = ends("replay", move || {
            let runtime = build(Builder::deterministic(seed).random_order(true));
            if canary == "the_canary" {
                panic_of(|| runtime.block_on(takes_the_order_for_granted()))
            } else {
                let result = runtime.block_on(takes_a_rare_order_for_granted());
                result.expect_err("it failed with this seed")
            }
        });
        assert_says(&failed, &[says]);
    }
}

/// Two transfers in opposite directions. First in, first out, the one is over before the other begins.
async fn transfers() {
    let from = Arc::new(Lock::new(0).named("from"));
    let to = Arc::new(Lock::new(0).named("to"));
    let transfer = |first: Arc<Lock<i32>>, second: Arc<Lock<i32>>, after: usize| async move {
        for _ in 0..after {
            yield_now().await;
        }
        let _first = first.lock().await;
        yield_now().await;
        let _second = second.lock().await;
    };
    let there = spawn(transfer(Arc::clone(&from), Arc::clone(&to), 0));
    let back = spawn(transfer(to, from, 3));
    there.await.expect("no panic");
    back.await.expect("no panic");
}

/// Goal: a deadlock that depends on the order is found, and reported with its seed and the place of the test.
#[test]
fn x14_a_deadlock_that_depends_on_the_order_is_found() {
    let report = ends("deterministic", || {
        build(Builder::deterministic(0)).block_on(transfers());
        panic_of(|| run_schedules(TestConfig::default(), 1_000, transfers))
    });
    assert_says(
        &report,
        &[
            "random order, after",
            "\"main\" spawned at tests/tests/schedules.rs:",
            "in a circle",
            "Lock \"from\", held by task",
        ],
    );
}

/// Goal: the seed is one run; a seed that finds nothing passes.
#[test]
fn x14_a_seed_from_the_environment_is_the_only_run() {
    let (_, said) = sing("the_rare_canary", Some("7"));
    assert_eq!(runs(&said), 1, "{said}");
    let (passed, said) = sing("the_canary", Some("no number"));
    assert!(!passed, "{said}");
    assert_says(&said, &["TENTER_SEED=no number: write an integer"]);
}

/// A program with a little of everything. Returns what happened, and when.
fn program(builder: Builder) -> Vec<String> {
    let log = Log::new();
    let runtime = build(builder);
    runtime.block_on(async {
        let start = now();
        let permits = Arc::new(Semaphore::new(2));
        let rings = Arc::new(Notify::new());
        let tasks: Vec<_> = (0..10_u64)
            .map(|number| {
                let (log, permits, rings) = (log.clone(), Arc::clone(&permits), Arc::clone(&rings));
                spawn(async move {
                    let say = |what: &str| log.add(format!("{number} {what} {:?}", now() - start));
                    yield_now().await;
                    let permit = permits.acquire().await.expect("it is open");
                    say("works");
                    sleep(Duration::from_millis(number % 3)).await;
                    drop(permit);
                    rings.notify_one();
                    let rang = timeout(Duration::from_millis(2), rings.notified()).await;
                    say(if rang.is_ok() { "rang" } else { "did not ring" });
                    let drawn = choose(1_000).expect("this run is deterministic");
                    say(&format!("draws {drawn}"));
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
    });
    let mut all = log.take();
    all.push(format!("{} polls", runtime.metrics().polls));
    all
}

/// Goal: a seed is a schedule: event by event, instant by instant, draw by draw. Two seeds differ.
#[test]
fn k04_a_seed_is_a_schedule() {
    ends("deterministic", || {
        let random = |seed| program(Builder::deterministic(seed).random_order(true));
        let mut schedules = BTreeSet::new();
        for seed in 0..20 {
            let first = random(seed);
            assert_eq!(random(seed), first);
            schedules.insert(first);
        }
        assert_eq!(schedules.len(), 20);
    });
}

/// Goal: first in, first out does not depend on the seed; what futures draw does.
#[test]
fn k04_first_in_first_out_has_no_use_for_the_seed_but_draws() {
    ends("deterministic", || {
        let events = |seed| {
            let mut all = program(Builder::deterministic(seed));
            all.retain(|event| !event.contains("draws"));
            all
        };
        assert_eq!(events(1), events(2));
        let whole = |seed| program(Builder::deterministic(seed));
        assert_eq!(whole(1), whole(1));
        assert_ne!(whole(1), whole(2));
    });
}

/// Goal: in random order every order of a few tasks comes up, and none much more often than the others.
#[test]
fn x14_every_order_comes_up() {
    ends("deterministic", || {
        let mut orders = std::collections::BTreeMap::new();
        for seed in 0..2_400 {
            let runtime = build(Builder::deterministic(seed).random_order(true));
            let log = Log::new();
            runtime.block_on(async {
                let tasks = [0, 1, 2, 3].map(|number| {
                    let log = log.clone();
                    spawn(async move { log.add(number) })
                });
                for task in tasks {
                    task.await.expect("no panic");
                }
            });
            *orders.entry(log.take()).or_insert(0) += 1;
        }
        assert_eq!(orders.len(), 24);
        assert!(orders.values().all(|n| (60..150).contains(n)), "{orders:?}");
    });
}

/// Goal: many ready tasks are no dearer in random order, and a runtime ends well with a bag of them.
#[test]
fn x14_a_hundred_thousand_ready_tasks_are_drawn_in_time() {
    ends("deterministic", || {
        const TASKS: usize = 100_000;
        let (runtime, ran) = (
            build(Builder::deterministic(7).random_order(true)),
            Count::new(),
        );
        runtime.block_on(async {
            let tasks: Vec<_> = (0..TASKS)
                .map(|_| {
                    let ran = ran.clone();
                    spawn(async move {
                        yield_now().await;
                        ran.add()
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("no panic");
            }
        });
        assert_eq!(ran.get(), TASKS);
        runtime.block_on(async {
            for _ in 0..100 {
                drop(spawn(std::future::pending::<()>()));
            }
            yield_now().await;
        });
        let report = runtime.shutdown_timeout(Duration::MAX);
        assert_eq!(report.cancelled, 100);
    });
}

/// Goal: each run has a runtime and a seed of its own, and the first failure ends it.
#[test]
fn x14_runs_are_apart_and_end_with_the_first_failure() {
    let config = TestConfig::default();
    let (runs, draws) = (Count::new(), Log::new());
    let body = || {
        let (runs, draws) = (runs.clone(), draws.clone());
        async move {
            assert_eq!(tenter::Handle::current().metrics().spawned_tasks, 1);
            assert_eq!(now().elapsed(), Duration::ZERO);
            draws.add(choose(usize::MAX));
            match runs.add() {
                5 => Err("the sixth"),
                _ => Ok(()),
            }
        }
    };
    assert_eq!(run_schedules(config, 100, body), Err("the sixth"));
    assert_eq!(runs.get(), 6);
    let draws: BTreeSet<_> = draws.take().into_iter().collect();
    assert_eq!(draws.len(), 6);
    assert!(choose(7).is_none(), "outside a deterministic run");
}

/// Goal: a random order without a seed is refused, with what to do.
#[test]
fn x14_a_random_order_needs_a_seed() {
    for builder in [Builder::current_thread(), Builder::multi_thread()] {
        let error = builder.random_order(true).build().expect_err("no seed");
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert_says(
            &error.to_string(),
            &["random_order", "Builder::deterministic"],
        );
    }
}
