//! The book of a limiter: who borrows, who waits, and how much there is. No threads here, no waiting.
//!
//! ```text
//!   ask ── Lend ──► Borrowing ── give_back ──► (not in the book)
//!    │                  ▲                          ▲
//!    └── Queue ──► Waiting ── withdraw ────────────┘
//!                 lend_to_front
//! ```
//!
//! Invariants:
//! - I1: a borrower is in the roll at most once; the roll is sorted.
//! - I2: `borrowed` is the number of those in the roll that are Borrowing; those that are Waiting are
//!   exactly the ones in the line, whose tickets rise from front to back.
//!
//! Sorted arrays and not a tree: what has been lent once is lent again without an allocation.

use std::collections::VecDeque;

use super::Borrower;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Borrowing,
    Waiting,
}

pub(super) struct Book {
    total: usize,
    borrowed: usize,
    roll: Vec<(Borrower, Standing)>,
    line: VecDeque<(usize, Borrower)>,
    last_ticket: usize,
    last_nameless: u64,
    borrowed_max: usize,
    waiting_max: usize,
}

/// What a request comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Ask {
    /// It gets a token at once.
    Lend,
    /// It waits.
    Queue,
    /// It is refused: this borrower is in the book already.
    Refuse,
}

impl Book {
    pub(super) const fn new(total: usize) -> Self {
        Self {
            total,
            borrowed: 0,
            roll: Vec::new(),
            line: VecDeque::new(),
            last_ticket: 0,
            last_nameless: 0,
            borrowed_max: 0,
            waiting_max: 0,
        }
    }

    /// What a request of this borrower comes to. Changes nothing.
    pub(super) fn ask(&self, borrower: &Borrower) -> Ask {
        if self.find(borrower).is_ok() {
            Ask::Refuse
        } else if self.borrowed < self.total && self.line.is_empty() {
            Ask::Lend
        } else {
            Ask::Queue
        }
    }

    /// After Lend: writes the borrower down.
    pub(super) fn lend(&mut self, borrower: Borrower) {
        self.write_down(borrower, Standing::Borrowing);
        self.count_one();
    }

    /// After Queue: writes the borrower down at the end of the line, and says its ticket.
    pub(super) fn queue(&mut self, borrower: Borrower) -> usize {
        self.write_down(borrower.clone(), Standing::Waiting);
        self.last_ticket += 1; // a year of billions a second
        self.line.push_back((self.last_ticket, borrower));
        self.waiting_max = self.waiting_max.max(self.line.len());
        self.last_ticket
    }

    /// Lends to the front of the line, if anybody waits and there is a token.
    #[must_use]
    pub(super) fn lend_to_front(&mut self) -> bool {
        if self.borrowed >= self.total {
            return false;
        }
        let Some((_, borrower)) = self.line.pop_front() else {
            return false;
        };
        if let Ok(place) = self.find(&borrower) {
            self.roll[place].1 = Standing::Borrowing; // I2
        }
        self.count_one();
        true
    }

    /// Strikes one out that does not want to wait any more.
    pub(super) fn withdraw(&mut self, ticket: usize) {
        if let Ok(place) = self.line.binary_search_by_key(&ticket, |entry| entry.0) {
            if let Some((_, borrower)) = self.line.remove(place) {
                self.strike_out(&borrower);
            }
        }
    }

    /// A token comes back.
    pub(super) fn give_back(&mut self, borrower: &Borrower) {
        self.strike_out(borrower);
        self.borrowed -= 1;
    }

    pub(super) fn set_total(&mut self, total: usize) {
        self.total = total;
    }

    pub(super) fn next_nameless(&mut self) -> Borrower {
        self.last_nameless += 1;
        Borrower::nameless(self.last_nameless)
    }

    pub(super) fn total(&self) -> usize {
        self.total
    }

    pub(super) fn borrowed(&self) -> usize {
        self.borrowed
    }

    /// Tokens that could be lent at once.
    pub(super) fn available(&self) -> usize {
        match self.total {
            usize::MAX => usize::MAX,
            total => total.saturating_sub(self.borrowed),
        }
    }

    /// The most that were borrowed, and that waited, at once.
    pub(super) fn peaks(&self) -> (usize, usize) {
        (self.borrowed_max, self.waiting_max)
    }

    pub(super) fn borrowers(&self) -> Vec<Borrower> {
        let borrowing = |entry: &&(Borrower, Standing)| entry.1 == Standing::Borrowing;
        let borrowers = self.roll.iter().filter(borrowing);
        borrowers.map(|entry| entry.0.clone()).collect()
    }

    /// Those who wait, in their order.
    pub(super) fn waiting(&self) -> Vec<Borrower> {
        self.line.iter().map(|entry| entry.1.clone()).collect()
    }

    fn find(&self, borrower: &Borrower) -> Result<usize, usize> {
        self.roll.binary_search_by(|entry| entry.0.cmp(borrower))
    }

    fn write_down(&mut self, borrower: Borrower, standing: Standing) {
        match self.find(&borrower) {
            Ok(_) => unreachable!("whoever is in the book is refused before"), // I1
            Err(place) => self.roll.insert(place, (borrower, standing)),
        }
    }

    fn strike_out(&mut self, borrower: &Borrower) {
        if let Ok(place) = self.find(borrower) {
            self.roll.remove(place);
        }
    }

    fn count_one(&mut self) {
        self.borrowed += 1;
        self.borrowed_max = self.borrowed_max.max(self.borrowed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(borrowers: &[Borrower]) -> String {
        let names: Vec<_> = borrowers.iter().map(ToString::to_string).collect();
        names.join(" ")
    }

    #[test]
    fn asking() {
        for (total, borrowing, waiting, asks, says) in [
            (1, "", "", "a", Ask::Lend),
            (0, "", "", "a", Ask::Queue),
            (usize::MAX, "b", "", "a", Ask::Lend),
            (1, "b", "", "a", Ask::Queue),
            (2, "b", "c", "a", Ask::Queue),
            (1, "a", "", "a", Ask::Refuse),
            (0, "", "a", "a", Ask::Refuse),
        ] {
            let mut book = Book::new(total);
            for name in borrowing.split_terminator(' ') {
                book.lend(name.into());
            }
            for name in waiting.split_terminator(' ') {
                book.queue(name.into());
            }
            assert_eq!(
                book.ask(&asks.into()),
                says,
                "{total} {borrowing} {waiting}"
            );
        }
    }

    #[test]
    fn the_line_is_served_in_order_as_long_as_there_are_tokens() {
        let mut book = Book::new(0);
        let tickets = ["d", "b", "c", "a"].map(|name| book.queue(name.into()));
        assert!(!book.lend_to_front());
        book.withdraw(tickets[1]);
        book.withdraw(tickets[1]);
        assert_eq!(names(&book.waiting()), r#""d" "c" "a""#);
        book.set_total(2);
        assert!(book.lend_to_front() && book.lend_to_front() && !book.lend_to_front());
        assert_eq!(
            (names(&book.borrowers()), book.available()),
            (r#""c" "d""#.into(), 0)
        );
        book.set_total(1);
        book.give_back(&"c".into());
        assert!(!book.lend_to_front(), "still too many");
        book.give_back(&"d".into());
        assert!(book.lend_to_front() && !book.lend_to_front());
        book.give_back(&"a".into());
        assert_eq!(
            (book.borrowed(), book.available(), book.peaks()),
            (0, 1, (2, 4))
        );
        assert!(book.roll.is_empty() && book.line.is_empty());
    }

    #[test]
    fn nameless_borrowers_are_all_different() {
        let mut book = Book::new(usize::MAX);
        let (one, another) = (book.next_nameless(), book.next_nameless());
        assert_ne!(one, another);
        book.lend(one);
        book.lend(another);
        assert_eq!((book.borrowed(), book.available()), (2, usize::MAX));
    }
}
