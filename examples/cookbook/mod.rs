//! Run: `cargo run --release --example cookbook` lists the programs, `… --example cookbook -- p04` runs one
//!
//! Short programs, each in a file of its own: `p01` to `p28` are whole programs, `f01` to `f16` show one
//! thing each. All of them print with `println!` and begin at their `main`. To have one as a program of
//! its own, copy the file and write `#[tenter::main]` over its `main`.
//!
//! What is different here and in a program of your own: `println!` and `thread::sleep` are those of
//! [`stage`], so that one test can run all of them and see which line came when.

pub mod site;
pub mod stage;

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;

/// Prints a line, or shows it to the test that runs the program.
macro_rules! println {
    ($($text:tt)*) => {
        $crate::cookbook::stage::line(format!($($text)*))
    };
}

/// What makes the future of a program.
type Start = fn(site: String) -> Pin<Box<dyn Future<Output = Result<(), String>>>>;

/// A program of the cookbook.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The name of its file, without the ending: `p04_workers`.
    pub file: &'static str,
    /// What it shows.
    pub title: &'static str,
    start: Start,
    needs_site: bool,
}

impl Program {
    /// `p04`.
    #[must_use]
    pub fn id(&self) -> &'static str {
        &self.file[..3]
    }

    /// The program with this id.
    #[must_use]
    pub fn find(id: &str) -> Option<&'static Program> {
        PROGRAMS.iter().find(|program| program.id() == id)
    }

    /// Runs it to its end. One that fetches pages gets a [site](site::Site) of its own for that.
    ///
    /// # Errors
    ///
    /// What its `main` returned, as text.
    pub async fn run(&self) -> Result<(), String> {
        if !self.needs_site {
            return (self.start)(String::new()).await;
        }
        let site = site::Site::open()
            .await
            .map_err(|error| error.to_string())?;
        let ended = (self.start)(site.url().to_owned()).await;
        site.close().await.map_err(|error| error.to_string())?;
        ended
    }

    /// Runs it against a site that is there already, or is not.
    ///
    /// # Errors
    ///
    /// What its `main` returned, as text.
    pub async fn run_with_site(&self, url: &str) -> Result<(), String> {
        (self.start)(url.to_owned()).await
    }
}

/// What a `main` may return.
trait Ended {
    fn ended(self) -> Result<(), String>;
}

impl Ended for () {
    fn ended(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: Display> Ended for Result<(), E> {
    fn ended(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}

/// The modules, and the list of them.
macro_rules! programs {
    ($($file:ident $kind:ident $title:literal;)*) => {
        $(mod $file;)*

        /// All programs, in the order of their ids.
        pub const PROGRAMS: &[Program] = &[$(Program {
            file: stringify!($file),
            title: $title,
            start: |site| Box::pin(async move { programs!(@ $kind $file site).ended() }),
            needs_site: programs!(@ $kind),
        }),*];
    };
    (@ main $file:ident $site:ident) => {{
        drop($site);
        $file::main().await
    }};
    (@ site $file:ident $site:ident) => { $file::main(&$site).await };
    (@ sync $file:ident $site:ident) => {{
        drop($site);
        $file::main()
    }};
    (@ site) => { true };
    (@ $other:ident) => { false };
}

programs! {
    p01_hello main "a line, a second, another line";
    p02_gather main "two at a time take as long as the longer one";
    p03_background main "a task goes on while main does something else";
    p04_workers main "two workers empty a queue";
    p05_resource main "what is acquired is released";
    p06_lock main "one at a time";
    p07_run main "the smallest program";
    p08_timeout main "what takes too long is given up";
    p09_greet main "a function with an argument";
    p10_restaurant main "five tables, one waiter who never stands still";
    p11_restaurant_blocking sync "five tables, one waiter who stands still";
    p12_fetch_all site "five pages at a time, and an error is one page's own";
    p13_results main "results in the order of the arguments";
    p14_pause main "a pause that blocks nobody";
    p15_fetch site "one page";
    p16_steps main "long work in steps";
    p17_error_inside main "an error that is dealt with where it happens";
    p18_entry main "one place where it begins";
    p19_two_tasks main "tasks run from when they are made";
    p20_gather_tasks main "tasks that run already are gathered";
    p21_color_and_read main "two things at once";
    p22_hello_again main "hello, once more";
    p23_gather_two main "the second is done first";
    p24_fetch_start site "the beginning of a page";
    p25_background_done main "main waits for what it has begun";
    p26_error_outside main "an error goes to who awaits";
    p27_cancel_consumer main "a loop without an end is cancelled";
    p28_blocking_task main "work that blocks, next to work that does not";
    f01_skeleton main "what every program has";
    f02_sleep main "a pause of two seconds";
    f03_spawn main "a task";
    f04_gather main "two at a time";
    f05_wait main "who is done, and who is not yet";
    f06_blocking main "a function that blocks";
    f07_static_queue main "a queue that is a static";
    f08_static_semaphore main "never more than two at a time";
    f09_static_event main "one waits for what the other says";
    f10_static_condition main "a change is announced";
    f11_three_tasks main "three tasks, in the order of their ends";
    f12_task_group main "a group that waits for its tasks";
    f13_is_locked main "is it in use?";
    f14_semaphore main "how many at the same time";
    f15_event main "set, and clear again";
    f16_explained main "a program, explained line by line";
}
