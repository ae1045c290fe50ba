//! Where an unbiased `select!` begins.
//!
//! In a deterministic runtime the seed decides, as it does everything. Elsewhere each thread has a
//! generator of its own: a plain one, as nobody gains from guessing it.

use core::cell::Cell;
use std::hash::{BuildHasher, RandomState};

use tenter_sync::shim::{MODELLED, local};

use crate::scheduler::choices;

local! {
    /// Zero: not begun.
    static STATE: Cell<u64> = const { Cell::new(0) };
}

/// One of so many, each as likely as the others.
pub fn below(possibilities: u32) -> u32 {
    if let Some(chosen) = choices::choose(possibilities as usize) {
        return chosen as u32;
    }
    if MODELLED {
        return 0; // A model decides nothing by chance.
    }
    let random = STATE.with(|state| {
        let next = step(match state.get() {
            0 => RandomState::new().hash_one(0) | 1,
            random => random,
        });
        state.set(next);
        next
    });
    scale(random, possibilities)
}

/// Marsaglia's xorshift, "Xorshift RNGs", 2003. Never zero.
fn step(mut random: u64) -> u64 {
    random ^= random << 13;
    random ^= random >> 7;
    random ^ (random << 17)
}

/// The upper half, of so many parts.
fn scale(random: u64, parts: u32) -> u32 {
    (((random >> 32) * u64::from(parts)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_branch_is_as_likely() {
        let mut counts = [0; 3];
        for _ in 0..30_000 {
            counts[below(3) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (9_000..11_000).contains(count)),
            "{counts:?}"
        );
        assert_eq!((scale(u64::MAX, 3), scale(0, 3), below(1)), (2, 0, 0));
    }
}
