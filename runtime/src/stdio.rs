//! Standard input, output and error.
//!
//! | file | what |
//! |---|---|
//! | `stdio/input.rs` | one thread reads, when somebody asks |
//! | `stdio/output.rs` | bytes are written behind, in the order in which they were accepted |
//!
//! Tests: `tests/tests/stdio.rs`.

mod input;
mod output;

pub use self::input::{Stdin, stdin};
pub use self::output::{Stderr, Stdout, stderr, stdout};
