//! What the attribute macros call. Not part of the public interface.

use core::future::Future;
use core::time::Duration;

pub mod blocking {
    //! The blocking pool apart from a runtime, for tests.
    pub use crate::blocking::{Home, Metrics, Pool, Refuse, Settings, StuckJob};
}

/// Sets how much real time a virtual clock gives to what the runtime does not see.
pub fn with_grace(builder: Builder, grace: Duration) -> Builder {
    builder.grace(grace)
}

pub mod combine {
    //! What the macros of the combinators call.
    pub use core::future::IntoFuture;

    pub use crate::combine::tuple::{TryTuple, Tuple, gather_tuple, try_gather_tuple};
}

pub mod select {
    //! What `select!` calls.
    pub use crate::combine::select::{Ask, Fused, NotFused, Over, Select};
}

/// The program `tenter`.
#[cfg(feature = "inspect")]
pub fn inspect() -> std::process::ExitCode {
    crate::inspect::client::main()
}

use crate::builder::Builder;
pub use crate::builder::Flavor;
#[cfg(feature = "signal")]
use crate::ctrl_c::CtrlC;
use crate::runner::{self, Interrupted};
use crate::runtime::Runtime;
pub use crate::scheduler::choices::choose;
pub use crate::testing::schedules::{Outcome, run_schedules};

/// The arguments of `#[tenter::main]`.
#[derive(Clone, Copy, Debug)]
pub struct MainConfig {
    /// `flavor = ".."`
    pub flavor: Flavor,
    /// `workers = n`
    pub workers: Option<usize>,
    /// `name = ".."`
    pub name: Option<&'static str>,
    /// `ctrl_c = ..`: whether ctrl-c cancels the function.
    pub ctrl_c: bool,
}

impl Default for MainConfig {
    fn default() -> Self {
        Self {
            flavor: Flavor::MultiThread,
            workers: None,
            name: None,
            ctrl_c: true,
        }
    }
}

/// The arguments of `#[tenter::test]`.
#[derive(Clone, Copy, Debug)]
pub struct TestConfig {
    /// `flavor = ".."`
    pub flavor: Flavor,
    /// `workers = n`
    pub workers: Option<usize>,
    /// `seed = n`
    pub seed: u64,
    /// `timeout = ".."`, on the clock of the runtime.
    pub timeout: Option<Duration>,
    /// The name of the test function.
    pub name: &'static str,
}

impl Default for TestConfig {
    fn default() -> Self {
        Self {
            flavor: Flavor::Deterministic,
            workers: None,
            seed: 0,
            timeout: None,
            name: "test",
        }
    }
}

fn builder(flavor: Flavor, workers: Option<usize>, seed: u64) -> Builder {
    let settings = match flavor {
        Flavor::MultiThread => Builder::multi_thread(),
        Flavor::CurrentThread => Builder::current_thread(),
        Flavor::Deterministic => Builder::deterministic(seed),
    };
    match workers {
        Some(workers) => settings.workers(workers),
        None => settings,
    }
}

#[track_caller]
fn build(builder: Builder, attribute: &str) -> Runtime {
    builder
        .build()
        .unwrap_or_else(|error| panic!("#[tenter::{attribute}] could not make a runtime: {error}"))
}

/// Runs the body of a `#[tenter::main]`.
#[track_caller]
pub fn run_main<F: Future>(config: MainConfig, main: F) -> F::Output {
    let mut settings = builder(config.flavor, config.workers, 0);
    if let Some(name) = config.name {
        settings = settings.name(name);
    }
    #[cfg(feature = "signal")]
    if config.ctrl_c {
        settings = settings.ctrl_c(CtrlC::CancelMain);
    }
    let at = runner::check_nested("#[tenter::main]");
    match runner::run_program(build(settings, "main"), at, main) {
        Ok(output) => output,
        Err(Interrupted { .. }) => std::process::exit(130),
    }
}

/// Runs the body of a `#[tenter::test]`.
///
/// # Panics
///
/// If the test takes longer than its timeout.
#[track_caller]
pub fn run_test<F: Future>(config: TestConfig, test: F) -> F::Output {
    run_in(config, false, test)
}

/// Runs the body of a test on a runtime of its own, its tasks in the order of the seed if so wanted.
#[track_caller]
pub(crate) fn run_in<F: Future>(config: TestConfig, random_order: bool, test: F) -> F::Output {
    let settings = builder(config.flavor, config.workers, config.seed)
        .name(config.name)
        .random_order(random_order);
    let runtime = build(settings, "test");
    let Some(timeout) = config.timeout else {
        return runtime.block_on(test);
    };
    let limited = runtime.block_on(async { tenter_timer::timeout(timeout, test).await });
    limited.unwrap_or_else(|_| {
        panic!(
            "the test {} did not end within {timeout:?}, its timeout",
            config.name
        )
    })
}
