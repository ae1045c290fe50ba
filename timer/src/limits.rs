//! Every tunable of this crate, once: its unit, its reason, and its size in the model.

use tenter_sync::shim::size;

/// Levels of the wheel. Eight levels of 64 slots above a grain of 2^16 ns cover every `u64`, so
/// there is neither an overflow list nor a slot that wraps.
pub(crate) const LEVELS: usize = size(8, 2);

/// Bits of a deadline that one level looks at. Six: the occupied slots of a level fit one word.
pub(crate) const SLOT_BITS: u32 = size(6, 2) as u32;

/// Slots of one level.
pub(crate) const SLOTS: usize = 1 << SLOT_BITS;

/// Bits of a deadline below the lowest level: a bottom slot spans 2^16 ns, about 66 µs. Finer
/// slots would mean more cascades, coarser ones longer lists to put in order.
pub(crate) const GRAIN_BITS: u32 = 64 - LEVELS as u32 * SLOT_BITS;

/// How many entries an insertion looks back over to keep a slot in order. Deadlines mostly arrive
/// in order; tasks that overtake one another displace them by a place or two.
pub(crate) const LOOK_BACK_MAX: usize = size(4, 1);

/// How late a tick may be before it counts as missed, in nanoseconds: 5 ms, or the period if that
/// is shorter. Below it a late tick is the scheduler's jitter, and correcting it would drift.
pub(crate) const TICK_TOLERANCE: u64 = 5_000_000;

const _: () = assert!(
    SLOTS <= 64,
    "the slots of a level must fit the bits of one word"
);
const _: () = assert!(LEVELS <= 32, "the levels must fit the bits of one word");
