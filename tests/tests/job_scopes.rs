//! Blocking jobs and the scopes: a job is none, and no request reaches what it waits for.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tenter::process::{Command, OnDrop};
use tenter::sync::{Notify, oneshot};
use tenter::time::timeout;
use tenter::{defer_async, spawn_blocking};
use tenter_tests::support::{build, every, foreign_block_on};

const MOMENT: Duration = Duration::from_millis(1);

/// Goal: what is left in a job is done by the runtime; the job has ended when its function returns.
#[test]
fn a70_what_is_left_in_a_job_is_done_by_the_runtime() {
    every(|builder| {
        build(builder).block_on(async {
            let done = Arc::new(Notify::new());
            let tell = Arc::clone(&done);
            let job = spawn_blocking(move || {
                let mut command = Command::new("sleep");
                command.arg("1000").on_drop(OnDrop::terminate());
                drop(command.spawn().expect("it starts"));
                let _clean_up = defer_async(async move {
                    tenter::time::sleep(MOMENT).await;
                    tell.notify_one();
                });
                5
            });
            assert_eq!(job.await.expect("no panic"), 5);
            done.notified().await;
        });
    });
}

/// Goal: a job that was cancelled while it runs goes on, and a timeout in it ends, whoever polls it.
#[test]
fn x24_a_timeout_in_a_cancelled_job_ends() {
    every(|builder| {
        build(builder).block_on(async {
            let (begun, runs) = oneshot();
            let (goes_on, cancelled) = oneshot();
            let job = spawn_blocking(move || {
                begun.send(()).expect("it is awaited");
                cancelled.blocking_recv().expect("it is sent");
                foreign_block_on(timeout(MOMENT, pending::<()>())).expect_err("it is over");
            });
            runs.await.expect("it begins");
            job.cancel();
            goes_on.send(()).expect("the job keeps it");
            drop(job.await);
        });
    });
}
