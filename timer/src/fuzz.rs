//! What `fuzz/targets/wheel.rs` runs: the wheel against an ordered map. The same inputs are replayed
//! below, so that what was found once is looked for by every test run.

pub use crate::wheel::fuzz as wheel;

#[cfg(test)]
mod tests {
    /// Goal: what the fuzzer has found interesting, or wrong, holds.
    #[test]
    fn the_corpus_of_the_wheel_is_replayed() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/wheel");
        let mut inputs = 0;
        for entry in std::fs::read_dir(corpus).expect("the corpus") {
            super::wheel(&std::fs::read(entry.expect("an entry").path()).expect("a file"));
            inputs += 1;
        }
        assert!(inputs >= 10, "only {inputs} inputs");
    }
}
