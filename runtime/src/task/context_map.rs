//! The values of context variables: an immutable table that is copied when it is shared.
//!
//! ```text
//!  task A: Values ──┐
//!                   ├──► Arc [ (REQUEST, 7), (USER, "ada") ]      a copy is one reference
//!  task B: Values ──┘
//!  task B sets USER ──► a table of its own; the values in it are still shared
//! ```
//!
//! A program has few variables, so the table is a sorted list: a look-up is a binary search, a change by
//! the only owner is in place, a change of a shared table copies one pointer for each variable.
//!
//! Invariants:
//! - V1: sorted by key, each key once.
//! - V2: nothing of the program (no clone, no drop of a value) runs in here: what goes out of the table
//!   is given to the caller.
//!
//! Rejected: a hash trie. Below some dozen variables it is slower, and nobody has more.

use std::any::Any;
use std::sync::Arc;

/// A value of some variable.
pub type Value = Arc<dyn Any + Send + Sync>;

/// Which variable: the address of its static.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub usize);

/// The values of all variables that are set.
#[derive(Clone, Default)]
pub struct Values(Option<Arc<Vec<(Key, Value)>>>);

impl Values {
    /// No variable is set.
    pub const fn new() -> Self {
        Self(None)
    }

    /// Whether no variable is set.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many variables are set.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |table| table.len())
    }

    /// The value of a variable, if it is set.
    pub fn get(&self, key: Key) -> Option<&Value> {
        let table = self.0.as_ref()?;
        let index = table.binary_search_by_key(&key, |entry| entry.0).ok()?;
        Some(&table[index].1)
    }

    /// Sets a variable, or, with `None`, makes it one that is not set. Returns what it was.
    pub fn replace(&mut self, key: Key, value: Option<Value>) -> Option<Value> {
        if self.0.is_none() && value.is_none() {
            return None;
        }
        // A shared table is copied: its values stay alive in the copy, so V2 holds also if the other
        // owner lets go just now.
        let table = Arc::make_mut(self.0.get_or_insert_default());
        match (table.binary_search_by_key(&key, |entry| entry.0), value) {
            (Ok(index), Some(value)) => Some(core::mem::replace(&mut table[index].1, value)),
            (Ok(index), None) => Some(table.remove(index).1),
            (Err(index), Some(value)) => {
                table.insert(index, (key, value));
                None
            }
            (Err(_), None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn number(value: &Value) -> u64 {
        *value.downcast_ref().expect("a number")
    }

    #[test]
    fn a_table_does_what_a_map_does_and_a_copy_stays_as_it_was() {
        let mut seed = 7_u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        let (mut values, mut map) = (Values::new(), BTreeMap::new());
        let mut copies: Vec<(Values, BTreeMap<usize, u64>)> = Vec::new();
        for _ in 0..5_000 {
            let key = next(12) as usize;
            let value = next(1_000);
            let (old, expected) = if next(3) == 0 {
                (values.replace(Key(key), None), map.remove(&key))
            } else {
                let new: Value = Arc::new(value);
                (values.replace(Key(key), Some(new)), map.insert(key, value))
            };
            assert_eq!(old.as_ref().map(number), expected);
            assert_eq!(values.len(), map.len());
            assert_eq!(values.is_empty(), map.is_empty());
            if next(50) == 0 {
                copies.push((values.clone(), map.clone()));
            }
        }
        for (values, map) in copies {
            for key in 0..12 {
                assert_eq!(values.get(Key(key)).map(number), map.get(&key).copied());
            }
        }
    }
}
