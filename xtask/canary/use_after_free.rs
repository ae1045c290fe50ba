//! A use after free on purpose. `cargo xtask asan` fails unless AddressSanitizer reports it.

fn main() {
    let value = Box::into_raw(Box::new(7_u64));
    // SAFETY: the box is freed once; the read below is the bug.
    drop(unsafe { Box::from_raw(value) });
    // SAFETY: none; the value is gone, and that is what must be reported.
    println!("{}", unsafe { value.read_volatile() });
}
