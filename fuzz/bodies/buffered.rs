//! The buffered reader against the text that it reads: nothing is lost, doubled or moved, whatever is
//! read, given up, limited, and however the text arrives.
//!
//! The first half of the input says what is done, the second half is the text. Shared by
//! `fuzz/targets/buffered.rs` and `io/tests/fuzz_corpora.rs`.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tenter_io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// Gives the text in pieces, and sometimes nothing for now.
struct Pieces<'a> {
    text: &'a [u8],
    sizes: std::iter::Cycle<std::iter::Copied<std::slice::Iter<'a, u8>>>,
    given: bool,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let size = self.sizes.next().unwrap_or(1);
        if size % 4 == 0 && std::mem::take(&mut self.given) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.given = true;
        let count = target
            .len()
            .min(self.text.len())
            .min(1 + usize::from(size) / 4);
        let (piece, rest) = self.text.split_at(count);
        target[..count].copy_from_slice(piece);
        self.text = rest;
        Poll::Ready(Ok(count))
    }
}

/// Polls until it is ready, or gives up after so many times. Zero: never.
fn poll<F: Future>(future: F, patience: u8) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    let mut polls = 0_u32;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some(output);
        }
        polls += 1;
        assert!(polls < 1 << 20, "it hangs");
        if polls == u32::from(patience) {
            return None;
        }
    }
}

fn find(text: &[u8], separator: &[u8]) -> Option<usize> {
    text.windows(separator.len())
        .position(|part| part == separator)
}

/// Does what `data` says.
pub fn buffered(data: &[u8]) {
    let (script, text) = data.split_at(data.len() / 2);
    let Some((capacity, script)) = script.split_first() else {
        return;
    };
    let pieces = Pieces {
        text,
        sizes: script.iter().copied().cycle(),
        given: true,
    };
    let mut reader = BufReader::with_capacity(usize::from(capacity % 24), pieces);
    // What of the text has been handed out.
    let mut at = 0;
    for step in script.chunks(3) {
        let number = usize::from(step.get(1).copied().unwrap_or(0));
        let patience = step.get(2).copied().unwrap_or(0) % 4;
        let left = &text[at..];
        at += match step[0] % 6 {
            0 => read(&mut reader, left, number, patience),
            1 => consume(&mut reader, left, number, patience),
            2 => until(&mut reader, left, b"\n", number, patience),
            3 => until(&mut reader, left, b"ab", number, patience),
            4 => segment(&mut reader, left, number, patience),
            _ => {
                if let Some(ended) = poll(reader.at_eof(), patience) {
                    assert_eq!(ended.expect("no error"), left.is_empty());
                }
                0
            }
        };
        assert!(
            text[at..].starts_with(reader.buffer()),
            "read ahead, in order"
        );
        assert!(reader.buffer().len() <= reader.capacity());
    }
    let (pieces, ahead) = reader.into_parts();
    let rest = [&ahead[..], pieces.text].concat();
    assert_eq!(rest, text[at..], "nothing is lost and nothing comes twice");
}

fn read(reader: &mut BufReader<Pieces<'_>>, left: &[u8], size: usize, patience: u8) -> usize {
    let mut buffer = vec![0; size];
    let Some(count) = poll(reader.read(&mut buffer), patience) else {
        return 0;
    };
    let count = count.expect("no error");
    assert_eq!(buffer[..count], left[..count]);
    assert_eq!(count == 0, size == 0 || left.is_empty(), "zero is the end");
    count
}

fn consume(reader: &mut BufReader<Pieces<'_>>, left: &[u8], size: usize, patience: u8) -> usize {
    let Some(lent) = poll(reader.fill_buf(), patience) else {
        return 0;
    };
    let lent = lent.expect("no error");
    assert_eq!(lent.is_empty(), left.is_empty());
    assert!(left.starts_with(lent));
    let count = size.min(lent.len());
    Pin::new(reader).consume(count);
    count
}

fn until(
    reader: &mut BufReader<Pieces<'_>>,
    left: &[u8],
    separator: &'static [u8],
    limit: usize,
    patience: u8,
) -> usize {
    let mut record = Vec::new();
    let ended = poll(
        reader.read_until(separator, &mut record).limit(limit),
        patience,
    );
    assert!(left.starts_with(&record));
    let before = find(left, separator);
    let length = before.unwrap_or(left.len());
    match ended {
        None => assert!(record.len() < length + separator.len()),
        Some(Ok(count)) => {
            assert_eq!(count, record.len());
            // The end may come where the rest of a separator could have.
            let most = limit + before.map_or(separator.len() - 1, |_| 0);
            assert!(length <= most, "{length} are more than {limit}");
            assert_eq!(count, before.map_or(left.len(), |at| at + separator.len()));
        }
        Some(Err(error)) => assert!(
            length > limit,
            "{length} are not more than {limit}: {error}"
        ),
    }
    record.len()
}

fn segment(reader: &mut BufReader<Pieces<'_>>, left: &[u8], limit: usize, patience: u8) -> usize {
    let mut segments = AsyncBufReadExt::split(&mut *reader, b'\n').limit(limit);
    let next = poll(segments.next_segment(), patience);
    let before = find(left, b"\n");
    let length = before.unwrap_or(left.len());
    match next {
        Some(Ok(Some(segment))) => {
            assert!(length <= limit);
            assert_eq!(segment, left[..length]);
            length + usize::from(before.is_some())
        }
        Some(Ok(None)) => {
            assert!(left.is_empty());
            0
        }
        Some(Err(_)) | None => {
            assert!(next.is_none() || length > limit);
            let (_, partial) = segments.into_parts();
            assert!(left.starts_with(&partial));
            partial.len()
        }
    }
}
