//! Row X15 of the guide: what instruments are told of a program, word for word.

use tenter::Builder;
use tenter::instrument::{Instrument, TaskEnd, TaskEvent, ThreadEvent};
use tenter::task::{self, yield_now};
use tenter::time::{Duration, sleep};
use tenter_tests::support::{Log, build, never};

/// Writes every event down.
struct Diary(Log<String>);

impl Diary {
    fn add(&self, what: &str, event: &TaskEvent<'_>) {
        let name = event.task.name();
        let name = name.as_deref().unwrap_or("nameless");
        let at = event.worker.map_or("afar".to_owned(), |it| it.to_string());
        self.0.add(format!("{what} {name} {at}"));
    }

    fn add_thread(&self, what: &str, event: &ThreadEvent) {
        self.0.add(format!("{what} {}", event.worker));
    }
}

impl Instrument for Diary {
    fn before_run(&self, event: &ThreadEvent) {
        self.add_thread("before_run", event);
    }
    fn after_run(&self, event: &ThreadEvent) {
        self.add_thread("after_run", event);
    }
    fn task_spawned(&self, event: &TaskEvent<'_>) {
        self.add("spawned", event);
    }
    fn task_scheduled(&self, event: &TaskEvent<'_>) {
        self.add("scheduled", event);
    }
    fn before_task_step(&self, event: &TaskEvent<'_>) {
        self.add("before", event);
    }
    fn after_task_step(&self, event: &TaskEvent<'_>) {
        self.add("after", event);
    }
    fn task_exited(&self, event: &TaskEvent<'_>, end: TaskEnd) {
        self.add(&format!("exited {end}"), event);
    }
    fn before_io_wait(&self, event: &ThreadEvent) {
        self.add_thread("before_io_wait", event);
    }
    fn after_io_wait(&self, event: &ThreadEvent) {
        self.add_thread("after_io_wait", event);
    }
}

fn named(name: &str) -> task::Builder {
    task::Builder::new().name(name)
}

/// The diary of what a body does as the main future of a deterministic runtime.
fn diary_of(body: impl AsyncFnOnce()) -> Vec<String> {
    let log = Log::new();
    let runtime = build(Builder::deterministic(1).instrument(Diary(log.clone())));
    runtime.block_on(body());
    drop(runtime);
    log.take()
}

#[test]
fn x15_the_events_of_a_program_come_in_this_order() {
    let told = diary_of(async || {
        let child = named("child").spawn(async {
            yield_now().await;
            sleep(Duration::from_secs(1)).await;
        });
        child.await.unwrap();
    });
    let expected = [
        "before_run 0",
        "spawned main 0",
        "scheduled main 0",
        "before main 0",
        "spawned child 0",
        "scheduled child 0",
        "after main 0",
        "before child 0",
        "after child 0",
        "scheduled child 0", // It yields.
        "before child 0",
        "after child 0",
        "before_io_wait 0",
        "scheduled child 0", // By the timer.
        "after_io_wait 0",
        "before child 0",
        "exited done child 0",
        "scheduled main 0", // It joins.
        "after child 0",
        "before main 0",
        "exited done main 0",
        "after main 0",
        "after_run 0",
    ];
    assert_eq!(told, expected);
}

#[test]
fn x15_an_eager_task_has_its_first_step_inside_that_of_its_spawner() {
    let told = diary_of(async || {
        let ready = task::Builder::new().name("ready").eager(true);
        ready.spawn(async {}).await.unwrap();
        let waits = task::Builder::new().name("waits").eager(true);
        waits.spawn(yield_now()).await.unwrap();
    });
    let expected = [
        "before main 0",
        "spawned ready 0",
        "before ready 0",
        "exited done ready 0",
        "after ready 0",
        "spawned waits 0",
        "before waits 0",
        "after waits 0",
        "scheduled waits 0",
        "after main 0",
        "before waits 0",
        "exited done waits 0",
        "scheduled main 0",
        "after waits 0",
    ];
    assert_eq!(told[3..17], expected, "{told:#?}");
}

/// Goal: each way to end is told, the cancelled ones wherever they are: in the line, asleep, in their own
/// poll, left to the end of the runtime, and spawned after it.
#[test]
fn x15_how_a_task_ended_is_told() {
    let ends = |told: Vec<String>| -> Vec<String> {
        let ends = told.into_iter().filter(|line| line.starts_with("exited"));
        ends.filter(|line| !line.contains("main")).collect()
    };
    let told = diary_of(async || {
        let panics = named("panics").spawn(async { panic!("on purpose") });
        assert!(panics.await.unwrap_err().is_panic());
        let in_line = named("in line").spawn(never());
        in_line.cancel();
        assert!(in_line.await.unwrap_err().is_cancelled());
        let asleep = named("asleep").spawn(never());
        yield_now().await;
        asleep.cancel();
        assert!(asleep.await.unwrap_err().is_cancelled());
        let itself = named("itself").spawn(async {
            task::current().unwrap().canceller().cancel();
            never().await;
        });
        assert!(itself.await.unwrap_err().is_cancelled());
        drop(named("left").spawn(never()));
    });
    let expected = [
        "exited panicked panics 0",
        "exited cancelled in line 0",
        "exited cancelled asleep 0",
        "exited cancelled itself 0",
        "exited cancelled left 0",
    ];
    assert_eq!(ends(told), expected);

    let log = Log::new();
    let runtime = build(Builder::deterministic(1).instrument(Diary(log.clone())));
    let handle = runtime.handle().clone();
    drop(runtime);
    let late = handle.spawn(async {});
    assert!(late.is_finished());
    let expected = [
        "spawned nameless afar",
        "scheduled nameless afar",
        "exited cancelled nameless afar",
    ];
    assert_eq!(log.take(), expected);
}
