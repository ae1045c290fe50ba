//! The slab of registrations and the table of who holds a number, against maps.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tenter_io::fuzz::slab(data));
