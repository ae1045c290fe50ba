//! What a record ends with.
//!
//! Of several separators that are found, the one that *ends* first counts, as in asyncio's
//! `readuntil`; of two that end at the same place the longer one.
//!
//! Tests: below, and `io/tests/records.rs`.

use std::io::BufRead;
use std::ops::Range;

/// What a record ends with: a byte, a sequence of bytes, or one of several sequences.
///
/// Implemented for `u8`, `&str`, `&[u8]`, `&[u8; N]`, and for arrays of `&str` or `&[u8]`, of which
/// the one that ends first counts.
pub trait Separator: sealed::Search {}

impl<S: sealed::Search> Separator for S {}

pub(crate) mod sealed {
    use std::ops::Range;

    pub trait Search {
        /// The length of the longest one.
        fn longest(&self) -> usize;

        /// The length of the shortest one.
        fn shortest(&self) -> usize;

        /// The first match that ends behind the first `seen` bytes.
        fn search(&self, bytes: &[u8], seen: usize) -> Option<Range<usize>>;
    }
}

use sealed::Search;

/// The place of the first `byte`.
pub(crate) fn find_byte(byte: u8, bytes: &[u8]) -> Option<usize> {
    // The search of the standard library for one byte, which is as fast as it gets, comes only in
    // this shape. A slice never fails to be read.
    let count = (&mut &*bytes).skip_until(byte).ok()?;
    let last = count.checked_sub(1)?;
    (bytes[last] == byte).then_some(last)
}

fn find_sequence(sequence: &[u8], bytes: &[u8], seen: usize) -> Option<Range<usize>> {
    let (last, _) = sequence.split_last()?;
    // The first place where the last byte of a match could be.
    let mut from = seen.max(sequence.len() - 1);
    loop {
        let end = from + find_byte(*last, bytes.get(from..)?)? + 1;
        if bytes[..end].ends_with(sequence) {
            return Some(end - sequence.len()..end);
        }
        from = end;
    }
}

fn first_to_end(found: impl Iterator<Item = Range<usize>>) -> Option<Range<usize>> {
    found.min_by_key(|range| (range.end, range.start))
}

impl Search for u8 {
    fn longest(&self) -> usize {
        1
    }

    fn shortest(&self) -> usize {
        1
    }

    fn search(&self, bytes: &[u8], seen: usize) -> Option<Range<usize>> {
        let at = seen + find_byte(*self, bytes.get(seen..)?)?;
        Some(at..at + 1)
    }
}

macro_rules! one_sequence {
    ([$($generic:tt)*] $type:ty) => {
        impl<$($generic)*> Search for $type {
            fn longest(&self) -> usize {
                self.len()
            }

            fn shortest(&self) -> usize {
                self.len()
            }

            fn search(&self, bytes: &[u8], seen: usize) -> Option<Range<usize>> {
                find_sequence(AsRef::<[u8]>::as_ref(*self), bytes, seen)
            }
        }
    };
}

macro_rules! one_of_several {
    ($type:ty) => {
        impl<const N: usize> Search for [$type; N] {
            fn longest(&self) -> usize {
                self.iter().map(Search::longest).max().unwrap_or(0)
            }

            fn shortest(&self) -> usize {
                self.iter().map(Search::shortest).min().unwrap_or(0)
            }

            fn search(&self, bytes: &[u8], seen: usize) -> Option<Range<usize>> {
                first_to_end(self.iter().filter_map(|one| one.search(bytes, seen)))
            }
        }
    };
}

one_sequence!([] & str);
one_sequence!([] & [u8]);
one_sequence!([const N: usize] &[u8; N]);
one_of_several!(&str);
one_of_several!(&[u8]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_is_found_and_nothing_else() {
        assert_eq!(find_byte(b'b', b"abab"), Some(1));
        assert_eq!(find_byte(b'a', b"abab"), Some(0));
        assert_eq!(find_byte(b'c', b"abab"), None);
        assert_eq!(find_byte(b'c', b""), None);
        assert_eq!(b'a'.search(b"abab", 1), Some(2..3));
        assert_eq!(b'a'.search(b"abab", 3), None);
        assert_eq!(b'a'.search(b"abab", 4), None);
    }

    #[test]
    fn a_sequence_may_begin_before_what_was_seen_but_not_end_there() {
        assert_eq!("aa".search(b"xaaax", 0), Some(1..3));
        assert_eq!("aa".search(b"xaaax", 2), Some(1..3));
        assert_eq!("aa".search(b"xaaax", 3), Some(2..4));
        assert_eq!("aa".search(b"xaaax", 4), None);
        assert_eq!("aab".search(b"aaab", 0), Some(1..4));
        assert_eq!((&b"abc"[..]).search(b"ab", 0), None);
        assert_eq!(b"abc".search(b"", 0), None);
    }

    #[test]
    fn of_several_the_one_that_ends_first_counts() {
        assert_eq!(["DEF", "BCDE"].search(b"ABCDEFG", 0), Some(1..5));
        assert_eq!(["\n", "\r\n"].search(b"a\r\n", 0), Some(1..3));
        let none: [&str; 0] = [];
        assert_eq!(none.search(b"a", 0), None);
    }

    #[test]
    fn the_search_agrees_with_one_that_looks_everywhere() {
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        for _ in 0..20_000 {
            let mut letters = |most| -> Vec<u8> {
                let length = 1 + random(most);
                (0..length).map(|_| b'a' + random(2) as u8).collect()
            };
            let (bytes, one, two) = (letters(12), letters(3), letters(3));
            let seen = random(bytes.len() + 1);
            let everywhere = first_to_end([&one, &two].into_iter().flat_map(|separator| {
                (seen + 1..=bytes.len())
                    .filter(|end| bytes[..*end].ends_with(separator))
                    .map(|end| end - separator.len()..end)
            }));
            assert_eq!([&one[..], &two[..]].search(&bytes, seen), everywhere);
        }
    }
}
