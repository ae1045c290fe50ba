//! Who borrows: a task, or whatever the caller names.

use core::fmt;
use core::num::NonZeroU64;
use core::task::Waker;
use std::borrow::Cow;
use std::sync::Arc;

use crate::current;

/// One who borrows from a [`CapacityLimiter`](super::CapacityLimiter): a task, or what
/// [`acquire_for`](super::CapacityLimiter::acquire_for) was given.
///
/// It is made from a number or a name; what else is to borrow gets a number or a name that stands for
/// it, such as the number of a connection. Two that are made from the same one are equal, and so one
/// borrower.
///
/// # Examples
///
/// ```
/// use tenter_sync::Borrower;
///
/// assert_eq!(Borrower::from(7_u64), Borrower::from(7_u32));
/// assert_eq!(Borrower::from("db"), Borrower::from(String::from("db")));
/// assert_ne!(Borrower::from("7"), Borrower::from(7_u64));
/// assert_eq!(Borrower::from("db").to_string(), "\"db\"");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Borrower(Who);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Who {
    Number(u64),
    Name(Name),
    /// A task of tenter.
    Task(NonZeroU64),
    /// A task of another executor, by the data and the vtable of its waker. Identities only.
    Foreign(usize, usize),
    /// One that nothing is known of.
    Nameless(u64),
}

/// A name, compared by its text.
#[derive(Clone)]
enum Name {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Name {
    fn text(&self) -> &str {
        match self {
            Name::Static(text) => text,
            Name::Shared(text) => text,
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.text().cmp(other.text())
    }
}

impl core::hash::Hash for Name {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.text().hash(state);
    }
}

impl Borrower {
    /// The task that polls with this waker.
    pub(super) fn task(waker: &Waker) -> Self {
        Self(match current::task_id() {
            Some(id) => Who::Task(id),
            None => Who::Foreign(
                waker.data().addr(),
                core::ptr::from_ref(waker.vtable()).addr(),
            ),
        })
    }

    /// The task of tenter that is being polled.
    pub(super) fn current_task() -> Option<Self> {
        current::task_id().map(|id| Self(Who::Task(id)))
    }

    /// One that is equal to no other.
    pub(super) fn nameless(number: u64) -> Self {
        Self(Who::Nameless(number))
    }
}

impl From<&'static str> for Borrower {
    fn from(name: &'static str) -> Self {
        Self(Who::Name(Name::Static(name)))
    }
}

impl From<String> for Borrower {
    fn from(name: String) -> Self {
        Self(Who::Name(Name::Shared(name.into())))
    }
}

impl From<Cow<'static, str>> for Borrower {
    fn from(name: Cow<'static, str>) -> Self {
        match name {
            Cow::Borrowed(name) => name.into(),
            Cow::Owned(name) => name.into(),
        }
    }
}

impl From<u64> for Borrower {
    fn from(number: u64) -> Self {
        Self(Who::Number(number))
    }
}

impl From<u32> for Borrower {
    fn from(number: u32) -> Self {
        u64::from(number).into()
    }
}

impl From<usize> for Borrower {
    fn from(number: usize) -> Self {
        (number as u64).into()
    }
}

impl fmt::Display for Borrower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Who::Number(number) => write!(f, "{number}"),
            Who::Name(name) => write!(f, "{:?}", name.text()),
            Who::Task(id) => write!(f, "task {id}"),
            Who::Foreign(data, _) => write!(f, "a task with the waker {data:#x}"),
            Who::Nameless(_) => f.write_str("a nameless borrower"),
        }
    }
}

impl fmt::Debug for Borrower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
