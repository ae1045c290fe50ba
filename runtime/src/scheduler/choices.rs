//! The decisions of a deterministic run: which ready task is next, and every random number.
//!
//! All of them are made by [`Choices::pick`], so that a seed is a schedule.
//!
//! ```text
//!  order      which ready task           anything else (the branches of a select, ..)
//!  FIFO       the one that waits longest drawn from the seed
//!  random     drawn from the seed        drawn from the seed
//! ```
//!
//! In random order, what is ready is moved from the queue to a bag, and a task is drawn from that: every
//! ready task is as likely as any other, and a draw takes the same time however many there are.
//!
//! Invariant: D1: the bag is empty whenever the run loop is idle, and always in first-in-first-out order.
//!
//! Rejected: drawing from the queue itself. Each draw walks half of the queue, and ten thousand ready
//! tasks take minutes.
//!
//! Tests: below; `tests/tests/schedules.rs`.

use tenter_sync::shim::diagnostic::{AtomicU64, Ordering};

use super::current_thread::Core;
use crate::context;
use crate::task::Runnable;

/// What is being chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Choice {
    /// Which of the ready tasks runs next.
    ReadyTask,
    /// What a future leaves to chance.
    Branch,
}

/// How the next ready task is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// The one that has been ready for longest.
    Fifo,
    /// Any, as the seed says.
    Random,
}

impl Order {
    /// Random, or first in, first out.
    pub fn random_if(random: bool) -> Self {
        if random { Order::Random } else { Order::Fifo }
    }
}

/// The decisions of a deterministic run.
#[derive(Debug)]
pub struct Choices {
    seed: u64,
    order: Order,
    /// Only the driving thread chooses; the seat hands it on.
    state: AtomicU64,
    made: AtomicU64,
}

/// The distance of two states: 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spreads a state over all 64 bits (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014).
fn mix(state: u64) -> u64 {
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The seed of one of many runs: that of the first is `seed` itself.
pub fn derive(seed: u64, run: u64) -> u64 {
    match run {
        0 => seed,
        run => mix(seed.wrapping_add(run.wrapping_mul(STEP))),
    }
}

impl Choices {
    /// The decisions of the run with this seed.
    pub fn new(seed: u64, order: Order) -> Self {
        Self {
            seed,
            order,
            // Seeds that are neighbours are no neighbours on the way that the states take.
            state: AtomicU64::new(mix(seed ^ STEP)),
            made: AtomicU64::new(0),
        }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How the next ready task is chosen.
    pub fn order(&self) -> Order {
        self.order
    }

    /// How many decisions have been made.
    pub fn made(&self) -> u64 {
        // ORDERING: Relaxed. As in `pick`.
        self.made.load(Ordering::Relaxed)
    }

    /// Chooses one of `possibilities`, which are numbered from zero.
    pub fn pick(&self, choice: Choice, possibilities: usize) -> usize {
        debug_assert!(possibilities > 0, "{choice:?} without a possibility");
        // ORDERING: Relaxed, also below. Only the driving thread chooses, and the core that it hands on
        // carries what it wrote.
        self.made.fetch_add(1, Ordering::Relaxed);
        if choice == Choice::ReadyTask && self.order == Order::Fifo {
            return 0;
        }
        let state = self.state.load(Ordering::Relaxed).wrapping_add(STEP);
        self.state.store(state, Ordering::Relaxed);
        // The high half of the product: as even as it can be without a second draw.
        ((u128::from(mix(state)) * possibilities as u128) >> 64) as usize
    }

    /// The task that runs next.
    pub fn next_task(&self, core: &Core) -> Option<Runnable> {
        if self.order == Order::Fifo {
            let ready = core.queue.len();
            if ready > 1 {
                return Some(core.queue.remove(self.pick(Choice::ReadyTask, ready)));
            }
            return core.queue.pop();
        }
        let mut bag = core.bag.borrow_mut();
        while let Some(task) = core.queue.pop() {
            bag.push(task);
        }
        match bag.len() {
            0 | 1 => bag.pop(),
            ready => Some(bag.swap_remove(self.pick(Choice::ReadyTask, ready))),
        }
    }
}

/// Chooses for a future that is polled in a deterministic run. `None` anywhere else.
pub fn choose(possibilities: usize) -> Option<usize> {
    context::with_driving(|driving| {
        let choices = driving?.scheduler.config().choices.as_ref()?;
        Some(choices.pick(Choice::Branch, possibilities))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(seed: u64, order: Order, choice: Choice) -> Vec<usize> {
        let choices = Choices::new(seed, order);
        (0..64).map(|_| choices.pick(choice, 5)).collect()
    }

    #[test]
    fn k04_a_seed_determines_every_choice() {
        for (order, choice) in [
            (Order::Random, Choice::ReadyTask),
            (Order::Fifo, Choice::Branch),
        ] {
            assert_eq!(draws(7, order, choice), draws(7, order, choice));
            assert_ne!(draws(7, order, choice), draws(8, order, choice));
        }
        assert_eq!(draws(7, Order::Fifo, Choice::ReadyTask), [0; 64]);
    }

    #[test]
    fn draws_are_even() {
        let choices = Choices::new(0, Order::Random);
        let mut drawn = [0_u32; 5];
        for _ in 0..10_000 {
            drawn[choices.pick(Choice::ReadyTask, 5)] += 1;
        }
        assert!(
            drawn.iter().all(|n| (1_800..2_200).contains(n)),
            "{drawn:?}"
        );
        assert_eq!(choices.made(), 10_000);
    }

    #[test]
    fn derived_seeds_begin_with_the_first_and_differ() {
        assert_eq!(derive(7, 0), 7);
        let mut seeds: Vec<u64> = (0..2)
            .flat_map(|seed| (0..1_000).map(move |run| derive(seed, run)))
            .collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 2_000);
    }
}
