//! What reads from a stream: whatever was sent is in the caller's buffer or still to be read, once.

use std::io::{IoSliceMut, SeekFrom};

use tenter::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader, DuplexStream, copy,
    copy_bidirectional, copy_buf, duplex, join, split,
};
use tenter_tests::support::poll_once;

use crate::harness::{Case, case, of_streams};

/// The other end of a stream in memory, which knows what it has sent.
pub struct Far {
    pub stream: DuplexStream,
    pub sent: Vec<u8>,
}

impl Far {
    /// A stream with room for so much, and its other end.
    pub fn pair(capacity: usize) -> (DuplexStream, Far) {
        let (near, stream) = duplex(capacity);
        let sent = Vec::new();
        (near, Far { stream, sent })
    }

    /// Sends as much as there is room for.
    pub fn put(&mut self, bytes: &[u8]) {
        if let std::task::Poll::Ready(count) = poll_once(&mut self.stream.write(bytes)) {
            let count = count.expect("it is open");
            self.sent.extend_from_slice(&bytes[..count]);
        }
    }

    /// Ends the stream, and asks whether all that was sent has come: `seen`, and then what is left.
    pub async fn all_came(self, mut seen: Vec<u8>, near: &mut (impl AsyncReadExt + Unpin)) {
        drop(self.stream);
        near.read_to_end(&mut seen).await.expect("it was ended");
        assert_eq!(seen, self.sent);
    }
}

/// The part `number` of what is sent, so that no part can be taken for another.
pub fn part(number: usize) -> [u8; 3] {
    let letter = b'a' + u8::try_from(number).expect("few parts");
    [letter, letter + 1, letter + 2]
}

pub fn cases() -> Vec<Case> {
    let mut cases = pieces();
    cases.extend(wholes());
    cases.extend(records());
    cases.extend(copies());
    of_streams(cases)
}

fn pieces() -> Vec<Case> {
    vec![
        case("ext::read::AsyncReadExt::read", 1, |cut| async move {
            let (mut near, mut far) = Far::pair(8);
            let mut buffer = [0; 2];
            let count = cut
                .pushed(near.read(&mut buffer), |n| far.put(&part(n)))
                .await;
            let count = count.map_or(0, |count| count.unwrap());
            far.all_came(buffer[..count].to_vec(), &mut near).await;
        }),
        case(
            "ext::read::AsyncReadExt::read_vectored",
            1,
            |cut| async move {
                let (mut near, mut far) = Far::pair(8);
                let [mut one, mut two] = [[0; 1]; 2];
                let mut buffers = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
                let read = near.read_vectored(&mut buffers);
                let count = cut.pushed(read, |n| far.put(&part(n))).await;
                let count = count.map_or(0, |count| count.unwrap());
                far.all_came([one, two].concat()[..count].to_vec(), &mut near)
                    .await;
            },
        ),
        // Halves of one stream, of which the other may be used meanwhile.
        case("ext::read::AsyncReadExt::read", 1, |cut| async move {
            let (near, mut far) = Far::pair(8);
            let (mut read, mut write) = split(near);
            let mut buffer = [0; 2];
            let push = |n| far.put(&part(n));
            let count = cut.pushed(read.read(&mut buffer), push).await;
            write.write_all(b"back").await.unwrap();
            let mut back = [0; 4];
            far.stream.read_exact(&mut back).await.unwrap();
            assert_eq!(&back, b"back");
            let count = count.map_or(0, |count| count.unwrap());
            far.all_came(buffer[..count].to_vec(), &mut read).await;
            assert!(read.unsplit(write).is_ok());
        }),
        case(
            "ext::buf_read::AsyncBufReadExt::fill_buf ext::buf_read::AsyncBufReadExt::at_eof",
            1,
            |cut| async move {
                let (near, mut far) = Far::pair(8);
                let mut near = BufReader::new(near);
                let filled = cut.pushed(near.fill_buf(), |n| far.put(&part(n))).await;
                assert!(filled.is_none_or(|bytes| bytes.unwrap() == &part(1)[..]));
                far.all_came(Vec::new(), &mut near).await;
                let (near, mut far) = Far::pair(8);
                let mut near = BufReader::new(near);
                let end = cut.pushed(near.at_eof(), |n| far.put(&part(n))).await;
                assert!(end.is_none_or(|end| !end.unwrap()));
                far.all_came(Vec::new(), &mut near).await;
            },
        ),
        // A seek of a stream in memory never waits: what waits is tested with files.
        case(
            "ext::seek::AsyncSeekExt::seek ext::seek::AsyncSeekExt::rewind \
             ext::seek::AsyncSeekExt::stream_position",
            0,
            |cut| async move {
                let mut cursor = tenter::io::Cursor::new(b"abc");
                let sought = cut.of(cursor.seek(SeekFrom::Start(2))).await;
                let place = cursor.stream_position().await.unwrap();
                assert_eq!(place, sought.map_or(0, |place| place.unwrap()));
                let told = cut.of(cursor.stream_position()).await;
                assert!(told.is_none_or(|told| told.unwrap() == place));
                let rewound = cut.of(cursor.rewind()).await;
                assert!(
                    rewound.is_some() == (cursor.stream_position().await.unwrap() == 0)
                        || place == 0
                );
            },
        ),
    ]
}

fn wholes() -> Vec<Case> {
    vec![
        // Not cancel-safe: but what is missing is in the buffer.
        case("ext::read::AsyncReadExt::read_exact", 2, |cut| async move {
            let (mut near, mut far) = Far::pair(8);
            let mut buffer = [0; 7];
            cut.pushed(near.read_exact(&mut buffer), |n| far.put(&part(n)))
                .await;
            let Far { stream, sent } = far;
            drop(stream);
            let mut rest = Vec::new();
            near.read_to_end(&mut rest).await.unwrap();
            let read = sent.len() - rest.len();
            assert_eq!([&buffer[..read], &rest].concat(), sent);
        }),
        case(
            "ext::read::AsyncReadExt::read_to_end",
            3,
            |cut| async move {
                let (mut near, far) = Far::pair(8);
                let mut far = Some(far);
                let mut seen = Vec::new();
                let mut sent = Vec::new();
                let read = cut.pushed(near.read_to_end(&mut seen), |n| match &mut far {
                    Some(open) if n < 3 => open.put(&part(n)),
                    _ => sent = far.take().map_or_else(|| sent.clone(), |far| far.sent),
                });
                let count = read.await.map(|count| count.unwrap());
                assert!(count.is_none_or(|count| count == seen.len()));
                match far {
                    Some(far) => far.all_came(seen, &mut near).await,
                    None => {
                        near.read_to_end(&mut seen).await.unwrap();
                        assert_eq!(seen, sent);
                    }
                }
            },
        ),
        // A character of which a part has come is lost, and no other.
        case(
            "ext::read::AsyncReadExt::read_to_string",
            3,
            |cut| async move {
                let (mut near, far) = Far::pair(8);
                let mut far = Some(far);
                let mut text = String::new();
                let pieces: [&[u8]; 3] = ["aé".as_bytes(), &[0xE2, 0x82], &[0xAC, b'z']];
                let read = cut.pushed(near.read_to_string(&mut text), |n| {
                    match (pieces.get(n - 1), &mut far) {
                        (Some(piece), Some(far)) => far.put(piece),
                        _ => far = None,
                    }
                });
                let whole = read.await.map(|count| count.unwrap());
                assert!("aé€z".starts_with(&text), "{text}");
                assert!(whole.is_none_or(|count| count == text.len() && text == "aé€z"));
            },
        ),
    ]
}

fn records() -> Vec<Case> {
    const ALL: [&[u8]; 4] = [b"on", b"e\r", b"\ntw", b"o\n"];
    vec![
        case(
            "ext::buf_read::AsyncBufReadExt::read_until",
            3,
            |cut| async move {
                let (near, mut far) = Far::pair(8);
                let mut near = BufReader::new(near);
                let mut record = Vec::new();
                let read = near.read_until("\r\n", &mut record);
                cut.pushed(read, |n| far.put(ALL[n - 1])).await;
                far.all_came(record, &mut near).await;
            },
        ),
        case(
            "ext::buf_read::AsyncBufReadExt::read_line",
            3,
            |cut| async move {
                let (near, mut far) = Far::pair(8);
                let mut near = BufReader::with_capacity(4, near);
                let mut line = String::new();
                // A character comes in two parts.
                let pieces: [&[u8]; 3] = [b"a\xC3", b"\xA9", b"b\nz"];
                cut.pushed(near.read_line(&mut line), |n| far.put(pieces[n - 1]))
                    .await;
                far.all_came(line.into_bytes(), &mut near).await;
            },
        ),
        case("ext::lines::Lines::next_line", 3, |cut| async move {
            let (near, mut far) = Far::pair(16);
            let mut lines = BufReader::new(near).lines();
            let first = cut.pushed(lines.next_line(), |n| far.put(ALL[n - 1])).await;
            let sent = far.sent.len();
            ALL.concat()[sent..]
                .chunks(8)
                .for_each(|rest| far.put(rest));
            drop(far);
            let first = match first {
                Some(line) => line,
                None => lines.next_line().await,
            };
            assert_eq!(first.unwrap().as_deref(), Some("one"));
            assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("two"));
            assert_eq!(lines.next_line().await.unwrap(), None);
        }),
        case("ext::lines::Split::next_segment", 3, |cut| async move {
            let (near, mut far) = Far::pair(16);
            let mut records = BufReader::new(near).split("\r\n");
            let first = cut
                .pushed(records.next_segment(), |n| far.put(ALL[n - 1]))
                .await;
            let sent = far.sent.len();
            far.put(&ALL.concat()[sent..]);
            drop(far);
            let first = match first {
                Some(record) => record,
                None => records.next_segment().await,
            };
            assert_eq!(first.unwrap().as_deref(), Some(&b"one"[..]));
            let second = records.next_segment().await.unwrap();
            assert_eq!(second.as_deref(), Some(&b"two\n"[..]));
        }),
    ]
}

/// Takes what has come, up to three bytes.
pub fn take(from: &mut DuplexStream, into: &mut Vec<u8>) {
    let mut buffer = [0; 3];
    if let std::task::Poll::Ready(count) = poll_once(&mut from.read(&mut buffer)) {
        into.extend_from_slice(&buffer[..count.expect("it is open")]);
    }
}

fn copies() -> Vec<Case> {
    vec![
        // Not cancel-safe: what was read and not written is lost, and that is all.
        case("copy::one_way::copy", 4, |cut| async move {
            let (mut source, far) = Far::pair(8);
            let (mut sink, mut out) = duplex(2);
            let mut far = Some(far);
            let (mut sent, mut came) = (Vec::new(), Vec::new());
            let copied = cut
                .pushed(copy(&mut source, &mut sink), |n| {
                    take(&mut out, &mut came);
                    match &mut far {
                        Some(open) if n < 4 => open.put(&part(n)),
                        Some(_) => sent = far.take().expect("open").sent,
                        None => {}
                    }
                })
                .await;
            let whole = copied.map(|count| count.unwrap());
            drop(sink);
            out.read_to_end(&mut came).await.unwrap();
            let sent = far.map_or(sent, |far| far.sent);
            assert_eq!(sent[..came.len()], came);
            assert!(whole.is_none_or(|count| came.len() as u64 == count && came == sent));
        }),
        // What was not written is still in the reader.
        case("copy::buffered::copy_buf", 3, |cut| async move {
            let (source, mut far) = Far::pair(8);
            let mut source = BufReader::new(source);
            let (mut sink, mut out) = duplex(2);
            let mut came = Vec::new();
            far.put(b"abcdefgh");
            far.stream.close().await.unwrap();
            let copied = cut.pushed(copy_buf(&mut source, &mut sink), |_| {
                take(&mut out, &mut came);
            });
            let whole = copied.await.map(|count| count.unwrap());
            drop(sink);
            out.read_to_end(&mut came).await.unwrap();
            assert!(whole.is_none_or(|count| count == 8));
            far.all_came(came, &mut source).await;
        }),
        case(
            "copy::bidirectional::copy_bidirectional",
            3,
            |cut| async move {
                let (mut here, left) = Far::pair(4);
                let (mut there, right) = Far::pair(4);
                let mut ends = [left, right];
                let mut came = [Vec::new(), Vec::new()];
                let both = cut.pushed(copy_bidirectional(&mut here, &mut there), |n| {
                    for (end, came) in ends.iter_mut().zip(came.iter_mut()) {
                        take(&mut end.stream, came);
                        if n < 3 {
                            end.put(&part(n));
                        } else {
                            let _ = poll_once(&mut end.stream.close());
                        }
                    }
                });
                let whole = both.await.map(|counts| counts.unwrap());
                drop((here, there));
                let [mut left, mut right] = ends;
                left.stream.read_to_end(&mut came[0]).await.unwrap();
                right.stream.read_to_end(&mut came[1]).await.unwrap();
                assert_eq!(right.sent[..came[0].len()], came[0]);
                assert_eq!(left.sent[..came[1].len()], came[1]);
                let counts = (came[1].len() as u64, came[0].len() as u64);
                assert!(whole.is_none_or(|whole| whole == counts && left.sent == came[1]));
            },
        ),
        // The streams that are made of others.
        case("ext::read::AsyncReadExt::read", 1, |cut| async move {
            let (near, mut far) = Far::pair(8);
            let (writer, _kept) = duplex(1);
            let mut both = join(BufReader::new(near).take(5), writer);
            let mut buffer = [0; 2];
            let count = cut
                .pushed(both.read(&mut buffer), |n| far.put(&part(n)))
                .await;
            let count = count.map_or(0, |count| count.unwrap());
            far.put(b"12345");
            let sent = far.sent.clone();
            let mut seen = buffer[..count].to_vec();
            drop(far);
            both.read_to_end(&mut seen).await.unwrap();
            assert_eq!(seen, sent[..5]);
        }),
    ]
}
