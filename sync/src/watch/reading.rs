//! The latest value, lent.

use core::fmt;
use core::ops::Deref;
use core::ptr::NonNull;

use super::channel::{Channel, Reading};
use super::node::Node;

/// A value of a watch channel, lent for reading.
///
/// It stays what it is: values that are sent meanwhile go elsewhere, and neither wait for this `Ref` nor
/// show through it. Only a change in place ([`Sender::send_modify`](super::Sender::send_modify) and
/// those like it) waits, with its thread, until the `Ref` is dropped; on the very thread that holds the
/// `Ref` it panics instead.
///
/// A `Ref` stays on its thread, so a future that holds one across an `await` is not `Send`. Clone what
/// you need, and drop the `Ref`.
#[must_use = "a `Ref` that is not used keeps changes in place waiting for nothing"]
pub struct Ref<'a, T> {
    channel: &'a Channel<T>,
    /// A pointer, so `Ref` is not `Send`: the thread has a note of it.
    node: NonNull<Node<T>>,
    has_changed: bool,
}

impl<'a, T> Ref<'a, T> {
    #[inline]
    pub(super) fn new(channel: &'a Channel<T>, reading: &Reading<T>, seen: Option<usize>) -> Self {
        Self {
            channel,
            node: reading.node,
            has_changed: seen.is_some_and(|seen| seen != reading.version),
        }
    }

    /// Whether the receiver had not seen the value before it was borrowed. Always false if it was
    /// borrowed from a sender.
    pub fn has_changed(&self) -> bool {
        self.has_changed
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: (a) of `node.rs`: this is a reader that joined with `begin_read` and leaves with its
        // drop.
        unsafe { self.node.as_ref().get() }
    }
}

impl<T> Drop for Ref<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: joined when it was made, and this is the end of it.
        unsafe { self.channel.end_read(self.node) };
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: fmt::Display> fmt::Display for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
