//! Random trees of tasks, by seed: groups in groups, scopes, timeouts, shields, clean-ups, failures, panics,
//! cancellations from everywhere, futures that are dropped half-way.
//!
//! Of each tree is asked: when a scope has returned, nothing that belongs to it is alive; every failure was
//! seen exactly once, by whoever awaits the group or the task, or by `on_unobserved`; every clean-up ran
//! exactly once, and before its scope returned.
//!
//! A failure names its seed; `TENTER_TREE=seed cargo test -p tenter-tests --test trees` grows that tree alone,
//! and says what is done in it. `TENTER_TREES=1000000` grows so many for each test.

#[path = "trees/grow.rs"]
mod grow;
#[path = "trees/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tenter::{Builder, Runtime};
use tenter_tests::support::{build, ends, text_of};

use grow::tree;
use world::{Plant, World};

const VIRTUAL: Duration = Duration::from_millis(1);
const REAL: Duration = Duration::from_micros(20);

/// A runtime, and the world that its reports are about.
struct Garden {
    runtime: Runtime,
    world: Arc<Mutex<Option<Arc<World>>>>,
    unit: Duration,
}

impl Garden {
    fn new(builder: Builder, unit: Duration) -> Self {
        quiet();
        let world = Arc::new(Mutex::new(None::<Arc<World>>));
        let runtime = build(builder.on_unobserved({
            let world = Arc::clone(&world);
            move |failure| {
                let world = world.lock().clone();
                match world {
                    Some(world) => world.unobserved(failure),
                    None => eprintln!("{failure}"),
                }
            }
        }));
        Self {
            runtime,
            world,
            unit,
        }
    }

    /// Grows one tree. `Err` says what was wrong with it.
    fn grow(&self, seed: u64, plant: Plant, trace: bool) -> Result<(), String> {
        let world = World::new(seed, plant, self.unit, trace);
        *self.world.lock() = Some(Arc::clone(&world));
        let grown = catch_unwind(AssertUnwindSafe(|| {
            self.runtime.block_on(tree(Arc::clone(&world)));
        }));
        let thrown = grown.err().map(|payload| text_of(&*payload).to_owned());
        let complaints = world.complaints();
        match thrown.into_iter().chain(complaints).next() {
            None => Ok(()),
            Some(first) => Err(format!("TENTER_TREE={seed}: {first}")),
        }
    }

    fn grow_all(&self, seeds: impl Iterator<Item = u64>) {
        for seed in seeds {
            if let Err(complaint) = self.grow(seed, Plant::None, false) {
                panic!("{complaint}");
            }
        }
    }
}

/// Panics on purpose are not printed.
fn quiet() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !text_of(info.payload()).starts_with("fault ") {
                before(info);
            }
        }));
    });
}

fn asked() -> Option<u64> {
    let seed = std::env::var("TENTER_TREE").ok()?;
    Some(seed.parse().expect("TENTER_TREE is a number"))
}

/// How many trees a test grows.
fn wanted(trees: u64) -> u64 {
    std::env::var("TENTER_TREES").map_or(trees, |trees| {
        trees.parse().expect("TENTER_TREES is a number")
    })
}

/// The trees of the part `first`.
fn deterministic(first: u64, trees: u64) {
    if let Some(seed) = asked() {
        let garden = Garden::new(Builder::deterministic(1), VIRTUAL);
        let grown = garden.grow(seed, Plant::None, true);
        assert_eq!(grown, Ok(()));
        return;
    }
    let trees = wanted(trees);
    let first = first * trees;
    ends("trees", move || {
        let garden = Garden::new(Builder::deterministic(1), VIRTUAL);
        garden.grow_all(first..first + trees);
    });
}

/// Half of them on each of two threads.
#[test]
fn a26_trees_are_whole_one() {
    deterministic(0, 50_000);
}

#[test]
fn a26_trees_are_whole_two() {
    deterministic(1, 50_000);
}

#[test]
fn a26_trees_are_whole_on_many_threads() {
    if asked().is_some() {
        return;
    }
    ends("trees", || {
        let garden = Garden::new(Builder::multi_thread().workers(4), REAL);
        garden.grow_all(0..wanted(2_000));
    });
}

/// Goal: the trees notice what they are there to notice.
#[test]
fn a26_a_broken_group_is_noticed() {
    if asked().is_some() {
        return;
    }
    for (plant, word) in [
        (Plant::CleanUpsInTheBackground, "alive"),
        (Plant::ChildrenInTheBackground, "alive"),
        (Plant::LosesAFailure, "never seen"),
        (Plant::SeesTwice, "seen 2 times"),
        (Plant::SkipsACleanUp, "clean-up"),
    ] {
        let garden = Garden::new(Builder::deterministic(1), VIRTUAL);
        let complaint = (0..500).find_map(|seed| garden.grow(seed, plant, false).err());
        let complaint = complaint.unwrap_or_else(|| panic!("{plant:?} was not noticed"));
        assert!(complaint.contains(word), "{plant:?}: {complaint}");
    }
}
