//! What programs do with a stream of bytes, on readers and writers that make it hard.

mod hostile;
mod rig;

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use hostile::{Random, RoughReader, RoughWriter, polled_at_most};
use rig::{Rig, poll_once};
use tenter_io::{
    AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader, Cursor, empty, join,
    repeat, sink,
};

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

#[test]
fn the_first_bytes_of_a_reader_are_a_reader() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let data = random.bytes(40);
        let limit = random.below(60) as u64;
        let first = &data[..data.len().min(limit as usize)];
        let mut reader = RoughReader::new(&data, seed).take(limit);
        let mut all = Vec::new();
        block_on(reader.read_to_end(&mut all)).expect("read");
        assert_eq!(all, first);
        assert_eq!(reader.limit(), limit - first.len() as u64);
        let mut rest = reader.into_inner();
        block_on(rest.read_to_end(&mut all)).expect("read");
        assert_eq!(all, data, "what is behind the limit stays there");

        let buffered = BufReader::with_capacity(5, RoughReader::new(&data, seed));
        let mut reader = buffered.take(limit);
        all.clear();
        let wait = reader.read_until([255; 1].as_slice(), &mut all);
        block_on(wait).expect("read");
        let end = first.iter().position(|byte| *byte == 255);
        assert_eq!(all, first[..end.map_or(first.len(), |at| at + 1)]);
        // Pieces of characters at the limit are no text, and are kept.
        let mut text = "√√".as_bytes().take(4);
        let mut line = String::new();
        block_on(text.read_line(&mut line)).expect_err("half a character");
        assert_eq!((&line[..], text.limit()), ("√", 1));
    }
}

#[test]
fn one_reader_goes_on_where_the_other_ends() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let (one, two) = (random.letters(20, b"ab\n"), random.letters(20, b"ab\n"));
        let both = [&one[..], &two].concat();
        let mut reader = RoughReader::new(&one, seed).chain(RoughReader::new(&two, seed + 1));
        assert_eq!(
            block_on(reader.read(&mut [])).expect("nothing is no end"),
            0
        );
        let mut all = Vec::new();
        block_on(reader.read_to_end(&mut all)).expect("read");
        assert_eq!(all, both);

        let buffered = |data, seed| BufReader::with_capacity(3, RoughReader::new(data, seed));
        let mut reader = buffered(&one, seed).chain(buffered(&two, seed));
        let mut got = Vec::new();
        // A line may begin in the first and end in the second.
        while block_on(reader.read_until(b'\n', &mut got)).expect("read") > 0 {}
        assert_eq!(got, both);
    }
}

#[test]
fn text_to_the_end_keeps_what_is_none() {
    let mut text = "head ".to_owned();
    let mut reader = script([
        Step::Bytes(b"a\xe2\x88"),
        Step::Pending,
        Step::Bytes(b"\x9ab"),
    ]);
    assert_eq!(block_on(reader.read_to_string(&mut text)).expect("text"), 5);
    assert_eq!(text, "head a√b");
    let mut reader = script([Step::Bytes(b"!\xffx")]);
    let error = block_on(reader.read_to_string(&mut text)).expect_err("no text");
    let bad = tenter_io::ext::NotUtf8::of(&error).expect("about the text");
    assert_eq!((&text[..], &bad.bytes[..]), ("head a√b!", &b"\xffx"[..]));
    let mut reader = script([Step::Bytes(b"?"), Step::Fails(io::ErrorKind::TimedOut)]);
    block_on(reader.read_to_string(&mut text)).expect_err("it fails");
    assert_eq!(text, "head a√b!?");
    let mut reader = script([Step::Bytes("√".as_bytes()), Step::Pending]);
    assert!(poll_once(pin!(reader.read_to_string(&mut text))).is_pending());
    assert_eq!(text, "head a√b!?√", "dropped while it waited");
}

#[test]
fn a_dropped_write_knows_what_is_left() {
    for seed in 0..300 {
        let data = Random::new(seed).bytes(60);
        for polls in 0..4 {
            let mut writer = RoughWriter::new(seed);
            let mut rest = &data[..];
            block_on(polled_at_most(polls, writer.write_all_buf(&mut rest)));
            assert_eq!(writer.written.len() + rest.len(), data.len());
            block_on(writer.write_all_buf(&mut rest)).expect("written");
            assert_eq!(writer.written, data, "seed {seed}: lost or twice");
        }
        let (one, two) = data.split_at(data.len() / 3);
        let mut slices = [one, b"", two, b""].map(IoSlice::new);
        let mut writer = RoughWriter::new(seed);
        block_on(writer.write_all_vectored(&mut slices)).expect("written");
        assert_eq!(writer.written, data);
    }
    let mut writer = script([Step::Takes(1)]);
    let mut slices = [IoSlice::new(b"abc")];
    let error = block_on(writer.write_all_vectored(&mut slices)).expect_err("no more");
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
}

#[test]
fn memory_is_read_written_and_sought() {
    block_on(async {
        let mut cursor = Cursor::new(Vec::new());
        cursor.write_all(b"hello world").await.expect("room");
        assert_eq!(cursor.rewind().await.expect("the start"), 0);
        let mut text = String::new();
        cursor.read_to_string(&mut text).await.expect("text");
        assert_eq!(text, "hello world");
        assert_eq!(cursor.seek(SeekFrom::End(-5)).await.expect("within"), 6);
        cursor.write_all(b"there").await.expect("room");
        assert_eq!(cursor.stream_position().await.expect("the end"), 11);
        cursor.seek(SeekFrom::Start(6)).await.expect("within");
        let mut line = String::new();
        cursor.read_line(&mut line).await.expect("text");
        assert_eq!(line, "there");
        cursor
            .seek(SeekFrom::Current(-99))
            .await
            .expect_err("before the start");
        assert_eq!(cursor.into_inner(), b"hello there");
    });
}

#[test]
fn ends_and_pairs() {
    block_on(async {
        assert_eq!(empty().read(&mut [0]).await.expect("the end"), 0);
        let mut fives = [0; 9];
        repeat(5).read_exact(&mut fives).await.expect("endless");
        assert_eq!(fives, [5; 9]);
        sink().write_all(&fives).await.expect("it takes all");
        let slices = [IoSlice::new(b"ab"), IoSlice::new(b"c")];
        assert_eq!(sink().write_vectored(&slices).await.expect("all"), 3);
        let mut pair = join(&b"in"[..], Vec::new());
        let mut buffer = [0; 2];
        pair.read_exact(&mut buffer).await.expect("there");
        pair.write_all(b"out").await.expect("room");
        pair.close().await.expect("closed");
        assert_eq!(
            (&buffer, pair.into_inner()),
            (b"in", (&b""[..], b"out".to_vec()))
        );
        let (mut one, mut two) = ([0; 1], [0; 4]);
        let slices = &mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        let mut bytes: &[u8] = b"xyz";
        assert_eq!(bytes.read_vectored(slices).await.expect("three"), 3);
    });
}

#[test]
fn the_end_is_asked_for_once() {
    // As a terminal does: behind its end there may be more.
    let mut reader = BufReader::new(script([Step::Bytes(b""), Step::Bytes(b"more")]));
    assert_eq!(block_on(reader.fill_buf()).expect("the end"), b"");
    assert_eq!(block_on(reader.fill_buf()).expect("more"), b"more");
}
