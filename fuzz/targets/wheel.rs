//! The timer wheel, against an ordered map.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tenter_timer::fuzz::wheel(data));
