//! The stream in memory (`io/src/duplex.rs`): its two ends in two threads.
#![cfg(tenter_loom)]

use std::future::poll_fn;
use std::io;
use std::pin::Pin;

use tenter_io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tenter_loom_tests::{block_on, check};
use tenter_sync::shim::thread;

fn read(end: &mut DuplexStream) -> Option<u8> {
    let mut byte = [0];
    let read = poll_fn(|cx| Pin::new(&mut *end).poll_read(cx, &mut byte));
    let count = block_on(read).expect("reading never fails");
    (count == 1).then_some(byte[0])
}

fn write(end: &mut DuplexStream, byte: u8) -> io::Result<usize> {
    block_on(poll_fn(|cx| Pin::new(&mut *end).poll_write(cx, &[byte])))
}

/// Goal: a writer that finds the pipe full and a reader that finds it empty wake each other; every byte
/// comes once, in order.
#[test]
fn back_pressure() {
    check("duplex::back_pressure", || {
        let (mut near, mut far) = duplex(1);
        let writer = thread::spawn(move || {
            for byte in 1..=3 {
                assert_eq!(write(&mut near, byte).expect("somebody reads"), 1);
            }
            near
        });
        for byte in 1..=3 {
            assert_eq!(read(&mut far), Some(byte));
        }
        drop(writer.join().unwrap());
    });
}

/// Goal: who waits for bytes hears of the end, and of what was written before it first.
#[test]
fn drop_vs_read() {
    check("duplex::drop_vs_read", || {
        let (mut near, mut far) = duplex(1);
        let writer = thread::spawn(move || {
            assert_eq!(write(&mut near, 7).expect("somebody reads"), 1);
        });
        assert_eq!(read(&mut far), Some(7));
        assert_eq!(read(&mut far), None);
        writer.join().unwrap();
    });
}

/// Goal: who waits for room hears that nobody reads any more; both ends may go at once.
#[test]
fn drop_vs_write() {
    check("duplex::drop_vs_write", || {
        let (mut near, far) = duplex(1);
        let reader = thread::spawn(move || drop(far));
        let error = loop {
            if let Err(error) = write(&mut near, 7) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        reader.join().unwrap();
    });
}
