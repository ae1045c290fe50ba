//! A runtime as a guest in the loop of another thread, one turn at a time.
//!
//! | file | what |
//! |---|---|
//! | `main` | what a guest can do, and who has which turn |
//! | `ends` | how it ends, by itself and before |
//! | `misuse` | posters, hosts and turns that do what they should not |
//! | `host` | a toy host |

mod ends;
mod host;
mod misuse;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tenter::io::{AsyncReadExt, AsyncWriteExt};
use tenter::net::{TcpListener, TcpStream};
use tenter::sync::oneshot;
use tenter::task::yield_now;
use tenter::time::sleep;
use tenter::{Builder, move_on_after, spawn, spawn_blocking, spawn_local};
use tenter_tests::support::{Log, ends, thread};

use crate::host::{Ended, Host, runtime};

const TICK: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// Goal: timers, sockets, blocking jobs, local tasks and wakes from other threads all work, on the host's
/// thread, and main may return what is not `Send`.
#[test]
fn x17_a_guest_can_do_what_a_block_on_can() {
    ends("guest", || {
        let host = Host::new();
        let home = std::thread::current().id();
        let (answer, question) = oneshot();
        let other = thread(move || answer.send(7).unwrap());
        let (_guest, ended) = host.guest(async move {
            assert_eq!(std::thread::current().id(), home);
            let local = Rc::new(Cell::new(1));
            let task = spawn_local({
                let local = Rc::clone(&local);
                async move {
                    sleep(TICK).await;
                    local.set(local.get() + 1);
                }
            });
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let echo = spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut line = [0; 4];
                stream.read_exact(&mut line).await.unwrap();
                sleep(TICK).await;
                stream.write_all(&line).await.unwrap();
            });
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"ping").await.unwrap();
            let mut line = [0; 4];
            stream.read_exact(&mut line).await.unwrap();
            assert_eq!(&line, b"ping");
            let job = spawn_blocking(move || std::thread::current().id() != home);
            assert!(job.await.unwrap());
            assert_eq!(question.await.unwrap(), 7);
            task.await.unwrap();
            echo.await.unwrap();
            local
        });
        assert_eq!(host.run(&ended).unwrap().get(), 2);
        other.join();
    });
}

/// Goal: a timer that is armed by the host or by another thread ends the helper's sleep, and so do sockets
/// that come after it fell asleep.
#[test]
fn x17_what_comes_from_outside_reaches_a_guest_that_waits() {
    ends("guest", || {
        let host = Host::new();
        let (end, ended_by) = oneshot();
        let (guest, ended) = host.guest(async move { ended_by.await.unwrap() });
        host.step();
        // From the host's own code, with what is not `Send`.
        let end = Rc::new(RefCell::new(Some(end)));
        let slept = guest.spawn_local({
            let end = Rc::clone(&end);
            async move {
                sleep(TICK).await;
                end
            }
        });
        host.run_until(|| slept.is_finished());
        // From another thread, with a socket.
        let handle = guest.handle().clone();
        let other = thread(move || {
            drop(handle.spawn(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let silent = move_on_after(TICK, async |_| listener.accept().await).await;
                assert!(silent.is_none());
            }));
            let (posted, seen) = std::sync::mpsc::channel();
            handle.post(move || posted.send(()).unwrap()).unwrap();
            seen
        });
        let seen = other.join();
        host.run_until(|| seen.try_recv().is_ok());
        end.take().unwrap().send(5).unwrap();
        assert_eq!(host.run(&ended).unwrap(), 5);
    });
}

/// Goal: the number of turns is that of the moments at which there was something to do.
#[test]
fn x17_an_idle_guest_posts_nothing() {
    ends("guest", || {
        let host = Host::new();
        let (wake, woken) = oneshot();
        let (_guest, ended) = host.guest(async move {
            // Armed, but not due.
            let _ = move_on_after(HOUR, async |_| woken.await).await;
        });
        host.step();
        assert_eq!(host.post.turns.get(), 1);
        // The host has a lot to do meanwhile, and so have others.
        for _ in 0..1_000 {
            let post = host.post.clone();
            thread(move || post.post(|| ())).join();
            host.step();
        }
        assert_eq!(host.post.turns.get(), 1, "nothing was ready");
        thread(move || wake.send(()).unwrap()).join();
        host.run(&ended).unwrap();
        // One for the wake, one to say that all is over.
        assert_eq!(host.post.turns.get(), 3);
        assert!(!host.try_step());
    });
}

/// Goal: a guest that always has something to do and a host that always has something to do take turns.
#[test]
fn x17_neither_starves_the_other() {
    const ROUNDS: usize = 100;
    ends("guest", || {
        let host = Host::new();
        let log = Log::new();
        let ended = Ended::default();
        let builder = runtime().guest(host.post.poster());
        let main = {
            let log = log.clone();
            async move {
                for _ in 0..ROUNDS {
                    log.add('g');
                    yield_now().await;
                }
            }
        };
        // One poll a turn.
        let builder = builder.turn_limit(Duration::ZERO);
        let _guest = builder.start(main, ended.done()).unwrap();
        fn again(post: &crate::host::Post, log: &Log<char>, rest: usize) {
            let (next, log) = (post.clone(), log.clone());
            post.post(move || {
                log.add('h');
                if rest > 1 {
                    again(&next, &log, rest - 1);
                }
            });
        }
        again(&host.post, &log, ROUNDS);
        host.run(&ended).unwrap();
        assert_eq!(log.take(), ['g', 'h'].repeat(ROUNDS));
    });
}

/// Goal: a task that is always ready does not keep the host from its events, nor sockets and timers from
/// theirs.
#[test]
fn x17_a_turn_is_bounded_in_time() {
    ends("guest", || {
        let host = Host::new();
        let seen = Arc::new(AtomicBool::new(false));
        let main = {
            let seen = Arc::clone(&seen);
            async move {
                let timer = spawn(sleep(TICK * 3));
                while !(seen.load(Ordering::Relaxed) && timer.is_finished()) {
                    yield_now().await;
                }
            }
        };
        let ended = Ended::default();
        let guest = runtime().guest(host.post.poster());
        let _guest = guest.start(main, ended.done()).unwrap();
        let set = move || seen.store(true, Ordering::Relaxed);
        host.post.post(set);
        host.run(&ended).unwrap();
        assert!(
            host.post.turns.get() >= 3,
            "three milliseconds are more than one turn"
        );
    });
}

/// Goal: two guests of one host do not know of each other.
#[test]
fn x17_two_guests_on_one_host() {
    ends("guest", || {
        let host = Host::new();
        let (ping, pinged) = oneshot();
        let (pong, ponged) = oneshot();
        let (first, first_ended) = host.guest(async move {
            ping.send(tenter::task::current().unwrap().id()).unwrap();
            sleep(TICK).await;
            ponged.await.unwrap()
        });
        let (second, second_ended) = host.guest(async move {
            let id = pinged.await.unwrap();
            sleep(TICK).await;
            pong.send(id).unwrap();
            spawn_local(async move { id }).await.unwrap()
        });
        assert_eq!(
            host.run(&first_ended).unwrap(),
            host.run(&second_ended).unwrap()
        );
        assert!(first.is_finished() && second.is_finished());
    });
}

/// Goal: while a task of a guest runs a loop of the host, the host's events and other guests go on, and the
/// guest itself does when that loop has returned: no turn of it is lost, run inside, or posted twice.
#[test]
fn x17_a_nested_loop_of_the_host_keeps_only_its_own_guest_waiting() {
    ends("guest", || {
        let host = Rc::new(Host::new());
        let log = Log::new();
        let (other, _other_ended) = {
            let log = log.clone();
            host.guest(async move {
                for _ in 0..3 {
                    sleep(TICK).await;
                    log.add("other");
                }
            })
        };
        let (wake, woken) = oneshot::<()>();
        let ended = Ended::default();
        let turns = tenter_tests::support::Count::new();
        let poster = {
            let (post, turns) = (host.post.clone(), turns.clone());
            move |turn: tenter::Turn| {
                turns.add();
                post.post(move || turn.run());
            }
        };
        let main = {
            let (host, log) = (Rc::clone(&host), log.clone());
            async move {
                let side = spawn_local({
                    let log = log.clone();
                    async move {
                        woken.await.unwrap();
                        log.add("side");
                    }
                });
                yield_now().await;
                // The modal dialogue.
                wake.send(()).unwrap();
                host.run_until(|| other.is_finished());
                log.add("dialogue");
                side.await.unwrap();
                // None of the driver's state was left behind by the other guest's turns.
                sleep(TICK).await;
                spawn(async {}).await.unwrap();
            }
        };
        let _guest = runtime().guest(poster).start(main, ended.done()).unwrap();
        host.run_until(|| turns.get() > 1);
        host.run(&ended).unwrap();
        assert_eq!(log.take(), ["other", "other", "other", "dialogue", "side"]);
    });
}

/// Goal: the host's loop may itself be a task of a runtime, with what that has of scopes, timers and sockets.
#[test]
fn x17_a_guest_inside_another_runtime_is_no_part_of_it() {
    ends("guest", || {
        let outer = Builder::current_thread().name("outer").build().unwrap();
        let handle = outer.handle().clone();
        outer.block_on(async {
            let turns = tenter::sync::Queue::unbounded();
            let turns = Arc::new(turns);
            let poster = {
                let turns = Arc::clone(&turns);
                move |turn| drop(turns.try_put(Some(turn)))
            };
            let ended = Ended::default();
            let done = {
                let (turns, done) = (Arc::clone(&turns), ended.done());
                move |result| {
                    done(result);
                    drop(turns.try_put(None));
                }
            };
            let main = async {
                sleep(TICK).await;
                spawn_local(async { 1 }).await.unwrap()
            };
            // The scope around the loop is over, and that is nothing to the guest.
            let looped = async |_: &tenter::Deadline| {
                tenter::shield(async {
                    let _guest = runtime().guest(poster).start(main, done).unwrap();
                    while let Some(turn) = turns.get().await.unwrap() {
                        turn.run();
                        sleep(Duration::from_micros(10)).await;
                    }
                })
                .await;
            };
            let _ = move_on_after(Duration::ZERO, looped).await;
            assert_eq!(ended.take().expect("it has ended").unwrap(), 1);
            // The outer runtime is this thread's again.
            assert_eq!(spawn(async { 2 }).await.unwrap(), 2);
            assert_eq!(handle.metrics().spawned_tasks, 2);
        });
    });
}
