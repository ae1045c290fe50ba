//! What the fuzzer has found interesting, or wrong, in what is public. The rest: `io/src/fuzz.rs`.

#[path = "../../fuzz/bodies/buffered.rs"]
mod body;

#[test]
fn the_corpus_of_the_buffered_reader_is_replayed() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/buffered");
    let mut inputs = 0;
    for entry in std::fs::read_dir(corpus).expect("the corpus") {
        body::buffered(&std::fs::read(entry.expect("an entry").path()).expect("a file"));
        inputs += 1;
    }
    assert!(inputs >= 10, "only {inputs} inputs");
}
