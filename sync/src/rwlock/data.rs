//! The data behind the lock: the only file that reaches it.
//!
//! [`Shared`] and [`Sole`] are a share of the lock and the pointer that it opens, in one. They are
//! made from a share that was just taken, and put it back when they are dropped, so that whoever
//! holds one may use the pointer. `U` is the data or, after `map`, a part of it.
//!
//! Which threads may have what:
//!
//! | | `Send` | `Sync` | because |
//! |---|---|---|---|
//! | `RwLock<T>` | `T: Send` | `T: Send + Sync` | readers share `&T`; a writer may move the `T` out |
//! | `Shared<_, U>` | `U: Sync` | `U: Sync` | gives out `&U` |
//! | `Sole<_, U>` | `U: Send + Sync` | `U: Sync` | gives out `&mut U`, and turns into a `Shared` |
//!
//! `Sole` needs both: sent away and downgraded, it reads beside the readers that stayed behind. An
//! owned one also keeps the lock alive and may be the last to do so; its home is an `Arc`, which asks
//! for what that takes.

use core::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::RwLock;
use super::line::Raw;
use super::state::Kind;
use crate::current;

/// Where a share of the lock goes back to.
pub(super) trait Home {
    fn raw(&self) -> &Raw;
}

impl Home for &Raw {
    #[inline]
    fn raw(&self) -> &Raw {
        self
    }
}

impl<T: ?Sized> Home for Arc<RwLock<T>> {
    #[inline]
    fn raw(&self) -> &Raw {
        &self.raw
    }
}

// SAFETY: the lock gives its data to one thread, or lends it to many; what that asks of the data is in
// the table above. With `T: Send` alone two readers would use a `Cell` at once.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

/// The share that goes home when this is dropped.
struct Share<H: Home> {
    home: H,
    kind: Kind,
}

impl<H: Home> Drop for Share<H> {
    #[inline]
    fn drop(&mut self) {
        self.home.raw().put(self.kind);
    }
}

/// A reader's share, and what it may read.
pub(super) struct Shared<H: Home, U: ?Sized> {
    data: *const U,
    share: Share<H>,
}

/// The writer's share, and what it may write.
pub(super) struct Sole<H: Home, U: ?Sized> {
    data: *mut U,
    share: Share<H>,
}

// SAFETY: it gives out `&U` and puts a share back, which any thread may do; the home answers for
// itself. A `U` that is not `Sync` would be used by two threads at once.
unsafe impl<H: Home + Send, U: ?Sized + Sync> Send for Shared<H, U> {}
// SAFETY: as above.
unsafe impl<H: Home + Sync, U: ?Sized + Sync> Sync for Shared<H, U> {}
// SAFETY: it gives out `&mut U`, and after a downgrade `&U` beside other readers; the home answers
// for itself.
unsafe impl<H: Home + Send, U: ?Sized + Send + Sync> Send for Sole<H, U> {}
// SAFETY: through `&Sole` there is only `&U`.
unsafe impl<H: Home + Sync, U: ?Sized + Sync> Sync for Sole<H, U> {}

impl<T: ?Sized> RwLock<T> {
    /// Opens the data to a reader.
    ///
    /// # Safety
    ///
    /// The caller has taken a reader's share and gives it away with this call. Without it a writer
    /// would write what is read here.
    #[inline]
    pub(super) unsafe fn opened(&self) -> Shared<&Raw, T> {
        Shared {
            data: self.data.with(|data| data),
            share: Share {
                home: &self.raw,
                kind: Kind::Read,
            },
        }
    }

    /// Opens the data to the writer.
    ///
    /// # Safety
    ///
    /// As [`opened`](Self::opened), with the writer's share.
    #[inline]
    pub(super) unsafe fn opened_mut(&self) -> Sole<&Raw, T> {
        Sole {
            data: self.data.with_mut(|data| data),
            share: Share {
                home: &self.raw,
                kind: Kind::Write,
            },
        }
    }

    /// Opens the data to a reader that keeps the lock alive.
    ///
    /// # Safety
    ///
    /// As [`opened`](Self::opened).
    #[inline]
    pub(super) unsafe fn opened_owned(self: Arc<Self>) -> Shared<Arc<Self>, T> {
        Shared {
            data: self.data.with(|data| data),
            share: Share {
                home: self,
                kind: Kind::Read,
            },
        }
    }

    /// Opens the data to a writer that keeps the lock alive.
    ///
    /// # Safety
    ///
    /// As [`opened_mut`](Self::opened_mut).
    #[inline]
    pub(super) unsafe fn opened_mut_owned(self: Arc<Self>) -> Sole<Arc<Self>, T> {
        Sole {
            data: self.data.with_mut(|data| data),
            share: Share {
                home: self,
                kind: Kind::Write,
            },
        }
    }

    #[track_caller]
    #[inline]
    pub(super) fn take_shared(&self) -> Option<Shared<&Raw, T>> {
        if !self.raw.take(Kind::Read) {
            return None;
        }
        // SAFETY: the share was taken just now.
        Some(unsafe { self.opened() })
    }

    #[inline]
    pub(super) fn take_sole(&self) -> Option<Sole<&Raw, T>> {
        if !self.raw.take(Kind::Write) {
            return None;
        }
        self.raw.own(current::task_number());
        // SAFETY: the share was taken just now.
        Some(unsafe { self.opened_mut() })
    }

    #[track_caller]
    pub(super) fn take_shared_owned(self: Arc<Self>) -> Option<Shared<Arc<Self>, T>> {
        if !self.raw.take(Kind::Read) {
            return None;
        }
        // SAFETY: the share was taken just now.
        Some(unsafe { self.opened_owned() })
    }

    pub(super) fn take_sole_owned(self: Arc<Self>) -> Option<Sole<Arc<Self>, T>> {
        if !self.raw.take(Kind::Write) {
            return None;
        }
        self.raw.own(current::task_number());
        // SAFETY: the share was taken just now.
        Some(unsafe { self.opened_mut_owned() })
    }

    /// The data, to whoever has the whole lock.
    pub(super) fn data_mut(&mut self) -> &mut T {
        let data = self.data.with_mut(|data| data);
        // SAFETY: the lock is borrowed for writing, so no guard borrows it and none owns it.
        unsafe { &mut *data }
    }
}

impl<H: Home, U: ?Sized> Shared<H, U> {
    /// The same share, for a part of what it opens.
    pub(super) fn map<V: ?Sized>(self, part: impl FnOnce(&U) -> &V) -> Shared<H, V> {
        Shared {
            data: part(&self),
            share: self.share,
        }
    }
}

impl<H: Home, U: ?Sized> Sole<H, U> {
    /// The same share, for a part of what it opens.
    pub(super) fn map<V: ?Sized>(mut self, part: impl FnOnce(&mut U) -> &mut V) -> Sole<H, V> {
        Sole {
            data: part(&mut self),
            share: self.share,
        }
    }

    /// Lets other readers in. The caller has not mapped it: a part that was reached through `&mut`
    /// may be one that readers of the whole change through `&` (what is in a `Cell`, say).
    pub(super) fn downgrade(mut self) -> Shared<H, U> {
        self.share.kind = Kind::Read; // first: a waker may panic, and then this is what goes back
        self.share.home.raw().downgrade();
        Shared {
            data: self.data,
            share: self.share,
        }
    }
}

impl<H: Home, U: ?Sized> Deref for Shared<H, U> {
    type Target = U;

    #[inline]
    fn deref(&self) -> &U {
        // SAFETY: a reader's share is held, so nobody writes, and the home keeps the data alive.
        unsafe { &*self.data }
    }
}

impl<H: Home, U: ?Sized> Deref for Sole<H, U> {
    type Target = U;

    #[inline]
    fn deref(&self) -> &U {
        // SAFETY: the writer's share is held, so nobody else has the data, and the home keeps it
        // alive.
        unsafe { &*self.data }
    }
}

impl<H: Home, U: ?Sized> DerefMut for Sole<H, U> {
    #[inline]
    fn deref_mut(&mut self) -> &mut U {
        // SAFETY: as above, and this borrow of the share is the only one.
        unsafe { &mut *self.data }
    }
}
