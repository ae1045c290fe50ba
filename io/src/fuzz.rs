//! What `fuzz/targets/slab.rs` runs: the slab and the table of holders, against maps.
//!
//! Each byte of the input is an operation, or a number for it. The same inputs are replayed below,
//! so that what was found once is looked for by every test run.

use std::collections::{HashMap, HashSet};

use crate::holders::Holders;
use crate::interest::{Direction, Directions};
use crate::readiness::Look;
use crate::selector::{Backend, Selector};
use crate::slab::{Key, Refusal, Slab};
use crate::wakes::Wakes;

/// Keys that are looked for after they were given back.
const STALE: usize = 64;

#[derive(Default)]
struct Model {
    /// The registrations that live, and the address of their slot.
    live: Vec<(Key, usize)>,
    stale: Vec<Key>,
    seen: HashSet<usize>,
    used: HashSet<usize>,
    held: HashMap<i32, Key>,
    closed: bool,
}

/// Runs the operations that `data` names.
pub fn slab(data: &[u8]) {
    let (slab, holders) = (Slab::new(), Holders::new());
    let mut model = Model::default();
    let mut selector = None;
    let mut bytes = data.iter().copied();
    while let Some(operation) = bytes.next() {
        let number = usize::from(bytes.next().unwrap_or(0));
        match operation % 8 {
            0..=2 => model.occupy(&slab, number),
            3 => model.leave(&slab, number),
            4 => {
                let selector = selector.get_or_insert_with(|| {
                    Selector::new(Backend::Best).expect("there are descriptors")
                });
                model.deliver(&slab, selector, number);
            }
            5 => model.hold(&holders, number, bytes.next().unwrap_or(0)),
            6 => model.release(&holders, number, bytes.next().unwrap_or(0)),
            _ if number == 255 => {
                slab.close();
                model.closed = true;
            }
            _ => model.check(&slab),
        }
    }
    model.check(&slab);
}

impl Model {
    fn occupy(&mut self, slab: &Slab, number: usize) {
        for _ in 0..1 + number / 16 {
            let ready = Directions::from_bits(number as u8 & 3);
            let key = match slab.occupy(ready) {
                Err(refusal) => {
                    assert_eq!((refusal, self.closed), (Refusal::Closed, true));
                    return;
                }
                Ok(key) => key,
            };
            assert!(!self.closed, "a closed slab takes nobody");
            assert!(self.seen.insert(key.bits()), "no key comes twice");
            let taken = self
                .live
                .iter()
                .any(|(live, _)| live.index() == key.index());
            assert!(!taken, "I1");
            self.used.insert(key.index());
            let slot = slab.slot(key.index()).expect("I1");
            self.live.push((key, std::ptr::from_ref(slot) as usize));
            for direction in [Direction::Read, Direction::Write] {
                let is_ready = matches!(slot.look(direction), Look::Ready(_));
                assert_eq!(is_ready, ready.contains(direction));
            }
        }
    }

    fn leave(&mut self, slab: &Slab, number: usize) {
        if self.live.is_empty() {
            return;
        }
        let (key, _) = self.live.swap_remove(number % self.live.len());
        slab.slot(key.index()).expect("it lives").vacate();
        slab.free(key);
        self.stale.push(key);
        if self.stale.len() > STALE {
            self.stale.swap_remove(number % STALE);
        }
    }

    fn deliver(&mut self, slab: &Slab, selector: &Selector, number: usize) {
        let all = self.live.iter().map(|(key, _)| (*key, true));
        let mut all = all.chain(self.stale.iter().map(|key| (*key, false)));
        let Some((key, lives)) = all.nth(number / 4) else {
            return;
        };
        let ready = Directions::from_bits(number as u8 & 3);
        let mut wakes = Wakes::new();
        let slot = slab.slot(key.index()).expect("it was there once");
        assert_eq!(slot.deliver(key, ready, selector, &mut wakes), lives);
        wakes.finish();
        for direction in [Direction::Read, Direction::Write] {
            if lives && ready.contains(direction) {
                assert!(matches!(slot.look(direction), Look::Ready(_)));
            }
        }
    }

    /// A number and the registration that takes it, or takes it over.
    fn hold(&mut self, holders: &Holders, number: usize, which: u8) {
        let Some((key, _)) = self.live.get(usize::from(which) % self.live.len().max(1)) else {
            return;
        };
        let fd = descriptor(number);
        holders.taken(fd, *key);
        self.held.insert(fd, *key);
        assert!(holders.is_held(fd, *key));
    }

    fn release(&mut self, holders: &Holders, number: usize, which: u8) {
        let fd = descriptor(number);
        let live = self.live.iter().map(|(key, _)| *key);
        let Some(key) = live
            .chain(self.stale.iter().copied())
            .nth(usize::from(which))
        else {
            return;
        };
        let held = self.held.get(&fd) == Some(&key);
        assert_eq!(holders.is_held(fd, key), held);
        assert_eq!(holders.released(fd, key), held);
        if held {
            self.held.remove(&fd);
        }
    }

    fn check(&self, slab: &Slab) {
        assert_eq!(slab.len(), self.live.len());
        assert_eq!(slab.slots().count(), self.used.len());
        for (key, address) in &self.live {
            let slot = slab.slot(key.index()).expect("it lives");
            assert_eq!(
                std::ptr::from_ref(slot) as usize,
                *address,
                "it never moves"
            );
        }
        assert!(slab.slot(self.used.len() + (1 << 27)).is_none());
    }
}

/// Numbers of every size, near and at the edges of pages.
fn descriptor(number: usize) -> i32 {
    let (scale, offset) = (number as u32 >> 4, number as i32 & 15);
    (64 * ((1_i32 << scale) - 1))
        .saturating_add(offset - 4)
        .max(0)
}

#[cfg(test)]
mod tests {
    /// Goal: what the fuzzer has found interesting, or wrong, holds.
    #[test]
    fn the_corpus_of_the_slab_is_replayed() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/slab");
        let mut inputs = 0;
        for entry in std::fs::read_dir(corpus).expect("the corpus") {
            super::slab(&std::fs::read(entry.expect("an entry").path()).expect("a file"));
            inputs += 1;
        }
        assert!(inputs >= 10, "only {inputs} inputs");
    }
}
