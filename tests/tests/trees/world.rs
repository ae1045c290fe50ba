//! What is alive in a tree, what has failed, and who saw it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tenter::task::{TaskId, Unobserved, UnobservedKind};
use tenter::time::sleep;

/// How often to look whether all has ended.
const REST: usize = 10_000;

/// A bug that the test makes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    None,
    /// Clean-ups are done in a task of their own.
    CleanUpsInTheBackground,
    /// A child is no child of its group.
    ChildrenInTheBackground,
    /// Of a group's failures the last is not looked at.
    LosesAFailure,
    /// One is looked at twice.
    SeesTwice,
    /// A clean-up is disarmed.
    SkipsACleanUp,
}

/// All that belongs to one tree.
pub struct World {
    pub seed: u64,
    pub plant: Plant,
    /// What times are counted in.
    pub unit: Duration,
    /// Futures of groups are dropped half-way, so that children outlive their scope.
    pub drops: bool,
    trace: bool,
    /// How many tasks may still be spawned.
    tasks: AtomicUsize,
    alive: AtomicUsize,
    deferred: AtomicUsize,
    cleaned: AtomicUsize,
    ledger: Mutex<Vec<Entry>>,
    complaints: Mutex<Vec<String>>,
}

/// A failure.
#[derive(Default)]
struct Entry {
    panic: bool,
    /// The child that returned it.
    owner: Option<TaskId>,
    /// It went with whatever a shield returned.
    may_be_lost: bool,
    seen: usize,
}

impl World {
    pub fn new(seed: u64, plant: Plant, unit: Duration, trace: bool) -> Arc<Self> {
        Arc::new(Self {
            seed,
            plant,
            unit,
            drops: seed % 3 == 0,
            trace,
            tasks: AtomicUsize::new(16),
            alive: AtomicUsize::new(0),
            deferred: AtomicUsize::new(0),
            cleaned: AtomicUsize::new(0),
            ledger: Mutex::new(Vec::new()),
            complaints: Mutex::new(Vec::new()),
        })
    }

    pub fn note(&self, what: impl FnOnce() -> String) {
        if self.trace {
            let task = tenter::task::try_id().map_or_else(|| "-".to_owned(), |id| id.to_string());
            eprintln!("[{task}] {}", what());
        }
    }

    pub fn complain(&self, what: String) {
        self.note(|| format!("WRONG: {what}"));
        self.complaints.lock().push(what);
    }

    pub fn complaints(&self) -> Vec<String> {
        core::mem::take(&mut self.complaints.lock())
    }

    /// Whether one more task may be spawned.
    pub fn one_more_task(&self) -> bool {
        let less = |tasks: usize| tasks.checked_sub(1);
        let taken = self
            .tasks
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.is_ok()
    }

    fn fail(&self, panic: bool) -> usize {
        let mut ledger = self.ledger.lock();
        ledger.push(Entry {
            panic,
            ..Entry::default()
        });
        let number = ledger.len() - 1;
        drop(ledger);
        self.note(|| format!("fails with fault {number}, panic: {panic}"));
        number
    }

    /// Panics.
    pub fn panic(&self) -> ! {
        let number = self.fail(true);
        panic!("fault {number}")
    }

    /// A panic was seen by somebody.
    pub fn saw_panic(&self, message: &str) {
        let number = message.rsplit_once("fault ").map(|(_, number)| number);
        match number.and_then(|number| number.parse().ok()) {
            Some(number) => self.saw(number),
            None => self.complain(format!("an unknown panic: {message}")),
        }
    }

    fn saw(&self, number: usize) {
        self.note(|| format!("fault {number} is seen"));
        self.ledger.lock()[number].seen += 1;
    }

    pub fn unobserved(&self, failure: &Unobserved<'_>) {
        self.note(|| format!("reported: {failure}"));
        if failure.kind() != UnobservedKind::GroupChild {
            self.saw_panic(failure.message());
            return;
        }
        let owner = Some(failure.task_id());
        let number = self.ledger.lock().iter().position(|it| it.owner == owner);
        match number {
            Some(number) => self.saw(number),
            None => self.complain(format!("a report of nothing: {failure}")),
        }
    }

    pub fn defer(&self) {
        self.deferred.fetch_add(1, Ordering::Relaxed);
    }

    pub fn cleaned(&self) {
        self.cleaned.fetch_add(1, Ordering::Relaxed);
    }

    /// Until what was dropped half-way has ended, too.
    pub async fn rest(&self) {
        for _ in 0..REST {
            if self.alive.load(Ordering::Acquire) == 0 {
                return;
            }
            sleep(10 * self.unit).await;
        }
    }

    /// Nothing is left.
    pub fn check_dead(&self, when: &str) {
        let alive = self.alive.load(Ordering::Acquire);
        if alive > 0 {
            self.complain(format!("{alive} things are alive {when}"));
        }
    }

    /// All that happened was seen.
    pub fn check_ledger(&self) {
        let (deferred, cleaned) = (
            self.deferred.load(Ordering::Relaxed),
            self.cleaned.load(Ordering::Relaxed),
        );
        if deferred != cleaned {
            self.complain(format!("of {deferred} clean-ups {cleaned} ran"));
        }
        let ledger = core::mem::take(&mut *self.ledger.lock());
        for (number, entry) in ledger.iter().enumerate() {
            // What a body returns goes with its future.
            let may_be_lost =
                (self.drops || entry.may_be_lost) && entry.owner.is_none() && !entry.panic;
            match entry.seen {
                1 => {}
                0 if may_be_lost => {}
                0 => self.complain(format!("fault {number} was never seen")),
                times => self.complain(format!("fault {number} was seen {times} times")),
            }
        }
    }
}

/// An error.
pub struct Fault {
    world: Arc<World>,
    number: usize,
}

impl Fault {
    pub fn new(world: &Arc<World>) -> Self {
        Self {
            number: world.fail(false),
            world: Arc::clone(world),
        }
    }

    /// It is what a child returns.
    pub fn of_child(self) -> Self {
        let owner = tenter::task::try_id();
        self.world.ledger.lock()[self.number].owner = owner;
        self
    }

    /// It is what a shield returns.
    pub fn behind_a_shield(self) -> Self {
        self.world.ledger.lock()[self.number].may_be_lost = true;
        self
    }

    /// The child that returned it.
    pub fn owner(&self) -> Option<TaskId> {
        self.world.ledger.lock()[self.number].owner
    }

    /// It was seen by somebody, as a failure of that task.
    pub fn see(self, task: Option<TaskId>) {
        let owner = self.world.ledger.lock()[self.number].owner;
        if owner != task {
            let (world, number) = (&self.world, self.number);
            world.complain(format!("fault {number} is of {owner:?}, not of {task:?}"));
        }
        self.world.saw(self.number);
    }
}

impl std::fmt::Debug for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "fault {}", self.number)
    }
}

/// A scope: what is alive in it.
pub struct Scope {
    around: Option<Arc<Scope>>,
    alive: AtomicUsize,
}

impl Scope {
    pub fn new(around: Option<&Arc<Scope>>) -> Arc<Self> {
        Arc::new(Self {
            around: around.cloned(),
            alive: AtomicUsize::new(0),
        })
    }

    /// The scope has returned.
    pub fn check_dead(&self, world: &World, what: &str) {
        let alive = self.alive.load(Ordering::Acquire);
        if alive > 0 {
            world.complain(format!("{alive} things are alive after {what}"));
        }
    }
}

/// Something that is alive.
pub struct Alive {
    world: Arc<World>,
    scope: Option<Arc<Scope>>,
}

impl Alive {
    pub fn new(world: &Arc<World>, scope: &Arc<Scope>) -> Self {
        Self::within(world, Some(Arc::clone(scope)))
    }

    /// Of what may be handed to whoever drops it.
    pub fn clean_up(world: &Arc<World>, scope: &Arc<Scope>) -> Self {
        Self::within(world, Some(Arc::clone(scope)).filter(|_| !world.drops))
    }

    fn within(world: &Arc<World>, scope: Option<Arc<Scope>>) -> Self {
        let alive = Self {
            world: Arc::clone(world),
            scope,
        };
        alive.each(|alive| {
            alive.fetch_add(1, Ordering::Relaxed);
        });
        alive
    }

    fn each(&self, change: impl Fn(&AtomicUsize)) {
        let mut scope = self.scope.as_ref();
        while let Some(this) = scope {
            change(&this.alive);
            // A future that is dropped inside lets go of what its children are.
            scope = this.around.as_ref().filter(|_| !self.world.drops);
        }
        change(&self.world.alive);
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.each(|alive| {
            alive.fetch_sub(1, Ordering::Release);
        });
    }
}
