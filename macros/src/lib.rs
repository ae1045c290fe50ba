//! The attribute macros of tenter: [`macro@main`] and [`macro@test`].
//!
//! Written on `proc_macro` alone, so that a program which uses them compiles no parser of Rust.
//! All that is needed of the language is the head of a function and a list of `name = value`.
//!
//! The function a user wrote is kept whole, as an inner `async fn`, and an outer function of the
//! same name, visibility, attributes and return type runs it:
//!
//! ```text
//! #[tenter::main]                      fn main() -> io::Result<()> {
//! async fn main() -> io::Result<()> {      async fn main() -> io::Result<()> { body }
//!     body                        ==>      ::tenter::__private::run_main(config, main())
//! }                                    }
//! ```
//!
//! So a type error in the body is the compiler's own, at the place where the user made it.
//! Rejected: wrapping the body in an `async` block. Its type is inferred from the outside in,
//! and a mismatch is then reported at the attribute.
//!
//! Reading (`args`, `function`) is generic over the span and knows tokens only as `token::Token`,
//! so that it can be tested without a compiler around it; `expand` is the one file that builds
//! compiler tokens. Every mistake is reported in one go, each at its own place.
//!
//! Tests: unit tests here for reading; `tests/tests/macros.rs` compiles the programs in `tests/ui`
//! and compares every diagnostic, and runs functions that carry the attributes.
#![deny(unsafe_code)]

use proc_macro::TokenStream;

mod args;
mod expand;
mod function;
mod token;
mod value;

/// Runs an `async fn` as a program: builds a runtime, runs the function to its end, then cancels
/// the tasks that are left and runs them until they have stopped, at most for 10 seconds.
///
/// Ctrl-c cancels the function, which is dropped where it waits; then comes the same end as always, and
/// the process exits with status 130. A second ctrl-c exits at once. A program that listens for ctrl-c
/// itself, or has a handler of its own, gets it instead.
///
/// The function takes no arguments and may return whatever `main` may return, so `?` works in it.
/// It need not be called `main`.
///
/// # Arguments
///
/// | argument | value | meaning, default |
/// |---|---|---|
/// | `flavor` | `"multi_thread"` or `"current_thread"` | the scheduler; default `"multi_thread"` |
/// | `workers` | integer, 1 or more | worker threads; default one for each core that the process may use; the flavor `current_thread` has exactly one |
/// | `ctrl_c` | `true` or `false` | whether the first ctrl-c cancels the function and the next one ends the process at once; `false` leaves ctrl-c alone; default `true` |
/// | `name` | string | names the runtime's threads; default `"tenter"` |
/// | `crate` | path | where the crate `tenter` is found, for those who re-export it; default `::tenter` |
///
/// # Errors
///
/// A wrong argument or signature is a compile error that names the mistake and the fix.
///
/// # Panics
///
/// The generated function panics if the runtime cannot be built (the system refuses a thread or a
/// file descriptor), or if it is called inside a runtime.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// #[tenter::main]
/// async fn main() -> std::io::Result<()> {
///     let answer = tenter::spawn(async { 6 * 7 });
///     tenter::time::sleep(Duration::from_millis(1)).await;
///     assert_eq!(answer.await.unwrap(), 42);
///     Ok(())
/// }
/// ```
#[doc(alias = "run")]
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(args::Kind::Main, args, item)
}

/// Turns an `async fn` into a test that runs on a runtime of its own.
///
/// By default the runtime is deterministic: one thread, ready tasks first in, first out, and a virtual
/// clock that jumps whenever every task waits, so a test that sleeps for an hour
/// takes no time and repeats exactly. When nothing can ever run again the test fails, with the list
/// of what each task waits on.
///
/// Other attributes stay: `#[should_panic]`, `#[ignore]`, `#[cfg(..)]`. The function may return a
/// `Result`. Do not add `#[test]`, this attribute does.
///
/// # Arguments
///
/// | argument | value | meaning, default |
/// |---|---|---|
/// | `flavor` | `"deterministic"`, `"multi_thread"` or `"current_thread"` | the scheduler; default `"deterministic"` |
/// | `workers` | integer, 1 or more | worker threads of `multi_thread`, default one for each core; the other flavors have exactly one |
/// | `seed` | integer, 64 bits | the ready tasks run in the random order of this seed |
/// | `schedules` | integer, 1 or more | runs the test in so many random orders, each with a seed of its own, the first of which is `seed` (default 0) |
/// | `timeout` | string such as `"250ms"`, `"5s"`, `"2m"` | fails the test when the runtime's clock has passed it; default none |
/// | `crate` | path | where the crate `tenter` is found; default `::tenter` |
///
/// # Errors
///
/// A wrong argument or signature is a compile error that names the mistake and the fix.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// #[tenter::test(seed = 7, timeout = "2m")]
/// async fn a_minute_passes_at_once() {
///     let start = tenter::time::now();
///     tenter::time::sleep(Duration::from_secs(60)).await;
///     assert_eq!(tenter::time::now().duration_since(start), Duration::from_secs(60));
/// }
/// ```
///
/// A bug that first in, first out hides, and the orders that find it:
///
/// ```no_run
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// #[tenter::test(seed = 1, schedules = 1000)]
/// async fn the_value_is_there() {
///     let value = Rc::new(Cell::new(None));
///     let writer = tenter::spawn_local({
///         let value = Rc::clone(&value);
///         async move { value.set(Some(7)) }
///     });
///     let reader = tenter::spawn_local(async move { value.get() });
///     assert_eq!(reader.await.unwrap(), Some(7)); // who says that the writer comes first?
///     writer.await.unwrap();
/// }
/// ```
///
/// The first order in which it fails is printed as a seed, together with the attribute that runs this
/// order alone. The environment variable `TENTER_SEED` does the same without a change of the program; it
/// applies to tests that have `seed` or `schedules`.
#[doc(alias = "IsolatedAsyncioTestCase")]
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(args::Kind::Test, args, item)
}
