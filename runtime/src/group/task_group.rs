//! What users write: the group in its body, and the handle that goes anywhere.

use core::fmt;
use core::future::Future;
use core::panic::Location;
use std::sync::{Arc, Weak};

use tenter_sync::{Semaphore, oneshot};

use super::child::Child;
use super::core::Core;
use super::error::GroupError;
use super::lost;
use super::outcome::TaskOutcome;
use super::run::Run;
use super::start::{StartError, Started, Starter, Starting};
use crate::context;
use crate::handle::Handle;
use crate::scope::CancelHandle;
use crate::scope::node::Node;
use crate::task::cell::Extras;
use crate::task::{CancelKind, CancelReason, JoinHandle};

/// Runs `body` with a group of tasks, and returns when all of them have ended.
///
/// The first failure, of a child or of the body, cancels the others and the body; the error has all
/// failures, in the order in which they happened, the body's own last. A child that is cancelled by its
/// handle is no failure. Children may spawn siblings, also after the body has ended. Whatever a child had
/// deferred was awaited before this returns.
///
/// If the scope around the group is cancelled, so are the children and the body; the group waits for them,
/// returns what failed meanwhile, if anything did, and otherwise ends with that scope, also if the body had
/// returned before.
///
/// Children are tasks: `Send` and `'static`. What they make is had through their handles.
///
/// # Errors
///
/// [`GroupError`], if a child or the body failed, or the group was [cancelled](TaskGroup::cancel).
///
/// # Panics
///
/// Not for the panic of a child, which is in the error. That of the body cancels the children, and goes on
/// when they have ended; what failed besides is reported by
/// [`on_unobserved`](crate::Builder::on_unobserved).
///
/// # Cancel safety
///
/// Dropping the future cancels the children, which the runtime then waits for at its end. What had failed
/// before, and what fails then, is reported by [`on_unobserved`](crate::Builder::on_unobserved).
///
/// # Generic wrappers
///
/// A future that is generic in its body (`B: AsyncFnOnce(&TaskGroup<E>) -> …`) cannot be spawned, because
/// the compiler cannot prove that it is `Send` for every lifetime of the reference ("`AsyncFnOnce` is not
/// general enough"). The same goes for an `E` that is a reference, like `&'static str`, in a group that is
/// itself spawned. Write these with [`task_group_with`].
///
/// # Examples
///
/// ```
/// use tenter::task_group;
///
/// let sum = tenter::run(async {
///     task_group(async |group| {
///         let one = group.spawn(async { Ok::<_, std::io::Error>(1) });
///         let two = group.spawn(async { Ok(2) });
///         Ok(one.await.expect("it cannot fail") + two.await.expect("it cannot fail"))
///     })
///     .await
/// });
/// assert_eq!(sum.unwrap(), 3);
/// ```
///
/// The first failure ends the group:
///
/// ```
/// use std::future::pending;
///
/// # tenter::run(async {
/// let error = tenter::task_group(async |group| {
///     group.spawn(async { Err::<(), _>("disk full") });
///     group.spawn(pending::<Result<(), _>>());
///     pending::<Result<(), _>>().await
/// })
/// .await
/// .unwrap_err();
/// assert_eq!(error.only().unwrap(), "disk full");
/// # });
/// ```
#[doc(alias = "TaskGroup")]
#[doc(alias = "open_nursery")]
#[doc(alias = "JoinSet")]
#[track_caller]
pub fn task_group<R, E>(
    body: impl AsyncFnOnce(&TaskGroup<E>) -> Result<R, E>,
) -> impl Future<Output = Result<R, GroupError<E>>>
where
    E: Send + 'static,
{
    let at = Location::caller();
    async move {
        let group = TaskGroup::new(at);
        Run::new(Arc::clone(&group.inner.core), body(&group)).await
    }
}

/// [`task_group`] with a body that gets the group by value, for wrappers that are generic in it.
///
/// # Errors
///
/// As [`task_group`].
///
/// # Examples
///
/// ```
/// use tenter::{GroupError, GroupHandle, task_group_with};
///
/// async fn logged<B, F>(body: B) -> Result<(), GroupError<String>>
/// where
///     B: FnOnce(GroupHandle<String>) -> F,
///     F: Future<Output = Result<(), String>>,
/// {
///     task_group_with(body).await.inspect_err(|error| eprintln!("{error}"))
/// }
///
/// tenter::run(async {
///     let task = tenter::spawn(logged(async |group| {
///         group.spawn(async { Ok(()) });
///         Ok(())
///     }));
///     assert!(task.await.unwrap().is_ok());
/// });
/// ```
#[track_caller]
pub fn task_group_with<R, E, F>(
    body: impl FnOnce(GroupHandle<E>) -> F,
) -> impl Future<Output = Result<R, GroupError<E>>>
where
    E: Send + 'static,
    F: Future<Output = Result<R, E>>,
{
    let at = Location::caller();
    async move {
        let group = TaskGroup::new(at);
        let core = Arc::clone(&group.inner.core);
        Run::new(core, body(group.inner)).await
    }
}

/// The group that [`task_group`] lends its body.
pub struct TaskGroup<E> {
    inner: GroupHandle<E>,
}

/// A group, to be kept by children and others. Cheap to clone.
///
/// A child that keeps a handle does not keep the group open by it, but by being alive.
pub struct GroupHandle<E> {
    core: Arc<Core<E>>,
}

impl<E: Send + 'static> TaskGroup<E> {
    fn new(at: &'static Location<'static>) -> Self {
        let core = Core::new(Node::new(), context::current_handle(), at);
        let weak: Weak<Core<E>> = Arc::downgrade(&core);
        core.node().set_group(weak);
        Self {
            inner: GroupHandle { core },
        }
    }

    /// Spawns a child.
    ///
    /// In a group that ends already (something failed, it was cancelled, or it has returned), the future is
    /// dropped here, and the handle is that of a cancelled task.
    ///
    /// # Panics
    ///
    /// Outside a runtime, if the group was made outside one, too.
    #[track_caller]
    #[doc(alias = "create_task")]
    #[doc(alias = "start_soon")]
    pub fn spawn<T, F>(&self, future: F) -> JoinHandle<T>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.inner.spawn(future)
    }

    /// Names the child that is spawned next: `group.named("reader").spawn(…)`.
    pub fn named(&self, name: impl Into<Arc<str>>) -> NamedChild<'_, E> {
        self.inner.named(name)
    }

    /// Spawns a child and waits until it says that it is ready, with a value; it runs on then.
    ///
    /// # Errors
    ///
    /// [`StartError`], if the child ends before it is ready. That does not affect the group; a failure after
    /// it was ready does.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the child.
    ///
    /// # Examples
    ///
    /// ```
    /// # tenter::run(async {
    /// tenter::task_group(async |group| {
    ///     let (port, server) = group
    ///         .start(|started| async move {
    ///             started.ready(8080).expect("somebody waits");
    ///             Ok::<_, std::io::Error>("served")
    ///         })
    ///         .await
    ///         .expect("it becomes ready");
    ///     assert_eq!(port, 8080);
    ///     assert_eq!(server.await.expect("it does not fail"), "served");
    ///     Ok(())
    /// })
    /// .await
    /// .unwrap();
    /// # });
    /// ```
    #[track_caller]
    pub fn start<S, T, F, C>(
        &self,
        child: C,
    ) -> impl Future<Output = Result<(S, JoinHandle<T>), StartError<E>>> + use<S, T, F, E, C>
    where
        C: FnOnce(Started<S>) -> F,
        S: Send + 'static,
        T: Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.inner.start_at(child, Location::caller())
    }

    /// Waits until one more child has ended. `None`: no child is left.
    ///
    /// The ends of children are kept until they are asked for; as long as nobody has asked, the last 1 024
    /// of them.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping it.
    pub async fn join_next(&self) -> Option<TaskOutcome> {
        self.inner.join_next().await
    }

    /// Cancels the children and the body. The group returns an error that says so, unless something fails
    /// first, or no child lived and the body is ready all the same.
    #[track_caller]
    pub fn cancel(&self, reason: impl Into<CancelReason>) {
        self.inner.cancel(reason);
    }

    /// Cancels the children, and admits no others. The body goes on, and what it returns the group returns.
    #[track_caller]
    pub fn cancel_children(&self, reason: impl Into<CancelReason>) {
        self.inner.cancel_children(reason);
    }

    /// How many children have not ended.
    #[expect(
        clippy::len_without_is_empty,
        reason = "an empty group is nothing special"
    )]
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Lets at most `children` of those that are spawned from now on run at a time. The others wait for
    /// their turn, in order, before they are polled.
    ///
    /// # Panics
    ///
    /// If `children` is zero.
    #[track_caller]
    pub fn limit(&self, children: usize) {
        self.inner.limit(children);
    }

    /// A handle, for children that spawn siblings.
    pub fn handle(&self) -> GroupHandle<E> {
        self.inner.clone()
    }

    /// The right to cancel the group as a scope, and to be told of it.
    pub fn scope(&self) -> CancelHandle {
        self.inner.scope()
    }
}

impl<E: Send + 'static> GroupHandle<E> {
    /// [`TaskGroup::spawn`].
    #[track_caller]
    pub fn spawn<T, F>(&self, future: F) -> JoinHandle<T>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.spawn_child(future, None, None, Location::caller())
    }

    /// [`TaskGroup::named`].
    pub fn named(&self, name: impl Into<Arc<str>>) -> NamedChild<'_, E> {
        NamedChild {
            group: self,
            name: name.into(),
        }
    }

    /// [`TaskGroup::start`].
    #[track_caller]
    pub fn start<S, T, F, C>(
        &self,
        child: C,
    ) -> impl Future<Output = Result<(S, JoinHandle<T>), StartError<E>>> + use<S, T, F, E, C>
    where
        C: FnOnce(Started<S>) -> F,
        S: Send + 'static,
        T: Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.start_at(child, Location::caller())
    }

    fn start_at<S, T, F, C>(
        &self,
        child: C,
        at: &'static Location<'static>,
    ) -> impl Future<Output = Result<(S, JoinHandle<T>), StartError<E>>> + use<S, T, F, E, C>
    where
        C: FnOnce(Started<S>) -> F,
        S: Send + 'static,
        T: Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let (sender, receiver) = oneshot();
        let starting = Arc::new(Starting::new(sender));
        let future = child(Started::new(Arc::clone(&starting)));
        let starter = Some(Arc::clone(&starting) as Arc<dyn Starter<E>>);
        let child = self.spawn_child(future, None, starter, at);
        let mut waiting = Waiting {
            group: self.clone(),
            child: Some(child),
            starting,
        };
        async move {
            let started = receiver.await;
            // Stays in `waiting` until its end is known.
            let child = waiting.child.as_mut().expect("put there above");
            let started = match started {
                Ok(value) => Ok(value),
                Err(_) => Err(waiting.starting.not_started(child).await),
            };
            let child = waiting.child.take().expect("put there above");
            started.map(|value| (value, child))
        }
    }

    #[inline]
    fn spawn_child<T, F>(
        &self,
        future: F,
        name: Option<Arc<str>>,
        starter: Option<Arc<dyn Starter<E>>>,
        at: &'static Location<'static>,
    ) -> JoinHandle<T>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let extras = name.map(|name| {
            Box::new(Extras {
                name: Some(name),
                ..Extras::default()
            })
        });
        let mut future = Some(future);
        let mut starter = starter;
        let make = |task| match self.core.admit(task) {
            Some((seat, limit)) => {
                let future = future.take().expect("made once");
                Child::new(future, seat, limit, starter.take())
            }
            None => Child::refused(),
        };
        let child = Handle::spawn_work(self.core.handle.as_ref(), make, extras, at);
        if future.is_some() {
            // It was not admitted. The group will not wait for it, so its future ends here.
            self.refuse(&child, starter, at);
        }
        child
    }

    #[cold]
    fn refuse<T>(
        &self,
        child: &JoinHandle<T>,
        starter: Option<Arc<dyn Starter<E>>>,
        at: &'static Location<'static>,
    ) {
        let reason = self.core.refusal();
        child.cancel_with(reason.unwrap_or_else(|| CancelReason::group_had_ended(at)));
        if let Some(starter) = starter {
            starter.close();
        }
    }

    /// [`TaskGroup::join_next`].
    pub async fn join_next(&self) -> Option<TaskOutcome> {
        self.core.join_next().await
    }

    /// [`TaskGroup::cancel`].
    #[track_caller]
    pub fn cancel(&self, reason: impl Into<CancelReason>) {
        let reason = reason.into();
        self.core.cancel(&reason);
        self.core.node().cancel(&reason);
    }

    /// [`TaskGroup::cancel_children`].
    #[track_caller]
    pub fn cancel_children(&self, reason: impl Into<CancelReason>) {
        self.core.cancel_members(&reason.into());
    }

    /// [`TaskGroup::len`].
    #[expect(
        clippy::len_without_is_empty,
        reason = "an empty group is nothing special"
    )]
    pub fn len(&self) -> usize {
        self.core.live()
    }

    /// [`TaskGroup::limit`].
    ///
    /// # Panics
    ///
    /// If `children` is zero.
    #[track_caller]
    pub fn limit(&self, children: usize) {
        assert!(
            children > 0,
            "a task group with a limit of zero would never run a child: pass at least 1"
        );
        self.core.set_limit(Arc::new(Semaphore::new(children)));
    }

    /// [`TaskGroup::scope`].
    pub fn scope(&self) -> CancelHandle {
        CancelHandle {
            node: Arc::clone(self.core.node()),
        }
    }
}

/// The wait of a starter. If it is dropped, the child is cancelled, and what it failed with before is the
/// group's.
struct Waiting<S, T, E: Send + 'static> {
    group: GroupHandle<E>,
    /// As long as it waits.
    child: Option<JoinHandle<T>>,
    starting: Arc<Starting<S, E>>,
}

impl<S, T, E: Send + 'static> Drop for Waiting<S, T, E> {
    fn drop(&mut self) {
        let Some(child) = &self.child else { return };
        child.cancel_with(CancelReason::of(CancelKind::OwnerDropped));
        if let Some(failure) = self.starting.end() {
            let task = child.canceller();
            if let Err(failure) = self.group.core.fail(failure, task.clone()) {
                lost::report(failure, task.task());
            }
        }
    }
}

/// A child with a name, about to be spawned. Made by [`TaskGroup::named`].
#[must_use = "nothing is spawned until `spawn` is called"]
pub struct NamedChild<'a, E> {
    group: &'a GroupHandle<E>,
    name: Arc<str>,
}

impl<E: Send + 'static> NamedChild<'_, E> {
    /// [`TaskGroup::spawn`].
    #[track_caller]
    pub fn spawn<T, F>(self, future: F) -> JoinHandle<T>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let at = Location::caller();
        self.group.spawn_child(future, Some(self.name), None, at)
    }
}

impl<E> Clone for GroupHandle<E> {
    fn clone(&self) -> Self {
        Self {
            core: Arc::clone(&self.core),
        }
    }
}

impl<E> fmt::Debug for GroupHandle<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupHandle")
            .field("children", &self.core.live())
            .finish_non_exhaustive()
    }
}

impl<E> fmt::Debug for TaskGroup<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup")
            .field("children", &self.inner.core.live())
            .finish_non_exhaustive()
    }
}

impl<E> fmt::Debug for NamedChild<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedChild")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
