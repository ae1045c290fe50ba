//! Records: separators, limits that keep the data, and waits that are dropped.

mod hostile;
mod rig;

use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};

use futures_core::Stream;
use hostile::{Random, RoughReader, polled_at_most};
use rig::{Rig, poll_once};
use tenter_io::ext::{IncompleteRead, LimitOverrun, NotUtf8, Separator};
use tenter_io::{
    AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, duplex, repeat,
};

fn block_on<F: Future>(future: F) -> F::Output {
    Rig::Fallback.block_on(future)
}

/// What the standard library makes of it.
mod reference {
    use std::io::BufRead;

    pub fn lines(text: &str) -> Vec<String> {
        let lines = text.as_bytes().lines();
        lines.map(|line| line.expect("text")).collect()
    }

    pub fn split(data: &[u8], separator: u8) -> Vec<Vec<u8>> {
        let parts = BufRead::split(data, separator);
        parts.map(|part| part.expect("bytes")).collect()
    }

    pub fn read_line(text: &mut &[u8], line: &mut String) -> usize {
        text.read_line(line).expect("text")
    }
}

/// A reader that holds everything.
fn bytes(data: &'static [u8]) -> &'static [u8] {
    data
}

/// A reader of `data` that makes it hard, behind a buffer of a random size.
fn rough(data: &[u8], seed: u64) -> BufReader<RoughReader> {
    let capacity = 1 + Random::new(seed).below(12);
    BufReader::with_capacity(capacity, RoughReader::new(data, seed))
}

fn overrun(error: &io::Error) -> LimitOverrun {
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    LimitOverrun::of(error).expect("about the limit").clone()
}

#[test]
fn a_line_over_the_limit_is_an_error_and_nothing_is_lost() {
    block_on(async {
        let mut reader: &[u8] = b"line1\nline2\n";
        let mut line = String::new();
        let error = reader.read_line(&mut line).limit(3).await.expect_err("5");
        assert_eq!((overrun(&error).limit, overrun(&error).found), (3, true));
        assert!(error.to_string().contains("3 bytes"), "{error}");
        assert_eq!((&line[..], reader), ("lin", &b"e1\nline2\n"[..]));
        // Once more the same, and then on with a higher limit.
        reader.read_line(&mut line).limit(3).await.expect_err("5");
        assert_eq!(reader.read_line(&mut line).limit(5).await.expect("5"), 3);
        assert_eq!((&line[..], reader), ("line1\n", &b"line2\n"[..]));
    });
}

#[test]
fn the_limit_does_not_count_the_separator() {
    block_on(async {
        let mut reader: &[u8] = b"1234567\n";
        let mut record = Vec::new();
        let read = reader.read_until(b'\n', &mut record).limit(7);
        assert_eq!(read.await.expect("just so"), 8);
        let mut reader = bytes(b"1234567\n").lines().limit(6);
        let error = reader.next_line().await.expect_err("one too many");
        assert_eq!(overrun(&error).limit, 6);
        // No limit at all is no overflow.
        let mut reader: &[u8] = b"12--";
        let read = reader.read_until("--", &mut record).limit(usize::MAX);
        assert_eq!(read.await.expect("no limit"), 4);
        // Nothing before the separator is within a limit of nothing.
        let mut reader: &[u8] = b"\nx\n";
        let mut line = String::new();
        assert_eq!(reader.read_line(&mut line).limit(0).await.expect("0"), 1);
    });
}

#[test]
fn a_separator_that_is_only_begun_at_the_limit_is_waited_for() {
    block_on(async {
        let (mut near, far) = duplex(64);
        let mut far = BufReader::new(far);
        let mut record = Vec::new();
        near.write_all(b"dataAA").await.expect("room");
        {
            let mut read = pin!(far.read_until("AAA", &mut record).limit(4));
            assert!(poll_once(read.as_mut()).is_pending(), "it may be one");
        }
        near.write_all(b"A").await.expect("room");
        let read = far.read_until("AAA", &mut record).limit(4);
        assert_eq!(read.await.expect("it was one"), 1);
        assert_eq!(record, b"dataAAA");

        // Over the limit, not found yet; then over the limit and found; then taken.
        let mut record = Vec::new();
        near.write_all(b"some dataAA").await.expect("room");
        let read = far.read_until("AAA", &mut record).limit(3);
        assert!(!overrun(&read.await.expect_err("too long")).found);
        assert_eq!(record, b"som");
        near.write_all(b"A").await.expect("room");
        // What comes now is seen when the buffer is used up.
        let read = far.read_until("AAA", &mut record).limit(3);
        assert_eq!(overrun(&read.await.expect_err("too long")).limit, 3);
        let read = far.read_until("AAA", &mut record).limit(9);
        assert_eq!(read.await.expect("within"), 9);
        assert_eq!(record, b"some dataAAA");
    });
}

#[test]
fn a_found_separator_behind_the_limit_is_found_again() {
    // Separators of different lengths, and pieces of every size: the limit may be passed within
    // one of them.
    for seed in 0..3000 {
        let mut random = Random::new(seed);
        let data = random.letters(20, b"ab-");
        let separators = ["-", "b-a", "ba"];
        let mut reader = rough(&data, seed);
        let mut record = Vec::new();
        let mut limit = random.below(4);
        let end = loop {
            let read = reader.read_until(separators, &mut record).limit(limit);
            match block_on(read) {
                Ok(_) => break record.len(),
                Err(error) => assert_eq!(overrun(&error).limit, limit),
            }
            limit += 1;
        };
        assert_eq!(record[..], data[..end]);
        let first = first_end(&data, &separators.map(str::as_bytes)).unwrap_or(data.len());
        assert_eq!(end, first, "seed {seed}: {data:?}");
    }
}

fn first_end(data: &[u8], separators: &[&[u8]]) -> Option<usize> {
    (1..=data.len()).find(|end| separators.iter().any(|one| data[..*end].ends_with(one)))
}

#[test]
fn of_several_separators_the_one_that_ends_first_counts() {
    for seed in 0..200 {
        let mut reader = rough(b"ABCDEFG", seed);
        let mut record = Vec::new();
        let separators = [&b"DEF"[..], b"BCDE"];
        block_on(reader.read_until(separators, &mut record)).expect("found");
        assert_eq!(record, b"ABCDE");
    }
}

#[test]
fn the_end_in_the_middle_of_a_record_is_told_if_it_must_be_whole() {
    block_on(async {
        let mut record = Vec::new();
        let mut reader: &[u8] = b"HTTP/1.1 200 OK\r\nHo";
        let read = reader.read_until(b"\r\n\r\n", &mut record).whole();
        let error = read.await.expect_err("cut off");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        let incomplete = IncompleteRead::of(&error).expect("about the end");
        assert_eq!((incomplete.read, incomplete.expected), (19, None));
        assert_eq!(record, b"HTTP/1.1 200 OK\r\nHo");
        record.clear();
        let read = reader.read_until(b"\r\n\r\n", &mut record).whole();
        assert_eq!(read.await.expect("the end between records"), 0);
        let mut reader: &[u8] = b"rest";
        assert!(!reader.at_eof().await.expect("not yet"));
        let read = reader.read_until(b'\n', &mut record);
        assert_eq!(read.await.expect("the last one"), 4);
        assert!(reader.at_eof().await.expect("now"));

        let mut buffer = [0; 5];
        let mut reader: &[u8] = b"abc";
        let error = reader.read_exact(&mut buffer).await.expect_err("3 of 5");
        let incomplete = IncompleteRead::of(&error).expect("about the end");
        assert_eq!((incomplete.read, incomplete.expected), (3, Some(5)));
        assert_eq!(&buffer[..3], b"abc");
    });
}

#[test]
fn lines_are_those_of_the_standard_library() {
    for seed in 0..2000 {
        let text = Random::new(seed).text(40);
        let expected = reference::lines(&text);
        let mut lines = rough(text.as_bytes(), seed).lines();
        let mut got = Vec::new();
        while let Some(line) = block_on(lines.next_line()).expect("text") {
            got.push(line);
        }
        assert_eq!(got, expected, "seed {seed}");

        let mut reader = rough(text.as_bytes(), seed);
        let mut expected = text.as_bytes();
        let (mut line, mut of_std) = (String::new(), String::new());
        loop {
            let count = block_on(reader.read_line(&mut line)).expect("text");
            let wanted = reference::read_line(&mut expected, &mut of_std);
            assert_eq!((count, &line), (wanted, &of_std), "seed {seed}");
            if count == 0 {
                break;
            }
        }
    }
}

#[test]
fn records_are_those_of_the_standard_library() {
    for seed in 0..2000 {
        let data = Random::new(seed).letters(40, b"ab|");
        let expected = reference::split(&data, b'|');
        let mut parts = rough(&data, seed).split(b'|');
        let mut got = Vec::new();
        while let Some(part) = block_on(parts.next_segment()).expect("read") {
            got.push(part);
        }
        assert_eq!(got, expected, "seed {seed}");
    }
}

/// All records of `reader`, each read by waits of at most `polls` polls.
async fn piecemeal<R, S>(reader: &mut R, separator: S, polls: usize) -> Vec<Vec<u8>>
where
    R: AsyncBufRead + Unpin,
    S: Separator + Copy,
{
    let mut records = Vec::new();
    let mut record = Vec::new();
    loop {
        let wait = reader.read_until(separator, &mut record);
        match polled_at_most(polls, wait).await {
            None => {}
            // The count begins anew with each wait; the record does not.
            Some(count) if matches!(count, Ok(0)) && record.is_empty() => {
                return records;
            }
            Some(count) => {
                count.expect("no error");
                records.push(std::mem::take(&mut record));
            }
        }
    }
}

#[test]
fn a_wait_for_a_record_may_be_dropped_at_every_poll() {
    for seed in 0..400 {
        let data = Random::new(seed).letters(60, b"ab\r\n");
        for polls in 1..5 {
            let got = block_on(piecemeal(&mut rough(&data, seed), "\r\n", polls));
            assert_eq!(got.concat(), data, "seed {seed}: lost or twice");
            let (last, whole) = got
                .split_last()
                .map_or((None, &[][..]), |(l, w)| (Some(l), w));
            for record in whole.iter().chain(last.filter(|_| data.ends_with(b"\r\n"))) {
                assert_eq!(first_end(record, &[b"\r\n"]), Some(record.len()));
            }
        }
    }
}

#[test]
fn a_wait_for_a_line_may_be_dropped_at_every_poll() {
    for seed in 0..400 {
        let text = Random::new(seed).text(40);
        for polls in 1..5 {
            let mut reader = rough(text.as_bytes(), seed);
            let (mut line, mut got) = (String::new(), String::new());
            loop {
                let wait = reader.read_line(&mut line);
                match block_on(polled_at_most(polls, wait)) {
                    None => {}
                    Some(count) if matches!(count, Ok(0)) && line.is_empty() => break,
                    Some(_) => {
                        let rest = &text[got.len() + line.len()..];
                        assert!(line.ends_with('\n') || rest.is_empty(), "{line:?}");
                        assert_eq!(
                            line.matches('\n').count(),
                            usize::from(line.ends_with('\n'))
                        );
                        got.push_str(&std::mem::take(&mut line));
                    }
                }
            }
            assert_eq!(got, text, "seed {seed}: lost or twice");

            let mut lines = rough(text.as_bytes(), seed).lines();
            let mut got = Vec::new();
            loop {
                match block_on(polled_at_most(polls, lines.next_line())) {
                    None => {}
                    Some(line) => match line.expect("text") {
                        Some(line) => got.push(line),
                        None => break,
                    },
                }
            }
            let expected = reference::lines(&text);
            assert_eq!(got, expected, "seed {seed}");
        }
    }
}

#[test]
fn over_limits_and_drops_together_lose_nothing() {
    for seed in 0..1000 {
        let mut random = Random::new(seed);
        let data = random.letters(60, b"abc;");
        let mut reader = rough(&data, seed);
        let (mut record, mut got) = (Vec::new(), Vec::new());
        loop {
            let (limit, polls) = (random.below(6), 1 + random.below(6));
            let wait = reader.read_until([";", "c;a"], &mut record).limit(limit);
            let output = block_on(polled_at_most(polls, wait));
            assert!(record.len() <= limit.max(5) + 3, "it does not grow");
            match output {
                None => {}
                Some(Ok(0)) if record.is_empty() => break,
                Some(Ok(_)) => got.append(&mut record),
                // Take what is there, or try again with another limit.
                Some(Err(error)) if random.one_in(2) => {
                    assert_eq!(overrun(&error).limit, limit);
                    got.append(&mut record);
                }
                Some(Err(_)) => {}
            }
        }
        assert_eq!(got, data, "seed {seed}");
    }
}

#[test]
fn a_line_without_an_end_does_not_take_all_memory() {
    block_on(async {
        let mut lines = BufReader::new(repeat(b'x')).lines();
        for _ in 0..3 {
            let error = lines.next_line().await.expect_err("endless");
            assert_eq!(overrun(&error).limit, 1024 * 1024);
            assert_eq!(lines.partial().len(), 1024 * 1024);
        }
        let mut line = String::new();
        let mut reader = BufReader::new(repeat(b'x'));
        reader.read_line(&mut line).await.expect_err("endless");
        assert_eq!(line.len(), 1024 * 1024);
    });
}

#[test]
fn lines_go_on_after_the_limit_was_raised_or_the_line_taken() {
    block_on(async {
        let mut lines = bytes(b"a long line\nshort\n").lines().limit(6);
        lines.next_line().await.expect_err("too long");
        assert_eq!(lines.partial(), b"a long");
        lines.next_line().await.expect_err("still");
        lines.set_limit(11);
        let line = lines.next_line().await.expect("within");
        assert_eq!(line.as_deref(), Some("a long line"));
        lines.set_limit(3);
        lines.next_line().await.expect_err("too long");
        assert_eq!(lines.take_partial(), b"sho");
        let line = lines.next_line().await.expect("the rest");
        assert_eq!(line.as_deref(), Some("rt"));
        assert_eq!(lines.next_line().await.expect("the end"), None);

        let mut lines = bytes(b"left over").lines().limit(4);
        lines.next_line().await.expect_err("too long");
        assert_eq!(lines.into_parts(), (&b" over"[..], b"left".to_vec()));
    });
}

#[test]
fn what_is_no_text_is_kept() {
    block_on(async {
        let mut lines = bytes(b"good\nb\xffd\nmore").lines();
        assert_eq!(
            lines.next_line().await.expect("text").as_deref(),
            Some("good")
        );
        let error = lines.next_line().await.expect_err("no text");
        let bad = NotUtf8::of(&error).expect("about the text");
        assert_eq!((&bad.bytes[..], bad.valid), (&b"b\xffd"[..], 1));
        assert_eq!(
            lines.next_line().await.expect("text").as_deref(),
            Some("more")
        );
    });
    for data in [&b"ab\xffcd\n"[..], b"ab\xe2\n", b"ab\xe2\x88", b"ab\xf0"] {
        for seed in 0..50 {
            let mut reader = rough(data, seed);
            let mut line = String::new();
            for _ in 0..2 {
                let error = block_on(reader.read_line(&mut line)).expect_err("no text");
                assert!(NotUtf8::of(&error).is_some(), "{error}");
            }
            assert_eq!(line, "ab");
            let mut rest = Vec::new();
            block_on(reader.read_to_end(&mut rest)).expect("bytes");
            assert_eq!(rest, &data[2..], "it is still in the reader");
        }
    }
    // A limit within a character is an error about the limit.
    let mut reader = "a√b\n".as_bytes();
    let mut line = String::new();
    let error = block_on(reader.read_line(&mut line).limit(2)).expect_err("too long");
    assert_eq!((overrun(&error).limit, &line[..]), (2, "a"));
    block_on(reader.read_line(&mut line)).expect("text");
    assert_eq!(line, "a√b\n");
}

#[test]
fn a_reader_that_panics_takes_nothing_with_it() {
    for seed in 0..200 {
        let data = Random::new(seed).letters(30, b"ab");
        let mut reader = rough(&data, seed);
        reader.get_mut().panics_at = data.len() / 2;
        let mut record = Vec::new();
        let read = AssertUnwindSafe(|| block_on(reader.read_until(b'\n', &mut record)));
        let panicked = catch_unwind(read).is_err();
        assert_eq!(panicked, data.len() / 2 < data.len());
        reader.get_mut().panics_at = usize::MAX;
        block_on(reader.read_until(b'\n', &mut record)).expect("on it goes");
        assert_eq!(record, data, "seed {seed}");
    }
}

#[test]
fn an_empty_separator_is_refused() {
    for several in [false, true] {
        let refused = catch_unwind(|| {
            let mut reader: &[u8] = b"x";
            let mut record = Vec::new();
            match several {
                false => drop(reader.read_until("", &mut record)),
                true => drop(reader.read_until(["a", ""], &mut record)),
            }
        });
        assert!(refused.is_err());
    }
}

#[test]
fn what_a_buffer_holds_is_lent_until_it_is_consumed() {
    block_on(async {
        let mut reader = BufReader::with_capacity(4, RoughReader::new(b"abc", 3));
        let mut got = Vec::new();
        loop {
            let chunk = match reader.fill_buf().await {
                Ok(chunk) => chunk.to_vec(),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::Interrupted);
                    continue;
                }
            };
            if chunk.is_empty() {
                break;
            }
            got.push(chunk[0]);
            Pin::new(&mut reader).consume(1);
        }
        assert_eq!(got, b"abc");
    });
}

#[test]
fn records_are_a_stream_that_ends_with_its_error() {
    fn all<S: Stream + Unpin>(stream: &mut S) -> Vec<S::Item> {
        let mut items = Vec::new();
        let next = |stream: &mut S| block_on(poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)));
        while let Some(item) = next(stream) {
            items.push(item);
        }
        items
    }
    for seed in 0..300 {
        let text = Random::new(seed).text(40);
        let lines = all(&mut rough(text.as_bytes(), seed).lines()).into_iter();
        let lines: Vec<_> = lines.map(|line| line.expect("text")).collect();
        assert_eq!(lines, reference::lines(&text));
        let parts = all(&mut rough(text.as_bytes(), seed).split(b'a')).into_iter();
        let parts: Vec<_> = parts.map(|part| part.expect("bytes")).collect();
        assert_eq!(parts, reference::split(text.as_bytes(), b'a'));
    }
    let mut lines = bytes(b"ab\nlonger\nc\n").lines().limit(3);
    let mut items = all(&mut lines);
    assert_eq!(overrun(&items.remove(1).expect_err("too long")).limit, 3);
    assert_eq!(items.len(), 1);
    assert!(
        all(&mut lines).is_empty(),
        "an error does not come for ever"
    );
    lines.set_limit(6);
    let items: Vec<_> = all(&mut lines)
        .into_iter()
        .map(|line| line.expect("fits"))
        .collect();
    assert_eq!(items, ["longer", "c"]);
}
