//! The tree of a runtime's tasks, from other threads and while they run: nothing twice, nothing stuck, no
//! code of the program under a lock.

mod commotion;

use std::collections::HashSet;
use std::future::{Future, pending};
use std::sync::Arc;
use std::thread;

use tenter::sync::{Barrier, Event, Lock, RwLock};
use tenter::task::{self, TaskState, TaskTree, WaitKind};
use tenter::{Builder, Handle, JoinHandle, Runtime, task_group};
use tenter_tests::support::{assert_says, build, ends};

fn spawn<F>(name: &str, future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    task::Builder::new().name(name).spawn(future)
}

fn inspected() -> Runtime {
    build(Builder::multi_thread().workers(2).inspect(true))
}

/// Looks until the tree is as it should be. A test that hangs here is ended by `ends`.
fn tree_when(handle: &Handle, is_so: impl Fn(&TaskTree) -> bool) -> TaskTree {
    loop {
        let tree = handle.tree();
        if is_so(&tree) {
            return tree;
        }
        thread::yield_now();
    }
}

fn named<'a>(tree: &'a TaskTree, name: &str) -> Option<&'a task::TaskNode> {
    tree.tasks().iter().find(|task| task.name() == Some(name))
}

fn waits(tree: &TaskTree, name: &str) -> String {
    let wait = named(tree, name).and_then(|task| task.wait());
    wait.map(|wait| wait.to_string()).unwrap_or_default()
}

/// Two tasks on different workers that lock two locks in opposite orders.
fn lock_up(runtime: &Runtime, of_handles: bool) {
    let from = Arc::new(Lock::new(()).named("from"));
    let to = Arc::new(RwLock::new(()).named("to"));
    let both = Arc::new(Barrier::new(2));
    runtime.block_on(async {
        let (a, b, met) = (Arc::clone(&from), Arc::clone(&to), Arc::clone(&both));
        drop(spawn("there", async move {
            let _first = a.lock().await;
            let _ = met.wait().await;
            let _second = b.write().await;
        }));
        drop(spawn("back", async move {
            let _first = to.write().await;
            let _ = both.wait().await;
            let _second = from.lock().await;
        }));
        if of_handles {
            drop(spawn("bystander", pending::<()>()));
        }
    });
}

/// Goal: with many workers and a real clock, a deadlock is found, with names, holders and times.
#[test]
fn x16_a_deadlock_on_many_workers_is_in_the_tree() {
    ends("inspected", || {
        let runtime = inspected();
        lock_up(&runtime, true);
        let tree = tree_when(runtime.handle(), |tree| !tree.cycles().is_empty());
        let cycle = &tree.cycles()[0];
        assert_eq!((tree.cycles().len(), cycle.len()), (1, 2), "{tree}");
        let names: HashSet<_> = cycle
            .iter()
            .map(|id| tree.task(*id).unwrap().name())
            .collect();
        assert_eq!(names, HashSet::from([Some("there"), Some("back")]));
        let parts = ["Lock \"from\", held by task", "\"there\"", ", for ", " ms"];
        assert_says(&waits(&tree, "back"), &parts);
        assert_says(
            &waits(&tree, "there"),
            &["RwLock \"to\", held by task", "\"back\""],
        );
        for text in [tree.to_string(), tree.table().to_string()] {
            assert_says(&text, &["deadlock: task", ", which waits for", "\"from\""]);
        }
        assert!(
            named(&tree, "there")
                .unwrap()
                .wait()
                .unwrap()
                .lasted()
                .is_some()
        );
    });
}

/// Goal: without inspection the kind of each wait is known, and nothing is made up.
#[test]
fn x16_without_inspection_kinds_and_handles_are_known() {
    ends("plain", || {
        let runtime = build(Builder::multi_thread().workers(2).inspect(false));
        lock_up(&runtime, false);
        runtime.block_on(async {
            let child = spawn("child", pending::<()>());
            drop(spawn("parent", async { child.await.is_ok() }));
        });
        let blocked = |tree: &TaskTree| {
            let mut tasks = ["there", "back", "child", "parent"].into_iter();
            let waiting =
                |name| named(tree, name).is_some_and(|it| it.state() == TaskState::Waiting);
            tasks.all(waiting)
                && waits(tree, "back").contains("Lock")
                && waits(tree, "there").contains("RwLock")
        };
        let tree = tree_when(runtime.handle(), blocked);
        assert_says(&waits(&tree, "back"), &["a Lock at 0x"]);
        assert!(tree.cycles().is_empty(), "{tree}");
        let (parent, child) = (
            named(&tree, "parent").unwrap(),
            named(&tree, "child").unwrap(),
        );
        assert_eq!(parent.wait().unwrap().whom(), [child.id()]);
        assert_eq!(parent.wait().unwrap().lasted(), None);
        assert_eq!(tree.parent(child.id()).map(|it| it.id()), Some(parent.id()));
    });
}

/// Goal: a lock that a task keeps while it waits for its children, one of which wants it.
#[test]
fn a95_a_child_that_wants_its_parents_lock_is_a_deadlock() {
    ends("inspected", || {
        let runtime = inspected();
        let lock = Arc::new(Lock::new(()).named("db"));
        let parent = spawn_on(&runtime, "parent", async move {
            let _guard = lock.lock().await;
            task_group(async |group| {
                for name in ["idler", "child"] {
                    let lock = Arc::clone(&lock);
                    group.named(name).spawn(async move {
                        match name {
                            "child" => drop(lock.lock().await),
                            _ => pending().await,
                        }
                        Ok::<_, ()>(())
                    });
                }
                Ok(())
            })
            .await
        });
        let tree = tree_when(runtime.handle(), |tree| !tree.cycles().is_empty());
        assert_says(
            &tree.to_string(),
            &[
                "waits for the 2 children of the task_group at tests/tests/tree/main.rs:",
                "deadlock: task",
                "\"child\", which waits for Lock \"db\", held by task",
                ", among them task",
            ],
        );
        assert_eq!(tree.cycles()[0].len(), 2, "the idler is not in it: {tree}");
        drop(parent);
    });
}

fn spawn_on<F>(runtime: &Runtime, name: &str, future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let _entered = runtime.handle().enter();
    spawn(name, future)
}

/// Goal: tasks that await each other, and one that awaits itself, are drawn once and told as deadlocks.
#[tenter::test]
async fn a95_tasks_that_await_each_other_are_told() {
    let places: [Arc<Lock<Option<JoinHandle<()>>>>; 2] = Default::default();
    let go = Arc::new(Event::new());
    let tasks = ["one", "two"]
        .into_iter()
        .zip(&places)
        .map(|(name, place)| {
            let (place, go) = (Arc::clone(place), Arc::clone(&go));
            spawn(name, async move {
                go.wait().await;
                let other = place.lock().await.take().expect("put there below");
                let _ = other.await;
            })
        });
    for (task, place) in tasks
        .collect::<Vec<_>>()
        .into_iter()
        .zip(places.iter().rev())
    {
        *place.lock().await = Some(task);
    }
    let (send, own) = tenter::sync::oneshot::<JoinHandle<()>>();
    let ouroboros = spawn("ouroboros", async {
        let _ = own.await.expect("it is sent").await;
    });
    assert!(send.send(ouroboros).is_ok());
    go.set();
    tenter::testing::wait_all_tasks_blocked().await;
    let tree = task::tree();
    assert_eq!(
        tree.cycles().iter().map(Vec::len).collect::<Vec<_>>(),
        [2, 1],
        "{tree}"
    );
    let lines = tree.to_string();
    for name in ["one", "two", "ouroboros"] {
        let drawn = lines
            .lines()
            .filter(|it| it.contains("(T)") && it.contains(&format!("\"{name}\"")));
        assert_eq!(drawn.count(), 1, "{lines}");
        named(&tree, name).unwrap();
    }
    let (one, two) = (
        named(&tree, "one").unwrap().id(),
        named(&tree, "two").unwrap().id(),
    );
    assert!(tree.parent(one).is_none(), "the first of the circle");
    assert_eq!(tree.parent(two).map(|it| it.id()), Some(one));
    assert_says(&lines, &["which is itself"]);
    for id in tree.cycles().iter().flatten() {
        let found = task::all().into_iter().any(|info| info.id == *id);
        assert!(found);
    }
}

/// Goal: a group in the future of `block_on` beside many workers is there, though no task is in it.
#[test]
fn k05_a_group_in_main_beside_many_workers() {
    ends("multi_thread", || {
        let runtime = build(Builder::multi_thread().workers(2));
        let handle = runtime.handle().clone();
        runtime.block_on(async {
            let result = task_group(async |group| {
                group.named("child").spawn(pending::<Result<(), ()>>());
                let tree = tree_when(&handle, |tree| named(tree, "child").is_some());
                let child = named(&tree, "child").expect("it was looked for").id();
                let around = tree.group_of(child).expect("it is in a group");
                assert_says(
                    &around.to_string(),
                    &["task_group at tests/tests/tree/main.rs:"],
                );
                assert!(tree.opener_of(around).is_none() && tree.parent(child).is_none());
                assert_says(
                    &tree.to_string(),
                    &["└──  task_group at", "    └── (T) Task-"],
                );
                group.cancel("seen");
                Ok(())
            });
            assert!(result.await.is_err());
        });
        let tree = handle.tree();
        assert!(
            tree.groups().is_empty() && tree.tasks().is_empty(),
            "{tree}"
        );
    });
}

/// Goal: a child that has not run yet is in its group, named or not.
#[test]
fn k05_children_that_have_not_run_are_there() {
    ends("multi_thread", || {
        let runtime = build(Builder::multi_thread().workers(1));
        let tree = runtime.block_on(async {
            let task = spawn("parent", async {
                let mut tree = None;
                let _ = task_group(async |group| {
                    for _ in 0..3 {
                        drop(group.spawn(pending::<Result<(), ()>>()));
                    }
                    tree = Some(task::tree());
                    group.cancel("seen");
                    Ok(())
                })
                .await;
                tree.expect("the body has run")
            });
            task.await.expect("no panic")
        });
        let parent = named(&tree, "parent").expect("it asked");
        assert_eq!(parent.state(), TaskState::Running);
        let states: Vec<_> = tree.children(parent.id()).map(|it| it.state()).collect();
        assert_eq!(states, [TaskState::New; 3], "{tree}");
    });
}

/// Goal: a thread that is stuck in a poll cannot answer, and the tree says so instead of being empty.
#[test]
fn a15_a_stuck_thread_is_told() {
    ends("current_thread", || {
        let runtime = build(Builder::current_thread());
        let handle = runtime.handle().clone();
        let (stuck, free) = (std::sync::mpsc::channel(), std::sync::mpsc::channel::<()>());
        let driver = thread::spawn(move || {
            runtime.block_on(async {
                stuck.0.send(()).expect("it listens");
                let _ = free.1.recv();
            });
        });
        stuck.1.recv().expect("it sends");
        let tree = handle.tree();
        assert!(!tree.is_complete() && tree.tasks().is_empty());
        assert_says(&tree.to_string(), &["did not answer"]);
        drop(free.0);
        driver.join().expect("no panic");
    });
}

/// Goal: a chain of tasks that await each other, deeper than anybody could read.
#[tenter::test]
async fn a95_a_deep_chain_is_drawn_down_to_a_depth() {
    let mut task = tenter::spawn(pending::<()>());
    for _ in 0..10_000 {
        task = tenter::spawn(async move { drop(task.await) });
    }
    tenter::testing::wait_all_tasks_blocked().await;
    let tree = task::tree();
    let lines = tree.to_string();
    assert_says(&lines, &["more lines, deeper"]);
    assert!(lines.lines().count() < 300, "{}", lines.lines().count());
    assert_eq!(tree.table().to_string().lines().count(), 10_004);
}

/// Goal: a program that says nothing of it is inspected if the environment asks, and only then.
#[test]
fn x16_the_environment_asks_for_inspection() {
    const NAME: &str = "x16_the_environment_asks_for_inspection";
    let child = |value: &str| {
        let own = std::env::current_exe().expect("the test has a file");
        let mut child = std::process::Command::new(own);
        child.args(["--exact", NAME, "--nocapture"]);
        child
            .env("TENTER_INSPECT", value)
            .env("TENTER_TREE_CHILD", "1");
        let output = child.output().expect("it starts");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    if std::env::var_os("TENTER_TREE_CHILD").is_none() {
        assert_says(&child("1"), &["waits for Event \"never\" to be set, for "]);
        assert_says(&child("0"), &["waits for an Event at 0x"]);
        return;
    }
    let runtime = build(Builder::multi_thread().workers(1));
    let task = spawn_on(&runtime, "task", async {
        Event::new().named("never").wait().await;
    });
    println!(
        "{}",
        tree_when(runtime.handle(), |tree| !waits(tree, "task").is_empty())
    );
    task.cancel();
}

/// Goal: what the guide shows (`docs/guide/hangs.md`), but for numbers, places and times.
#[test]
fn a95_the_tree_that_the_guide_shows() {
    ends("inspected", || {
        let runtime = inspected();
        let both = Arc::new(Barrier::new(2));
        let locks = ["index", "pages"].map(|name| Arc::new(Lock::new(()).named(name)));
        let import = spawn_on(&runtime, "import", async move {
            task_group(async |group| {
                let [index, pages] = &locks;
                for (name, first, second) in [("reader", pages, index), ("writer", index, pages)] {
                    let (first, second) = (Arc::clone(first), Arc::clone(second));
                    let both = Arc::clone(&both);
                    group.named(name).spawn(async move {
                        let _first = first.lock().await;
                        let _ = both.wait().await;
                        let _second = second.lock().await;
                        Ok::<_, ()>(())
                    });
                }
                group.named("progress").spawn(async {
                    tenter::time::sleep(std::time::Duration::from_secs(1_000)).await;
                    Ok(())
                });
                Ok(())
            })
            .await
        });
        let stuck = |tree: &TaskTree| {
            let sleeps = waits(tree, "progress").starts_with("a point in time");
            sleeps && !tree.cycles().is_empty() && waits(tree, "import").contains("children")
        };
        let text = tree_when(runtime.handle(), stuck).to_string();
        let shape: Vec<String> = text.lines().map(shape).collect();
        let expected = [
            "└── (T) Task \"import\"",
            "    ├──  waits for the N children of the task_group at PLACE, for TIME",
            "    └──  task_group at PLACE",
            "        ├── (T) Task \"reader\"",
            "        │   └──  waits for Lock \"index\", held by task N \"writer\", for TIME",
            "        ├── (T) Task \"writer\"",
            "        │   └──  waits for Lock \"pages\", held by task N \"reader\", for TIME",
            "        └── (T) Task \"progress\"",
            "            └──  waits for a point in time, for TIME",
            "deadlock: task N \"reader\" waits for Lock \"index\", held by task N \"writer\", which waits for \
             Lock \"pages\", held by task N \"reader\"",
            "The future of block_on is no task beside many workers, and is not shown. Spawn it to see it: \
             tenter::spawn(main()).await",
        ];
        assert_eq!(shape, expected, "{text}");
        import.cancel();
    });
}

/// A line without what differs from run to run.
fn shape(line: &str) -> String {
    let (line, time) = match line.split_once(", for ") {
        Some((line, _)) => (line, ", for TIME"),
        None => (line, ""),
    };
    let words = line.split(' ').map(|word| match word {
        _ if word.starts_with("Task-") => "Task",
        _ if word.starts_with("tests/tests/tree/main.rs") => "PLACE",
        _ if word.parse::<u64>().is_ok() => "N",
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ") + time
}

/// Goal: what a task waits for is validated: a sleeping task is not said to wait for its lock of before.
#[test]
fn x16_what_is_said_is_of_now() {
    ends("inspected", || {
        let runtime = inspected();
        let lock = Arc::new(Lock::new(()).named("db"));
        let guard = runtime.block_on(Arc::clone(&lock).lock_owned());
        let task = spawn_on(&runtime, "task", async move {
            drop(lock.lock().await);
            pending::<()>().await;
        });
        let tree = tree_when(runtime.handle(), |tree| !waits(tree, "task").is_empty());
        let wait = named(&tree, "task").unwrap().wait().unwrap();
        assert_eq!((wait.kind(), wait.what()), (WaitKind::Lock, "Lock \"db\""));
        drop(guard);
        let over = |tree: &TaskTree| {
            let task = named(tree, "task").unwrap();
            task.state() == TaskState::Waiting && task.wait().is_none()
        };
        tree_when(runtime.handle(), over);
        task.cancel();
    });
}

/// Goal: beside many workers both forms say that the main future is not shown; on one thread it is.
#[test]
fn a95_the_main_future_is_shown_or_said_not_to_be() {
    const HIDDEN: &str = "The future of block_on is no task";
    let shown = |builder: Builder| {
        build(builder).block_on(async {
            let tree = task::tree();
            [tree.to_string(), tree.table().to_string()]
        })
    };
    for text in shown(Builder::multi_thread().workers(1)) {
        assert_eq!(text.matches(HIDDEN).count(), 1, "{text}");
    }
    for text in shown(Builder::current_thread()) {
        assert!(text.contains("main") && !text.contains(HIDDEN), "{text}");
    }
}

/// Goal: the wait for a socket has no address: that of the program's own memory tells nobody which it is.
#[test]
fn a95_a_socket_is_waited_for_without_an_address() {
    ends("inspected", || {
        let runtime = inspected();
        let task = spawn_on(&runtime, "task", async {
            let listener = tenter::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            drop(listener.accept().await);
        });
        let tree = tree_when(runtime.handle(), |tree| {
            waits(tree, "task").starts_with("a socket to become readable")
        });
        assert!(!waits(&tree, "task").contains("0x"), "{tree}");
        task.cancel();
    });
}
