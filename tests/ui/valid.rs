//! Every accepted form: no error and, with the lints denied below, no warning.
#![deny(warnings, unused, missing_docs, unreachable_pub, unsafe_code)]

/// Another name for the runtime.
pub mod reexport {
    pub use ::tenter;
}

/// Attributes, visibility and return type stay.
#[must_use]
#[tenter::main(flavor = "current_thread", workers = 1, name = "api", ctrl_c = true, crate = reexport::tenter)]
pub async fn everything() -> u8 {
    #[expect(unused_variables, reason = "to see that the level is inherited")]
    let unused = 1;
    7
}

macro_rules! through_a_macro {
    ($visibility:vis $name:ident, $result:ty, $body:block, $seed:literal, $timeout:expr) => {
        #[tenter::test(seed = $seed, timeout = $timeout)]
        $visibility async fn $name() -> $result $body
    };
}

through_a_macro!(pub(crate) fragments, Result<(), std::fmt::Error>, { Ok(()) }, 7, "5s");

#[tenter::test]
#[should_panic(expected = "on purpose")]
async fn panics() {
    panic!("on purpose");
}

#[tenter::test(seed = 7, schedules = 1000, timeout = "5s")]
async fn many_schedules() -> Result<(), std::fmt::Error> {
    Ok(())
}

#[tenter::test(flavor = "multi_thread", workers = 2, timeout = "1m")]
async fn two_workers() {}

#[tenter::test(flavor = "current_thread",)]
#[cfg(any())]
async fn left_out() {
    this_does_not_exist();
}

#[tenter::main(crate = ::tenter)]
async fn main() -> std::process::ExitCode {
    let local = std::rc::Rc::new(0);
    std::future::ready(()).await;
    std::process::ExitCode::from(*local)
}
