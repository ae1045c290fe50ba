//! What programs do with a stream of bytes, on readers and writers that make it hard.

mod rig;

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use rig::{Rig, poll_once};
use tenter_io::{AsyncReadExt, AsyncWriteExt};

/// One answer of a reader or writer.
enum Step {
    Bytes(&'static [u8]),
    Takes(usize),
    Pending,
    Fails(io::ErrorKind),
    Panics,
}

/// A reader or writer that follows a list. After its end it reads nothing and takes nothing.
#[derive(Default)]
struct Script {
    steps: VecDeque<Step>,
    written: Vec<u8>,
    flushes: usize,
    closes: usize,
}

fn script(steps: impl IntoIterator<Item = Step>) -> Script {
    Script {
        steps: steps.into_iter().collect(),
        ..Script::default()
    }
}

impl Script {
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Step>>> {
        match self.steps.pop_front() {
            Some(Step::Pending) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Step::Fails(kind)) => Poll::Ready(Err(kind.into())),
            Some(Step::Panics) => panic!("a hostile reader"),
            step => Poll::Ready(Ok(step)),
        }
    }
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.next(cx).map_ok(|step| {
            let Some(Step::Bytes(bytes)) = step else {
                return 0;
            };
            let count = bytes.len().min(buffer.len());
            buffer[..count].copy_from_slice(&bytes[..count]);
            if count < bytes.len() {
                self.steps.push_front(Step::Bytes(&bytes[count..]));
            }
            count
        })
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.next(cx).map_ok(|step| {
            let Some(Step::Takes(most)) = step else {
                return 0;
            };
            let count = most.min(buffer.len());
            self.written.extend_from_slice(&buffer[..count]);
            count
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushes += 1;
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.closes += 1;
        Poll::Ready(Ok(()))
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    Rig::Fallback.block_on(future)
}

#[test]
fn read_exact_puts_pieces_together() {
    let mut reader = script([
        Step::Bytes(b"a"),
        Step::Pending,
        Step::Fails(io::ErrorKind::Interrupted),
        Step::Bytes(b"bcd"),
    ]);
    let mut buffer = [0; 3];
    block_on(reader.read_exact(&mut buffer)).expect("enough");
    assert_eq!(&buffer, b"abc");
    assert_eq!(block_on(reader.read(&mut buffer)).expect("the rest"), 1);
}

#[test]
fn read_exact_says_how_much_there_was() {
    let mut reader = script([Step::Bytes(b"ab")]);
    let error = block_on(reader.read_exact(&mut [0; 5])).expect_err("too little");
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert!(error.to_string().contains("2 of 5 bytes"), "{error}");
    block_on(reader.read_exact(&mut [])).expect("nothing is always there");
}

#[test]
fn read_to_end_appends_and_keeps_what_it_has_on_every_way_out() {
    let mut buffer = b"head ".to_vec();
    let mut reader = script([Step::Bytes(b"one "), Step::Pending, Step::Bytes(b"two")]);
    assert_eq!(block_on(reader.read_to_end(&mut buffer)).expect("read"), 7);
    assert_eq!(buffer, b"head one two");

    let mut reader = script([Step::Bytes(b"!"), Step::Fails(io::ErrorKind::TimedOut)]);
    let error = block_on(reader.read_to_end(&mut buffer)).expect_err("it fails");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(buffer, b"head one two!");

    let mut reader = script([Step::Bytes(b"?"), Step::Pending, Step::Bytes(b"never read")]);
    {
        let mut read = Box::pin(reader.read_to_end(&mut buffer));
        assert!(poll_once(read.as_mut()).is_pending());
        // Dropped while it waits.
    }
    assert_eq!(buffer, b"head one two!?");

    let mut reader = script([Step::Bytes(b"."), Step::Panics]);
    let read = AssertUnwindSafe(|| block_on(reader.read_to_end(&mut buffer)));
    assert!(catch_unwind(read).is_err());
    assert_eq!(buffer, b"head one two!?.");
}

#[test]
fn read_to_end_of_much_is_whole() {
    static MUCH: [u8; 300_000] = [7; 300_000];
    let mut buffer = Vec::new();
    let mut reader = script([Step::Bytes(&MUCH), Step::Bytes(&MUCH)]);
    let count = block_on(reader.read_to_end(&mut buffer)).expect("read");
    assert_eq!(count, 600_000);
    assert!(buffer.iter().all(|byte| *byte == 7));
}

#[test]
fn write_all_goes_on_until_all_is_taken() {
    let mut writer = script([
        Step::Takes(2),
        Step::Pending,
        Step::Fails(io::ErrorKind::Interrupted),
        Step::Takes(100),
    ]);
    block_on(writer.write_all(b"abcdef")).expect("written");
    assert_eq!(writer.written, b"abcdef");
    let mut writer = script([Step::Takes(3)]);
    let error = block_on(writer.write_all(b"abcdef")).expect_err("it takes no more");
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    assert!(error.to_string().contains("3 of 6 bytes"), "{error}");
    let mut writer = script([Step::Fails(io::ErrorKind::BrokenPipe)]);
    let error = block_on(writer.write_all(b"x")).expect_err("it fails");
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn writing_flushing_and_closing_are_passed_on_once() {
    let mut writer = script([Step::Takes(1)]);
    assert_eq!(block_on(writer.write(b"ab")).expect("written"), 1);
    block_on(writer.flush()).expect("flushed");
    block_on(writer.close()).expect("closed");
    assert_eq!((writer.flushes, writer.closes), (1, 1));
}

#[test]
fn readers_behind_a_pointer_are_readers() {
    let mut reader: Box<dyn AsyncRead + Unpin> = Box::new(script([Step::Bytes(b"dyn")]));
    let mut buffer = [0; 3];
    block_on(reader.read_exact(&mut buffer)).expect("enough");
    let mut pinned = Pin::new(&mut buffer[..]);
    assert_eq!(pinned.as_mut().len(), 3);
    let mut bytes: &[u8] = b"slice";
    let mut all = Vec::new();
    block_on(bytes.read_to_end(&mut all)).expect("read");
    assert_eq!(all, b"slice");
}
