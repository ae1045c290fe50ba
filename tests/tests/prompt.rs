//! What a prompt needs of a runtime: statements that are entered one by one, each with its own awaits.
//!
//! `docs/guide/prompt.md` shows the same in a real one.
#![cfg(unix)]
#![allow(
    clippy::async_yields_async,
    reason = "tasks are handed from one statement to the next"
)]

use std::future::pending;
use std::time::Duration;

use tenter::io::{AsyncReadExt, AsyncWriteExt};
use tenter::net::{TcpListener, TcpStream};
use tenter::task::yield_now;
use tenter::time::sleep;
use tenter::{Builder, CtrlC, Interrupted, Runner, context_var, spawn};
use tenter_tests::support::{Count, alone, build, ends, every, panic_of};

context_var! { static USER: u32 = 0; }

/// Goal: what a statement awaits is awaited at the prompt, what it spawns is alive for the next one, and variables,
/// sockets and context are kept from one to the next.
#[test]
fn a97_statements_are_entered_one_by_one() {
    every(|builder| {
        let mut prompt = Runner::from(build(builder));
        // >>> 1 + await …
        let one = prompt.run(async { 1 + async { 1 }.await });
        assert_eq!(one, Ok(2));
        // >>> listener = …
        let listener = prompt
            .run(TcpListener::bind("127.0.0.1:0"))
            .unwrap()
            .unwrap();
        let address = listener.local_addr().unwrap();
        // >>> server = spawn(…): it goes on in later statements.
        let server = prompt.run(async {
            spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut question = [0; 1];
                stream.read_exact(&mut question).await.unwrap();
                sleep(Duration::from_millis(1)).await;
                stream.write_all(&[question[0] + 1]).await.unwrap();
            })
        });
        // >>> stream = await connect(…)
        let mut stream = prompt.run(TcpStream::connect(address)).unwrap().unwrap();
        // >>> USER.set(7)
        prompt.run(async { USER.set(7) }).unwrap();
        // >>> await stream.write(…); and, later, await stream.read(…)
        prompt.run(stream.write_all(&[41])).unwrap().unwrap();
        let mut answer = [0; 1];
        prompt.run(stream.read_exact(&mut answer)).unwrap().unwrap();
        assert_eq!(answer, [42]);
        // >>> await server
        prompt
            .run(async { server.unwrap().await.unwrap() })
            .unwrap();
        assert_eq!(prompt.run(async { USER.get() }), Ok(7));
        assert!(prompt.close().is_clean());
    });
}

/// Goal: a statement that is interrupted or that panics ends alone: what the ones before it have spawned lives on, and
/// so does the prompt.
#[test]
fn a97_ctrl_c_ends_the_statement_and_nothing_else() {
    if !alone("a97_ctrl_c_ends_the_statement_and_nothing_else") {
        return;
    }
    // SAFETY: nothing but the number of a signal goes in, and no handler.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
    for builder in [
        Builder::current_thread(),
        Builder::multi_thread().workers(2),
    ] {
        ends("a flavour", || {
            let builder = builder.ctrl_c(CtrlC::CancelMain);
            let mut prompt = Runner::from(builder.build().unwrap());
            let dropped = Count::new();
            let guard = dropped.on_drop();
            let ticks = Count::new();
            let background = prompt.run(async {
                let ticks = ticks.clone();
                spawn(async move {
                    let _guard = guard;
                    loop {
                        ticks.add();
                        sleep(Duration::from_micros(10)).await;
                    }
                })
            });
            for _ in 0..2 {
                let interrupted = prompt.run(async {
                    // SAFETY: nothing but the number of a signal goes in.
                    assert_eq!(unsafe { libc::raise(libc::SIGINT) }, 0);
                    pending::<()>().await;
                });
                assert!(interrupted.is_err_and(|error: Interrupted| error.is_ctrl_c()));
            }
            let said = panic_of(|| prompt.run(async { panic!("a slip") }));
            assert_eq!(said, "a slip");
            // The background task goes on.
            let before = ticks.get();
            let more = async {
                while ticks.get() < before + 3 {
                    yield_now().await;
                }
            };
            prompt.run(more).unwrap();
            assert_eq!(dropped.get(), 0);
            let report = prompt.close();
            assert_eq!((report.cancelled, dropped.get()), (1, 1), "{report}");
            drop(background);
        });
    }
}
