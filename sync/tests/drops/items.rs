//! Items that know what becomes of them: each that was made has one fate.

use std::sync::{Arc, Mutex};

/// What becomes of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Somebody got it.
    Got,
    /// It was still there at the end.
    Kept,
    /// Whoever wanted to put it got it back.
    Returned,
    /// A shutdown took it out.
    TakenOut,
    /// It was dropped with a future, or by a panic.
    Dropped,
}

/// What was made, and what became of it.
#[derive(Default)]
pub struct Ledger {
    made: Mutex<Vec<usize>>,
    met: Mutex<Vec<(usize, Fate)>>,
}

impl Ledger {
    /// An item by its number. There is one of each number.
    pub fn item(self: &Arc<Self>, number: usize) -> Item {
        self.made.lock().unwrap().push(number);
        Item {
            number,
            ledger: Some(Arc::clone(self)),
        }
    }

    pub fn count(&self, fate: Fate) -> usize {
        let met = self.met.lock().unwrap();
        met.iter().filter(|(_, which)| *which == fate).count()
    }

    /// Whether an item was made, and its fate is known.
    pub fn has_met(&self, number: usize) -> bool {
        let met = self.met.lock().unwrap();
        met.iter().any(|(which, _)| *which == number)
    }

    /// How many were made of which nothing was heard. A future that was leaked may keep that many.
    pub fn missing(&self) -> usize {
        let made = self.made.lock().unwrap();
        made.iter().filter(|number| !self.has_met(**number)).count()
    }

    /// Each item that was made has met one fate, and those that were dropped were meant to be.
    pub fn assert_each_has_one(&self, may_be_dropped: impl Fn(usize) -> bool) {
        let (mut made, mut met) = (
            self.made.lock().unwrap().clone(),
            self.met.lock().unwrap().clone(),
        );
        made.sort_unstable();
        met.sort_by_key(|(number, _)| *number);
        let numbers = met.iter().map(|(number, _)| *number);
        assert!(numbers.eq(made.iter().copied()), "of {made:?}: {met:?}");
        for (number, fate) in &met {
            let is_meant = *fate != Fate::Dropped || may_be_dropped(*number);
            assert!(is_meant, "{number} was dropped: {met:?}");
        }
    }
}

/// See [`Ledger::item`]. Ordered by its number.
pub struct Item {
    number: usize,
    /// Until its fate is known.
    ledger: Option<Arc<Ledger>>,
}

impl Item {
    pub fn meets(mut self, fate: Fate) {
        self.note(fate);
    }

    fn note(&mut self, fate: Fate) {
        if let Some(ledger) = self.ledger.take() {
            ledger.met.lock().unwrap().push((self.number, fate));
        }
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.note(Fate::Dropped);
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Item {}
impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Item {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.number.cmp(&other.number)
    }
}

/// Goal: an item that is lost, or is there twice, is noticed.
/// Method: one is leaked, one is noted twice, one is dropped that is not meant to be, and one that is.
#[test]
fn a_ledger_notices_what_is_lost_and_what_is_twice() {
    let fails = |act: fn(&Arc<Ledger>)| {
        let ledger = Arc::new(Ledger::default());
        ledger.item(1).meets(Fate::Got);
        act(&ledger);
        let check = || ledger.assert_each_has_one(|number| number == 3);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_err()
    };
    assert!(fails(|ledger| crate::support::leak(ledger.item(2))));
    assert!(fails(|ledger| {
        let mut item = ledger.item(2);
        item.note(Fate::Kept);
        item.ledger = Some(Arc::clone(ledger));
    }));
    assert!(fails(|ledger| drop(ledger.item(2))));
    assert!(!fails(|ledger| drop(ledger.item(3))));
}
