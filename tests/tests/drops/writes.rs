//! What writes to a stream: the other end gets what was said to be written, from the beginning, and once.

use std::io::IoSlice;

use tenter::io::{AsyncReadExt, AsyncWriteExt, BufWriter, DuplexStream, duplex};
use tenter_tests::support::poll_once;

use crate::harness::{Case, case, of_streams};
use crate::reads::take;

const ALL: &[u8] = b"abcdefgh";

/// What has come, when all of it has.
async fn all_of(mut came: Vec<u8>, mut out: DuplexStream) -> Vec<u8> {
    out.read_to_end(&mut came).await.expect("it was ended");
    came
}

/// A stream in which nothing more has room.
fn full() -> (DuplexStream, DuplexStream) {
    let (mut near, out) = duplex(2);
    assert!(poll_once(&mut near.write(b"--")).is_ready());
    (near, out)
}

pub fn cases() -> Vec<Case> {
    let mut cases = pieces();
    cases.extend(wholes());
    cases.extend(buffered());
    of_streams(cases)
}

fn pieces() -> Vec<Case> {
    vec![
        case("ext::write::AsyncWriteExt::write", 1, |cut| async move {
            let ((mut near, mut out), mut came) = (full(), Vec::new());
            let count = cut
                .pushed(near.write(ALL), |_| take(&mut out, &mut came))
                .await;
            let count = count.map_or(0, |count| count.unwrap());
            drop(near);
            assert_eq!(all_of(came, out).await[2..], ALL[..count]);
        }),
        case(
            "ext::write::AsyncWriteExt::write_vectored",
            1,
            |cut| async move {
                let ((mut near, mut out), mut came) = (full(), Vec::new());
                let buffers = [IoSlice::new(&ALL[..1]), IoSlice::new(&ALL[1..])];
                let write = near.write_vectored(&buffers);
                let count = cut.pushed(write, |_| take(&mut out, &mut came)).await;
                let count = count.map_or(0, |count| count.unwrap());
                drop(near);
                assert_eq!(all_of(came, out).await[2..], ALL[..count]);
            },
        ),
    ]
}

fn wholes() -> Vec<Case> {
    vec![
        // Not cancel-safe: a part was written, from the beginning, and nothing follows.
        case(
            "ext::write::AsyncWriteExt::write_all",
            3,
            |cut| async move {
                let ((mut near, mut out), mut came) = (full(), Vec::new());
                let written = cut
                    .pushed(near.write_all(ALL), |_| take(&mut out, &mut came))
                    .await;
                near.close().await.unwrap();
                let came = all_of(came, out).await;
                assert!(ALL.starts_with(&came[2..]));
                assert!(written.is_none_or(|done| done.is_ok() && &came[2..] == ALL));
            },
        ),
        case(
            "ext::write::AsyncWriteExt::write_all_vectored",
            3,
            |cut| async move {
                let ((mut near, mut out), mut came) = (full(), Vec::new());
                let mut rest = [&ALL[..3], &ALL[3..4], &ALL[4..]].map(IoSlice::new);
                let write = near.write_all_vectored(&mut rest);
                let written = cut.pushed(write, |_| take(&mut out, &mut came)).await;
                near.close().await.unwrap();
                let came = all_of(came, out).await;
                assert!(ALL.starts_with(&came[2..]));
                assert!(written.is_none_or(|done| done.is_ok() && &came[2..] == ALL));
            },
        ),
        // What is left says what was not written.
        case(
            "ext::write::AsyncWriteExt::write_all_buf",
            3,
            |cut| async move {
                let ((mut near, mut out), mut came) = (full(), Vec::new());
                let mut rest = ALL;
                let write = near.write_all_buf(&mut rest);
                let written = cut.pushed(write, |_| take(&mut out, &mut came)).await;
                assert!(written.is_none_or(|done| done.is_ok() && rest.is_empty()));
                near.close().await.unwrap();
                let came = all_of(came, out).await;
                assert_eq!([&came[2..], rest].concat(), ALL);
            },
        ),
    ]
}

fn buffered() -> Vec<Case> {
    vec![
        case("ext::write::AsyncWriteExt::flush", 3, |cut| async move {
            let ((near, mut out), mut came) = (full(), Vec::new());
            let mut near = BufWriter::new(near);
            near.write_all(ALL).await.unwrap();
            let flushed = cut
                .pushed(near.flush(), |_| take(&mut out, &mut came))
                .await;
            assert!(flushed.is_none_or(|done| done.is_ok() && near.buffer().is_empty()));
            let rest = near.buffer().to_vec();
            drop(near);
            let came = all_of(came, out).await;
            assert_eq!([&came[2..], &rest].concat(), ALL);
        }),
        case("ext::write::AsyncWriteExt::close", 3, |cut| async move {
            let ((near, mut out), mut came) = (full(), Vec::new());
            let mut near = BufWriter::new(near);
            near.write_all(ALL).await.unwrap();
            let closed = cut
                .pushed(near.close(), |_| take(&mut out, &mut came))
                .await;
            if closed.is_none() {
                // Closing it again says when all is there.
                let (closed, ()) = tenter::gather!(near.close(), async {
                    out.read_to_end(&mut came).await.expect("no error");
                })
                .await;
                closed.unwrap();
            }
            let came = all_of(came, out).await;
            assert_eq!(&came[2..], ALL);
        }),
        // A write of a buffered writer that is dropped has taken nothing.
        case("ext::write::AsyncWriteExt::write", 3, |cut| async move {
            let ((near, mut out), mut came) = (full(), Vec::new());
            let mut near = BufWriter::with_capacity(8, near);
            near.write_all(&ALL[..7]).await.unwrap();
            let write = near.write(b"hi");
            let count = cut.pushed(write, |_| take(&mut out, &mut came)).await;
            let count = count.map_or(0, |count| count.unwrap());
            let rest = near.buffer().to_vec();
            drop(near);
            let came = all_of(came, out).await;
            let all = [&came[2..], &rest].concat();
            assert_eq!(all, b"abcdefghi"[..7 + count]);
        }),
    ]
}
