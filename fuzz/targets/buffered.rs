//! The buffered reader, against the text that it reads.

#![no_main]

#[path = "../bodies/buffered.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::buffered(data));
