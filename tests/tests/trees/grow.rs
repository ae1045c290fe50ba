//! How a tree grows: bodies that do a few random things, most of which have bodies inside.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tenter::task::yield_now;
use tenter::time::{sleep, timeout};
use tenter::{
    CancelScope, Failure, GroupError, GroupHandle, JoinError, JoinHandle, StartError, Started,
    defer_async, shield, spawn, task_group_with,
};
use tenter_tests::support::text_of;

use super::world::{Alive, Fault, Plant, Scope, World};

type Ended = Result<(), Fault>;
type Body = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// Where a body runs.
#[derive(Clone)]
struct Place {
    world: Arc<World>,
    /// Of the group, or of a scope in it.
    scope: Arc<Scope>,
    /// Of the group: what its children belong to.
    of_group: Arc<Scope>,
    group: GroupHandle<Fault>,
    /// Children wait for their turn, so they must not wait for siblings.
    limited: bool,
    depth: usize,
}

/// What a body is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Group,
    Child,
    Scope,
    /// No scope: what is deferred here is done by the runtime, while the scope around goes on.
    Shield,
}

/// Numbers that look random.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn fork(&mut self) -> Dice {
        Dice(self.next())
    }

    fn moment(&mut self, world: &World) -> Duration {
        world.unit * self.below(6) as u32
    }
}

/// A whole tree.
pub async fn tree(world: Arc<World>) {
    let mut dice = Dice(world.seed);
    let root = spawn(outermost(Arc::clone(&world), dice.fork()));
    if dice.one_in(4) {
        wait(&world, &mut dice).await;
        world.note(|| "the root is cancelled".to_owned());
        root.cancel();
    }
    match root.await {
        Ok(()) => {}
        Err(error) => see_join_error(&world, error),
    }
    if !world.drops {
        world.check_dead("at the end");
    }
    world.rest().await;
    world.check_dead("for ever");
    world.check_ledger();
}

async fn outermost(world: Arc<World>, dice: Dice) {
    let scope = Scope::new(None);
    if let Err(fault) = grow_group(world, scope, 0, dice).await {
        fault.see(None);
    }
}

/// A few turns, or some time.
async fn wait(world: &World, dice: &mut Dice) {
    if dice.one_in(3) {
        sleep(dice.moment(world)).await;
    } else {
        for _ in 0..dice.below(5) {
            yield_now().await;
        }
    }
}

/// A group. What fails in it is seen here.
fn grow_group(world: Arc<World>, around: Arc<Scope>, depth: usize, mut dice: Dice) -> Body {
    Box::pin(async move {
        let scope = Scope::new(Some(&around));
        let limit = dice.one_in(4).then(|| 1 + dice.below(3) as usize);
        let fails_on = dice.one_in(4);
        let ended = task_group_with({
            let (world, scope) = (Arc::clone(&world), Arc::clone(&scope));
            move |group| {
                if let Some(limit) = limit {
                    group.limit(limit);
                }
                let place = Place {
                    world,
                    of_group: Arc::clone(&scope),
                    scope,
                    group,
                    limited: limit.is_some(),
                    depth,
                };
                grow(place, dice, Role::Group)
            }
        })
        .await;
        scope.check_dead(&world, "a group");
        world.note(|| format!("a group has ended: {ended:?}"));
        match ended {
            Ok(()) => Ok(()),
            Err(error) => {
                see_group_error(&world, error);
                if fails_on {
                    Err(Fault::new(&world))
                } else {
                    Ok(())
                }
            }
        }
    })
}

fn see_group_error(world: &World, error: GroupError<Fault>) {
    let loses = world.plant == Plant::LosesAFailure;
    let last = error.len() - 1;
    for (index, failure) in error.into_iter().enumerate() {
        match failure {
            _ if loses && index == last => {}
            Failure::Error { error, task, .. } => error.see(task),
            Failure::Panic(panic) => {
                world.saw_panic(panic.message());
                if world.plant == Plant::SeesTwice {
                    world.saw_panic(panic.message());
                }
            }
            _ => {}
        }
    }
}

fn see_join_error(world: &World, error: JoinError) {
    if error.is_panic() {
        world.saw_panic(text_of(&*error.into_panic()));
    }
}

/// A body: what a group, a child or a scope does.
fn grow(place: Place, mut dice: Dice, role: Role) -> Body {
    Box::pin(async move {
        let alive = Alive::new(&place.world, &place.scope);
        let defers = dice.one_in(3) && (role != Role::Shield || place.world.drops);
        let _clean_up = defers.then(|| clean_up(&place, &mut dice));
        let mut bad_drop = dice
            .one_in(40)
            .then(|| BadDrop(Some(Arc::clone(&place.world))));
        let mut children: Vec<JoinHandle<()>> = Vec::new();
        for _ in 0..=dice.below(4) {
            if let Err(fault) = step(&place, &mut dice, &mut children, role).await {
                if let Some(bad_drop) = &mut bad_drop {
                    // It would replace this failure, not add one.
                    bad_drop.0 = None;
                }
                return Err(fault);
            }
        }
        drop(alive);
        Ok(())
    })
}

/// Panics when it is dropped, unless there is a panic already.
struct BadDrop(Option<Arc<World>>);

impl Drop for BadDrop {
    fn drop(&mut self) {
        match &self.0 {
            Some(world) if !std::thread::panicking() => world.panic(),
            _ => {}
        }
    }
}

fn clean_up(place: &Place, dice: &mut Dice) -> Box<dyn Send> {
    let world = Arc::clone(&place.world);
    world.defer();
    let alive = Alive::clean_up(&world, &place.scope);
    let again = dice.one_in(4).then(|| place.clone());
    let mut dice = dice.fork();
    let what = {
        let world = Arc::clone(&world);
        async move {
            let _alive = alive;
            wait(&world, &mut dice).await;
            let _again = again.map(|place| clean_up(&place, &mut dice));
            world.note(|| "a clean-up is done".to_owned());
            world.cleaned();
            if dice.one_in(10) {
                world.panic();
            }
        }
    };
    match world.plant {
        Plant::CleanUpsInTheBackground => {
            let mut what = Some(what);
            Box::new(tenter_tests::support::OnDrop(move || {
                drop(spawn(what.take().expect("dropped once")));
            }))
        }
        Plant::SkipsACleanUp if world.seed % 5 == 0 => {
            defer_async(what).disarm();
            Box::new(())
        }
        _ => Box::new(defer_async(what)),
    }
}

async fn step(
    place: &Place,
    dice: &mut Dice,
    children: &mut Vec<JoinHandle<()>>,
    role: Role,
) -> Ended {
    let Place { world, group, .. } = place;
    let deeper = place.depth < 3;
    let may_wait = role == Role::Group || !place.limited;
    match dice.below(24) {
        0..=2 => wait(world, dice).await,
        3..=8 if world.one_more_task() => {
            world.note(|| "spawns".to_owned());
            children.push(spawn_child(place, dice));
        }
        9 | 10 if deeper => {
            let scope = Arc::clone(&place.scope);
            grow_group(Arc::clone(world), scope, place.depth + 1, dice.fork()).await?;
        }
        11 if dice.one_in(2) => return Err(Fault::new(world)),
        12 if dice.one_in(3) => world.panic(),
        13 => {
            if let Some(child) = children.pop() {
                world.note(|| format!("cancels {}", child.id()));
                child.cancel();
            }
        }
        14 if may_wait => {
            if let Some(child) = children.pop() {
                if let Err(error) = child.await {
                    see_join_error(world, error);
                }
            }
        }
        15 if dice.one_in(3) => {
            world.note(|| "cancels the children".to_owned());
            group.cancel_children("at random");
        }
        16 if dice.one_in(4) => {
            world.note(|| "cancels the group".to_owned());
            group.cancel("at random");
        }
        17 if deeper => {
            world.note(|| "a shield".to_owned());
            let body = grow(inside(place, None), dice.fork(), Role::Shield);
            shield(behind_a_shield(body)).await?;
        }
        18 if deeper => in_time(place, dice).await?,
        19 if deeper => in_scope(place, dice, children).await?,
        20 if deeper && world.drops => half_way(place, dice).await,
        21 if may_wait && world.one_more_task() => start(place, dice).await,
        22 => {
            let ended = group.join_next();
            // A child never waits for all of its siblings: it is one of them.
            drop(timeout(dice.moment(world), ended).await);
        }
        _ => {}
    }
    Ok(())
}

/// If the scope around was cancelled meanwhile, what a shield returns is dropped with it.
async fn behind_a_shield(body: Body) -> Ended {
    body.await.map_err(Fault::behind_a_shield)
}

/// The same place, one deeper, perhaps in a scope of its own.
fn inside(place: &Place, scope: Option<&Arc<Scope>>) -> Place {
    Place {
        scope: Arc::clone(scope.unwrap_or(&place.scope)),
        depth: place.depth + 1,
        ..place.clone()
    }
}

/// What a child does, in the group, wherever it is spawned from.
async fn child(place: Place, dice: Dice, alive: Alive) -> Ended {
    let ended = grow(place, dice, Role::Child).await;
    drop(alive);
    ended.map_err(Fault::of_child)
}

fn spawn_child(place: &Place, dice: &mut Dice) -> JoinHandle<()> {
    let place = inside(place, Some(&place.of_group));
    let alive = Alive::new(&place.world, &place.of_group);
    let group = place.group.clone();
    let what = child(place.clone(), dice.fork(), alive);
    if place.world.plant == Plant::ChildrenInTheBackground {
        let world = Arc::clone(&place.world);
        return spawn(async move {
            if let Err(fault) = what.await {
                let task = tenter::task::try_id();
                fault.see(task);
                world.note(|| "a child in the background has failed".to_owned());
            }
        });
    }
    group.spawn(what)
}

async fn in_time(place: &Place, dice: &mut Dice) -> Ended {
    let scope = Scope::new(Some(&place.scope));
    let body = grow(inside(place, Some(&scope)), dice.fork(), Role::Scope);
    let ended = timeout(dice.moment(&place.world), body).await;
    scope.check_dead(&place.world, "a timeout");
    ended.unwrap_or(Ok(()))
}

async fn in_scope(place: &Place, dice: &mut Dice, children: &mut Vec<JoinHandle<()>>) -> Ended {
    let is_shield = dice.one_in(4);
    let cancel_scope = CancelScope::new().shield(is_shield);
    let handle = cancel_scope.handle();
    if dice.one_in(2) && place.world.one_more_task() {
        let alive = Alive::new(&place.world, &place.of_group);
        let mut dice = dice.fork();
        let world = Arc::clone(&place.world);
        children.push(place.group.spawn(async move {
            let _alive = alive;
            wait(&world, &mut dice).await;
            world.note(|| "a scope is cancelled".to_owned());
            handle.cancel("at random");
            Ok(())
        }));
    } else if dice.one_in(2) {
        handle.set_deadline(tenter::time::now() + dice.moment(&place.world));
    } else if dice.one_in(4) {
        handle.cancel("before it began");
    }
    let scope = Scope::new(Some(&place.scope));
    let body = grow(inside(place, Some(&scope)), dice.fork(), Role::Scope);
    let ended = if is_shield {
        cancel_scope.run(behind_a_shield(body)).await
    } else {
        cancel_scope.run(body).await
    };
    scope.check_dead(&place.world, "a scope");
    ended.done().unwrap_or(Ok(()))
}

/// A group whose future is dropped after some polls.
async fn half_way(place: &Place, dice: &mut Dice) {
    let scope = Scope::new(None);
    let world = Arc::clone(&place.world);
    let mut group = grow_group(world, scope, place.depth + 1, dice.fork());
    for _ in 0..=dice.below(6) {
        let polled = poll_fn(|cx| Poll::Ready(group.as_mut().poll(cx))).await;
        if let Poll::Ready(ended) = polled {
            if let Err(fault) = ended {
                fault.see(None);
            }
            return;
        }
        yield_now().await;
    }
    place.world.note(|| "a group is dropped".to_owned());
    drop(group);
}

/// A child that becomes ready, or not.
async fn start(place: &Place, dice: &mut Dice) {
    let world = &place.world;
    let inner = inside(place, Some(&place.of_group));
    let alive = Alive::new(world, &place.of_group);
    let mut own = dice.fork();
    let started = place.group.start(|started: Started<()>| async move {
        wait(&inner.world, &mut own).await;
        match own.below(4) {
            0 => drop(started),
            1 => {
                let _kept = started;
                return child(inner, own, alive).await;
            }
            _ => drop(started.ready(())),
        }
        child(inner, own, alive).await
    });
    let mut started = Box::pin(started);
    if world.drops && dice.one_in(3) {
        for _ in 0..dice.below(4) {
            let polled = poll_fn(|cx| Poll::Ready(started.as_mut().poll(cx))).await;
            if let Poll::Ready(ended) = polled {
                return see_start(world, ended.map(drop));
            }
            yield_now().await;
        }
        world.note(|| "a start is dropped".to_owned());
        return;
    }
    see_start(world, started.await.map(drop));
}

fn see_start(world: &World, ended: Result<(), StartError<Fault>>) {
    match ended {
        Err(StartError::Failed(fault)) => {
            let owner = fault.owner();
            fault.see(owner);
        }
        Err(StartError::Panicked(panic)) => world.saw_panic(panic.message()),
        _ => {}
    }
}
