//! Circles in who waits for whom.
//!
//! A task may wait for many: the children of its group. So all that reach each other are found first
//! (Tarjan, 1972), and of each such knot one circle is shown, a shortest one through its first member. There
//! may be more in a knot than anybody could read.
//!
//! Invariant: Y1: no recursion, for chains of a million tasks; and each edge is walked a constant number of
//! times.

use std::collections::VecDeque;

/// Not seen, or not on the way.
const NONE: usize = usize::MAX;

/// One circle for each knot: each waits for the next one, and the last for the first. `edges` has a list for
/// each node.
pub fn cycles(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let knot_of = knots(edges);
    let mut done = vec![false; edges.len()];
    let mut found = Vec::new();
    for node in 0..edges.len() {
        if !core::mem::replace(&mut done[knot_of[node]], true) {
            // The first member of its knot.
            found.extend(shortest(edges, &knot_of, node));
        }
    }
    found
}

/// The number of the knot of each node: those have the same that reach each other.
fn knots(edges: &[Vec<usize>]) -> Vec<usize> {
    let mut order = vec![NONE; edges.len()];
    let mut low = vec![NONE; edges.len()];
    let mut knot_of = vec![NONE; edges.len()];
    let (mut next, mut knots) = (0, 0);
    // Those without a knot yet, and the way that is walked: nodes, and how many of their edges are done.
    let (mut open, mut way) = (Vec::new(), Vec::new());
    for start in 0..edges.len() {
        if order[start] == NONE {
            way.push((start, 0));
        }
        while let Some((node, done)) = way.last_mut() {
            let node = *node;
            if *done == 0 {
                (order[node], low[node]) = (next, next);
                next += 1;
                open.push(node);
            }
            let edge = edges[node].get(*done).copied();
            *done += 1;
            match edge {
                Some(to) if order[to] == NONE => way.push((to, 0)),
                Some(to) if knot_of[to] == NONE => low[node] = low[node].min(order[to]),
                Some(_) => {}
                None => {
                    way.pop();
                    if let Some((before, _)) = way.last() {
                        low[*before] = low[*before].min(low[node]);
                    }
                    if low[node] == order[node] {
                        while let Some(member) = open.pop() {
                            knot_of[member] = knots;
                            if member == node {
                                break;
                            }
                        }
                        knots += 1;
                    }
                }
            }
        }
    }
    knot_of
}

/// A shortest circle through this node.
fn shortest(edges: &[Vec<usize>], knot_of: &[usize], first: usize) -> Option<Vec<usize>> {
    let mut from = std::collections::HashMap::from([(first, NONE)]);
    let mut line = VecDeque::from([first]);
    while let Some(node) = line.pop_front() {
        for &to in &edges[node] {
            if to == first {
                let mut circle = vec![node];
                let mut at = node;
                while from[&at] != NONE {
                    at = from[&at];
                    circle.push(at);
                }
                circle.reverse();
                return Some(circle);
            }
            if knot_of[to] == knot_of[first] && !from.contains_key(&to) {
                from.insert(to, node);
                line.push_back(to);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_knot_is_shown_by_one_circle() {
        for (edges, circles) in [
            (vec![vec![], vec![0], vec![1]], vec![]),
            (vec![vec![0]], vec![vec![0]]),
            (vec![vec![1], vec![2], vec![1]], vec![vec![1, 2]]),
            // The way in comes first; two knots; one of them with a detour.
            (
                vec![vec![3], vec![2], vec![1], vec![4, 5], vec![5], vec![3]],
                vec![vec![1, 2], vec![3, 5]],
            ),
            (vec![vec![0, 1], vec![0]], vec![vec![0]]),
        ] {
            assert_eq!(cycles(&edges), circles, "{edges:?}");
        }
    }

    #[test]
    fn a_chain_of_a_million_is_walked_on_a_small_stack() {
        let count = 1_000_000;
        let mut edges: Vec<Vec<usize>> = (1..count).map(|next| vec![next]).collect();
        edges.push(vec![]);
        assert!(cycles(&edges).is_empty());
        edges[count - 1].push(0);
        assert_eq!(cycles(&edges)[0].len(), count);
    }
}
