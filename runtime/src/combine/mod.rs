//! Combinators: several futures at once, in the task of the caller.
//!
//! | file | what |
//! |---|---|
//! | `list` | who was woken: one allocation that the wakers of all members share |
//! | `lazy` | the same, made when the first member has to wait |
//! | `ready` | who is polled next, and whom the task is woken for |
//! | `slot` | where members and their outputs are |
//! | the others | what is done with the outputs |
//!
//! A member is polled once, in the order of the arguments, and then only when it has been woken, however
//! many there are.

pub(crate) mod completed;
pub(crate) mod gather;
#[expect(
    unsafe_code,
    reason = "a waker that is lent for a poll, and a counted pointer"
)]
mod lazy;
#[expect(unsafe_code, reason = "one allocation that wakers count and share")]
mod list;
pub(crate) mod map;
pub(crate) mod race;
mod random;
pub(crate) mod ready;
pub(crate) mod select;
mod select_macro;
#[expect(unsafe_code, reason = "projects the pin to members of a row")]
mod slot;
pub(crate) mod staggered;
#[expect(unsafe_code, reason = "projects the pin to members of a tuple")]
pub(crate) mod tuple;
