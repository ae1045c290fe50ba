//! Reading in a row, seeking, and reading at an offset.

use std::future::poll_fn;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Poll, ready};

use tenter::fs::File;
use tenter::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncSeek, AsyncWriteExt};
use tenter_tests::support::assert_says;

use crate::support::{everywhere, number, pattern};

pub async fn seek(file: &mut File, target: SeekFrom) -> std::io::Result<u64> {
    poll_fn(|cx| Pin::new(&mut *file).poll_seek(cx, target)).await
}

#[test]
fn bytes_come_in_order_whatever_the_size_of_the_buffer() {
    everywhere(|folder| async move {
        let bytes = pattern(700_001);
        let path = folder.file("a", &bytes);
        for size in [1_000, 4_096, 8_192, 100_000, 2_000_000] {
            let mut file = File::open(&path).await.unwrap();
            let mut buffer = vec![0; size];
            let mut seen = 0;
            loop {
                let count = file.read(&mut buffer).await.unwrap();
                if count == 0 {
                    break;
                }
                assert_eq!(buffer[..count], bytes[seen..seen + count], "from {seen}");
                seen += count;
            }
            assert_eq!(seen, bytes.len());
            assert_eq!(file.read(&mut buffer).await.unwrap(), 0, "the end stays");
        }
    });
}

#[test]
fn what_is_appended_after_the_end_was_read_is_read() {
    everywhere(|folder| async move {
        let path = folder.file("a", b"one");
        let mut file = File::open(&path).await.unwrap();
        let mut text = Vec::new();
        file.read_to_end(&mut text).await.unwrap();
        let mut other = std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap();
        other.write_all(b" two").unwrap();
        file.read_to_end(&mut text).await.unwrap();
        assert_eq!(text, b"one two");
    });
}

#[test]
fn positions_do_not_count_what_was_read_ahead() {
    everywhere(|folder| async move {
        let bytes = pattern(50_000);
        let path = folder.file("a", &bytes);
        let mut file = File::open(&path).await.unwrap();
        let mut ten = [0; 10];
        file.read_exact(&mut ten).await.unwrap();
        assert_eq!(seek(&mut file, SeekFrom::Current(0)).await.unwrap(), 10);
        file.read_exact(&mut ten).await.unwrap();
        assert_eq!(ten[..], bytes[10..20]);
        assert_eq!(seek(&mut file, SeekFrom::Current(-5)).await.unwrap(), 15);
        file.read_exact(&mut ten).await.unwrap();
        assert_eq!(ten[..], bytes[15..25]);
        assert_eq!(seek(&mut file, SeekFrom::End(-10)).await.unwrap(), 49_990);
        file.read_exact(&mut ten).await.unwrap();
        assert_eq!(ten[..], bytes[49_990..]);
        assert_eq!(seek(&mut file, SeekFrom::Start(3)).await.unwrap(), 3);
        file.read_exact(&mut ten).await.unwrap();
        assert_eq!(ten[..], bytes[3..13]);
        // A seek that fails moves nothing and loses nothing.
        let error = seek(&mut file, SeekFrom::Current(-14)).await.unwrap_err();
        assert_says(&error.to_string(), &["cannot seek in file `", "/a`: "]);
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        let error = seek(&mut file, SeekFrom::Current(i64::MIN))
            .await
            .unwrap_err();
        assert_says(&error.to_string(), &["cannot seek", "/a`"]);
        file.read_exact(&mut ten).await.unwrap();
        assert_eq!(ten[..], bytes[13..23]);
    });
}

#[test]
fn reading_at_an_offset_leaves_the_position() {
    everywhere(|folder| async move {
        let bytes = pattern(50_000);
        let mut file = File::open(folder.file("a", &bytes)).await.unwrap();
        let mut buffer = [0; 100];
        file.read_exact(&mut buffer).await.unwrap();
        assert_eq!(file.read_at(&mut buffer, 40_000).await.unwrap(), 100);
        assert_eq!(buffer[..], bytes[40_000..40_100]);
        assert_eq!(file.read_at(&mut buffer, 49_990).await.unwrap(), 10);
        assert_eq!(file.read_at(&mut buffer, 50_000).await.unwrap(), 0);
        file.read_exact(&mut buffer).await.unwrap();
        assert_eq!(buffer[..], bytes[100..200]);
    });
}

#[test]
fn lines_are_read_without_a_buffer_around_the_file() {
    everywhere(|folder| async move {
        let bytes = pattern(30_000);
        let mut file = File::open(folder.file("a", &bytes)).await.unwrap();
        let mut seen = Vec::new();
        loop {
            let fill = std::future::poll_fn(|cx| {
                let filled = std::task::ready!(Pin::new(&mut file).poll_fill_buf(cx))?;
                std::task::Poll::Ready(std::io::Result::Ok(filled.to_vec()))
            });
            let some = fill.await.unwrap();
            if some.is_empty() {
                break;
            }
            let count = some.len().min(777);
            seen.extend_from_slice(&some[..count]);
            Pin::new(&mut file).consume(count);
        }
        assert_eq!(seen, bytes);
    });
}

/// A task that takes a file byte by byte spends its budget at each; it is asked to pause, and told of
/// nothing else.
#[test]
fn a_buffer_is_looked_at_as_often_as_one_likes() {
    everywhere(|folder| async move {
        let path = folder.file("a", &pattern(2_000));
        for others in 0..3 {
            let mut file = File::open(&path).await.unwrap();
            // So that the last of the budget falls to each of the steps.
            for _ in 0..others {
                assert_eq!(file.read(&mut [0]).await.unwrap(), 1);
            }
            for byte in &pattern(2_000)[others..] {
                // As a library does that cannot keep the first answer, and takes the second for
                // granted.
                poll_fn(|cx| {
                    let first = ready!(Pin::new(&mut file).poll_fill_buf(cx)).unwrap();
                    assert_eq!(first[0], *byte);
                    let second = Pin::new(&mut file).poll_fill_buf(cx);
                    assert!(second.is_ready(), "it gave bytes away and took them back");
                    Poll::Ready(())
                })
                .await;
                assert_eq!(file.fill_buf().await.unwrap()[0], *byte);
                Pin::new(&mut file).consume(1);
            }
            assert!(file.fill_buf().await.unwrap().is_empty());
        }
    });
}

/// What was read ahead is a copy. Whoever changes the file through the same handle reads the change.
#[test]
fn what_the_program_itself_has_changed_is_read() {
    everywhere(|folder| async move {
        let path = folder.file("a", &pattern(1_000));
        let mut options = File::options();
        let mut file = options.read(true).write(true).open(&path).await.unwrap();
        let mut byte = [0];
        assert_eq!(file.read(&mut byte).await.unwrap(), 1);
        assert_eq!(file.write_at(b"new", 1).await.unwrap(), 3);
        let mut text = [0; 4];
        file.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, &[b'n', b'e', b'w', 4]);
        // Cut off behind the position, and made longer again.
        file.set_len(6).await.unwrap();
        let mut rest = Vec::new();
        file.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, [5]);
        assert_eq!(file.write_at(b"more", 6).await.unwrap(), 4);
        rest.clear();
        file.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"more");
        assert_eq!(seek(&mut file, SeekFrom::Current(0)).await.unwrap(), 10);
    });
}

#[test]
fn an_error_of_a_read_names_the_file_and_the_next_read_tries_again() {
    everywhere(|folder| async move {
        let mut file = File::open(&folder).await.expect("a folder can be opened");
        for _ in 0..2 {
            let error = file.read(&mut [0; 10]).await.unwrap_err();
            let name = format!("cannot read file `{}`", folder.as_ref().display());
            assert_says(&error.to_string(), &[&name, "os error 21"]);
            assert_eq!(number(&error), Some(21), "EISDIR");
        }
    });
}

#[test]
fn a_clone_shares_the_position() {
    everywhere(|folder| async move {
        let bytes = pattern(50_000);
        let mut one = File::open(folder.file("a", &bytes)).await.unwrap();
        let mut ten = [0; 10];
        one.read_exact(&mut ten).await.unwrap();
        let mut other = one.try_clone().await.unwrap();
        for start in (10..90).step_by(20) {
            one.read_exact(&mut ten).await.unwrap();
            assert_eq!(ten[..], bytes[start..start + 10]);
            other.read_exact(&mut ten).await.unwrap();
            assert_eq!(ten[..], bytes[start + 10..start + 20]);
        }
    });
}

#[test]
fn files_of_the_standard_library_come_and_go_with_their_position() {
    everywhere(|folder| async move {
        let bytes = pattern(50_000);
        let mut file = std::fs::File::open(folder.file("a", &bytes)).unwrap();
        file.seek(SeekFrom::Start(100)).unwrap();
        let mut file = File::from_std(file);
        let mut ten = [0; 10];
        file.read_exact(&mut ten).await.unwrap();
        assert_eq!(ten[..], bytes[100..110]);
        let mut file = file.into_std().await.unwrap();
        file.read_exact(&mut ten).unwrap();
        assert_eq!(ten[..], bytes[110..120]);

        let file = File::from_std(file);
        let error = file.write_at(b"x", 0).await.unwrap_err();
        assert_says(&error.to_string(), &["cannot write to file descriptor "]);
    });
}

#[test]
fn what_has_no_position_is_read_and_written_at_the_same_time() {
    everywhere(|_| async move {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut file = File::from_std(std::fs::File::from(OwnedFd::from(ours)));
        theirs.write_all(b"question").unwrap();
        let mut some = [0; 4];
        file.read_exact(&mut some).await.unwrap();
        assert_eq!(&some, b"ques");
        // What was read ahead stays: it cannot be given back.
        file.write_all(b"answer").await.unwrap();
        file.flush().await.unwrap();
        let mut answer = [0; 6];
        theirs.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"answer");
        file.read_exact(&mut some).await.unwrap();
        assert_eq!(&some, b"tion");
        let error = seek(&mut file, SeekFrom::Start(0)).await.unwrap_err();
        assert_eq!(number(&error), Some(29), "ESPIPE: {error}");
        drop(theirs);
        assert_eq!(file.read(&mut some).await.unwrap(), 0);
    });
}
