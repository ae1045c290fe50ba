//! Members of combinators and tasks, each of which waits until its bell is rung.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tenter_tests::support::{Count, CountOnDrop};

/// Some bells, and how many of those who waited for one are gone.
pub struct Bells {
    bells: Vec<Arc<Mutex<Bell>>>,
    pub gone: Count,
    keep: bool,
}

#[derive(Default)]
struct Bell {
    rung: bool,
    waker: Option<Waker>,
}

impl Bells {
    pub fn new(count: usize) -> Self {
        Self {
            keep: false,
            bells: (0..count).map(|_| Arc::default()).collect(),
            gone: Count::new(),
        }
    }

    /// Those that keep the waker of a future that is dropped: it must be of no use to them.
    pub fn that_keep_wakers(count: usize) -> Self {
        let mut bells = Self::new(count);
        bells.keep = true;
        bells
    }

    /// Rings one. Others than these are nobody's.
    pub fn ring(&self, index: usize) {
        let Some(bell) = self.bells.get(index) else {
            return;
        };
        let waker = {
            let mut bell = bell.lock();
            bell.rung = true;
            bell.waker.clone()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Rings all, from the last to the first.
    pub fn ring_all(&self) {
        (0..self.bells.len())
            .rev()
            .for_each(|index| self.ring(index));
    }

    /// Ready when bell number `index` has rung: with that number.
    pub fn member(&self, index: usize) -> Member {
        Member {
            index,
            bell: Arc::clone(&self.bells[index]),
            keep: self.keep,
            _gone: self.gone.on_drop(),
        }
    }

    pub fn members(&self) -> Vec<Member> {
        (0..self.bells.len())
            .map(|index| self.member(index))
            .collect()
    }

    /// All members are gone, and their wakers do nothing.
    pub fn all_gone(&self) {
        assert_eq!(self.gone.get(), self.bells.len());
        self.ring_all();
    }
}

/// Whoever still waits for one goes on.
impl Drop for Bells {
    fn drop(&mut self) {
        self.ring_all();
    }
}

pub struct Member {
    index: usize,
    bell: Arc<Mutex<Bell>>,
    keep: bool,
    _gone: CountOnDrop,
}

impl Future for Member {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let old = {
            let mut bell = self.bell.lock();
            if bell.rung {
                return Poll::Ready(self.index);
            }
            bell.waker.replace(cx.waker().clone())
        };
        drop(old);
        Poll::Pending
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if !self.keep {
            let waker = self.bell.lock().waker.take();
            drop(waker);
        }
    }
}
