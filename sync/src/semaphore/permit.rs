//! Permits that have been taken. Dropping one puts it back.

use core::fmt;
use core::mem::ManuallyDrop;
use std::sync::Arc;

use super::Semaphore;

/// Permits of a [`Semaphore`], borrowed from it. Dropping it puts them back.
///
/// # Examples
///
/// ```
/// let semaphore = tenter_sync::Semaphore::new(3);
/// let mut permit = semaphore.try_acquire_many(3).unwrap();
/// let one = permit.split(1).unwrap();
/// drop(one);
/// assert_eq!((permit.count(), semaphore.available()), (2, 1));
/// permit.merge(semaphore.try_acquire().unwrap());
/// permit.forget(); // all three are gone for good
/// assert_eq!(semaphore.available(), 0);
/// ```
#[doc(alias = "SemaphorePermit")]
#[must_use = "the permits are put back at once unless this is kept"]
#[clippy::has_significant_drop]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    count: usize,
}

/// Permits of a [`Semaphore`] that they keep alive. Dropping it puts them back.
#[doc(alias = "OwnedSemaphorePermit")]
#[must_use = "the permits are put back at once unless this is kept"]
#[clippy::has_significant_drop]
pub struct OwnedPermit {
    semaphore: Arc<Semaphore>,
    count: usize,
}

impl<'a> Permit<'a> {
    #[inline]
    pub(super) fn new(semaphore: &'a Semaphore, count: usize) -> Self {
        Self { semaphore, count }
    }

    /// How many permits these are.
    #[doc(alias = "num_permits")]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The semaphore they belong to.
    pub fn semaphore(&self) -> &'a Semaphore {
        self.semaphore
    }

    /// Takes them out of circulation: they are never put back.
    ///
    /// A bounded semaphore may be given as many new ones. `mem::forget` has the same effect on the
    /// free permits, but leaves no room under the bound.
    pub fn forget(self) {
        let permit = ManuallyDrop::new(self);
        permit.semaphore.forget(permit.count);
    }

    /// Splits `count` permits off; `None` if there are fewer.
    pub fn split(&mut self, count: usize) -> Option<Self> {
        self.count = self.count.checked_sub(count)?;
        Some(Self::new(self.semaphore, count))
    }

    /// Joins the permits of another to these.
    ///
    /// # Panics
    ///
    /// If they belong to different semaphores. The other's are put back then.
    #[track_caller]
    pub fn merge(&mut self, other: Self) {
        assert_same(self.semaphore, other.semaphore);
        let other = ManuallyDrop::new(other);
        self.count = self.count.saturating_add(other.count);
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.put(self.count);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe("Permit", self.semaphore, self.count, f)
    }
}

impl OwnedPermit {
    #[inline]
    pub(super) fn new(semaphore: Arc<Semaphore>, count: usize) -> Self {
        Self { semaphore, count }
    }

    /// How many permits these are.
    #[doc(alias = "num_permits")]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The semaphore they belong to.
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }

    /// Takes them out of circulation. See [`Permit::forget`].
    pub fn forget(mut self) {
        self.semaphore.forget(self.count);
        // Dropping nothing puts nothing back, and lets go of the semaphore.
        self.count = 0;
    }

    /// Splits `count` permits off; `None` if there are fewer.
    pub fn split(&mut self, count: usize) -> Option<Self> {
        self.count = self.count.checked_sub(count)?;
        Some(Self::new(Arc::clone(&self.semaphore), count))
    }

    /// Joins the permits of another to these.
    ///
    /// # Panics
    ///
    /// If they belong to different semaphores. The other's are put back then.
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        assert_same(&self.semaphore, &other.semaphore);
        self.count = self.count.saturating_add(core::mem::take(&mut other.count));
    }
}

impl Drop for OwnedPermit {
    #[inline]
    fn drop(&mut self) {
        if self.count > 0 {
            self.semaphore.put(self.count);
        }
    }
}

impl fmt::Debug for OwnedPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe("OwnedPermit", &self.semaphore, self.count, f)
    }
}

fn describe(
    what: &str,
    semaphore: &Semaphore,
    count: usize,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let mut out = f.debug_struct(what);
    semaphore.name.describe(&mut out);
    out.field("count", &count).finish_non_exhaustive()
}

#[track_caller]
fn assert_same(one: &Semaphore, another: &Semaphore) {
    assert!(
        core::ptr::eq(one, another),
        "permits of two different semaphores cannot be merged: {one:?}, {another:?}"
    );
}
