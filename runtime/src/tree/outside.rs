//! Groups that no task is in: those of the main future beside many workers, and of `Handle::block_on`.
//!
//! Every other group is found from the task that is in it, through the task's scopes.
//!
//! Invariant: O1: an entry keeps no group. One that has ended is taken out when the list is about to grow.

use std::sync::{Arc, Weak};

use tenter_sync::shim::Mutex;

use crate::scope::node::Node;

/// Their scopes.
#[derive(Default)]
pub struct Outside(Mutex<Vec<Weak<Node>>>);

impl Outside {
    /// One more.
    pub fn add(&self, group: &Arc<Node>) {
        let mut groups = self.0.lock();
        if groups.len() == groups.capacity() {
            // O1. What is freed here is memory: what was in it is gone.
            groups.retain(|group| group.strong_count() > 0);
            let room = groups.len().max(4);
            groups.reserve(room);
        }
        groups.push(Arc::downgrade(group));
    }

    /// Those that are there, the outer ones first.
    pub fn scopes(&self) -> Vec<Arc<Node>> {
        let groups = self.0.lock();
        groups.iter().filter_map(Weak::upgrade).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_have_ended_are_forgotten() {
        let outside = Outside::default();
        let kept = Node::new();
        outside.add(&kept);
        for _ in 0..1_000 {
            outside.add(&Node::new());
        }
        assert_eq!(outside.scopes().len(), 1);
        assert!(outside.0.lock().capacity() <= 16);
    }
}
