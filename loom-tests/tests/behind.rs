//! Bytes that are written after the write has returned (`runtime/src/offload/behind.rs`): writers
//! against the job that drains what they have gathered, which is a thread of the model's.
#![cfg(tenter_loom)]

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use tenter::Builder;
use tenter::model::{Behind, BehindShared, Failed, Sink};
use tenter_loom_tests::{block_on, check};
use tenter_sync::shim::atomic::{AtomicUsize, Ordering};
use tenter_sync::shim::{Mutex, thread};

/// A sink that remembers.
#[derive(Default)]
struct Script {
    written: Mutex<Vec<u8>>,
    /// How many batches are being written.
    writing: AtomicUsize,
    /// This byte cannot be written.
    bad: Option<u8>,
    /// It lets others go on first, also jobs that are started meanwhile.
    is_slow: bool,
}

impl Script {
    fn new(bad: Option<u8>) -> Arc<Script> {
        Arc::new(Script {
            bad,
            ..Script::default()
        })
    }

    fn slow() -> Arc<Script> {
        Arc::new(Script {
            is_slow: true,
            ..Script::default()
        })
    }

    fn written(&self) -> Vec<u8> {
        self.written.lock().clone()
    }
}

impl Sink for Script {
    const WHAT: &'static str = "script";

    fn write(&self, rewind: u64, bytes: &[u8]) -> Result<(), Failed> {
        assert_eq!(rewind, 0);
        let others = self.writing.fetch_add(1, Ordering::Relaxed);
        assert_eq!(others, 0, "one batch at a time");
        if self.is_slow {
            thread::yield_now();
        }
        let result = self.append(bytes);
        self.writing.fetch_sub(1, Ordering::Relaxed);
        result
    }

    fn name(&self) -> String {
        "the script".to_owned()
    }
}

impl Script {
    fn append(&self, bytes: &[u8]) -> Result<(), Failed> {
        let mut written = self.written.lock();
        for (index, byte) in bytes.iter().enumerate() {
            if self.bad == Some(*byte) {
                let cause = io::Error::other("a bad byte");
                return Err(Failed {
                    written: index,
                    cause,
                });
            }
            written.push(*byte);
        }
        Ok(())
    }
}

/// Waits until the bytes are accepted.
fn push(writer: &mut Behind<Script>, bytes: &[u8]) -> io::Result<()> {
    let count = block_on(poll_fn(|cx| writer.poll_push(cx, bytes, 0)))?;
    assert_eq!(count, bytes.len(), "what fits into a batch is not split");
    Ok(())
}

/// Waits until what the writer has accepted is written.
fn flush(writer: &Behind<Script>) -> io::Result<()> {
    block_on(poll_fn(|cx| writer.poll_drained(cx, true)))
}

/// Goal: a flush is woken by the end of the batch that it waits for, and the bytes are in the sink then.
#[test]
fn flush_vs_job() {
    check("behind::flush_vs_job", || {
        let script = Script::new(None);
        let mut writer = Behind::new(Arc::clone(&script));
        push(&mut writer, b"a").expect("it never fails");
        flush(&writer).expect("it never fails");
        assert_eq!(script.written(), b"a");
    });
}

/// Goal: bytes that are accepted while the job ends are written, by that job or by the next one, in order.
#[test]
fn push_vs_end_of_the_job() {
    check("behind::push_vs_end_of_the_job", || {
        let script = Script::new(None);
        let mut writer = Behind::new(Arc::clone(&script));
        push(&mut writer, b"a").expect("it never fails");
        push(&mut writer, b"b").expect("it never fails");
        flush(&writer).expect("it never fails");
        assert_eq!(script.written(), b"ab");
    });
}

/// Goal: bytes that are accepted while a batch is being written wait for its end.
#[test]
fn push_vs_batch() {
    check("behind::push_vs_batch", || {
        let script = Script::slow();
        let mut writer = Behind::new(Arc::clone(&script));
        push(&mut writer, b"a").expect("it never fails");
        push(&mut writer, b"b").expect("it never fails");
        flush(&writer).expect("it never fails");
        assert_eq!(script.written(), b"ab");
    });
}

/// Goal: a writer that finds no room gets it when the next batch begins, its bytes stay together, and a
/// writer that is dropped without a flush loses nothing.
#[test]
fn room() {
    check("behind::room", || {
        let script = Script::new(None);
        let shared = BehindShared::new(Arc::clone(&script));
        let (mut one, mut two) = (shared.writer(), shared.writer());
        drop(shared);
        let other = thread::spawn(move || push(&mut two, b"bb").expect("it never fails"));
        push(&mut one, b"aa").expect("it never fails");
        other.join().unwrap();
        flush(&one).expect("it never fails");
        // Of the other's bytes it is known that they are accepted.
        push(&mut one, b"c").expect("it never fails");
        flush(&one).expect("it never fails");
        let written = script.written();
        assert!(
            written == b"aabbc" || written == b"bbaac",
            "{}",
            written.escape_ascii()
        );
    });
}

/// Goal: the error of accepted bytes is told once, whoever of several writers asks first, and nobody waits
/// for bytes that are lost.
#[test]
fn failure_vs_writers() {
    check("behind::failure_vs_writers", || {
        let shared = BehindShared::new(Script::new(Some(b'x')));
        let (mut one, mut two) = (shared.writer(), shared.writer());
        drop(shared);
        push(&mut one, b"x").expect("nothing has failed yet");
        let other = thread::spawn(move || drop(one));
        let told = [push(&mut two, b"b"), flush(&two)];
        other.join().unwrap();
        let told = told.iter().filter(|told| told.is_err());
        assert_eq!(told.count(), 1, "one is told, once");
    });
}

/// Goal: a job that the end of a runtime keeps from running is carried on: what was accepted is written.
#[test]
fn end_of_the_runtime() {
    check("behind::end_of_the_runtime", || {
        let runtime = Builder::current_thread()
            .build()
            .expect("no setting is wrong");
        let handle = runtime.handle().clone();
        let script = Script::new(None);
        let mut writer = Behind::new(Arc::clone(&script));
        let other = thread::spawn(move || {
            let _inside = handle.enter();
            push(&mut writer, b"a").expect("it never fails");
            flush(&writer).expect("it never fails");
        });
        drop(runtime);
        other.join().unwrap();
        assert_eq!(script.written(), b"a");
    });
}
