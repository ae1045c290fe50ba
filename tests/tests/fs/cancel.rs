//! Every future of a file, dropped after each number of polls: no byte is lost or comes twice.

use std::future::Future;
use std::io::{self, SeekFrom};

use tenter::fs::{self, File};
use tenter::io::{AsyncReadExt, AsyncWriteExt};

use crate::read::seek;
use crate::support::{everywhere, pattern, polled_at_most};

/// Runs `step` with each number of polls up to one that is enough, again and again.
async fn at_every_poll<F: Future<Output = io::Result<bool>>>(mut step: impl FnMut(usize) -> F) {
    let mut complete = 0;
    for limit in 0..100_000 {
        // Most of the polls wait for a thread, so the steps grow.
        let limit = if limit < 20 {
            limit
        } else {
            1 << (limit - 16).min(24)
        };
        if step(limit).await.expect("no error") {
            complete += 1;
            if complete == 5 {
                return;
            }
        }
    }
    panic!("it is never ready");
}

#[test]
fn reads() {
    everywhere(|folder| async move {
        let bytes = pattern(3_000_000);
        let path = folder.file("a", &bytes);
        let mut file = File::open(&path).await.unwrap();
        let mut buffer = vec![0; 5_000];
        let mut seen = 0;
        for round in 0.. {
            let read = polled_at_most(round % 7, file.read(&mut buffer)).await;
            match read.transpose().unwrap() {
                None => {}
                Some(0) => break,
                Some(count) => {
                    assert_eq!(buffer[..count], bytes[seen..seen + count], "from {seen}");
                    seen += count;
                }
            }
            if round % 40 == 0 {
                let place = polled_at_most(round % 11, seek(&mut file, SeekFrom::Current(0))).await;
                if let Some(place) = place {
                    assert_eq!(place.unwrap(), seen as u64);
                }
            }
        }
        assert_eq!(seen, bytes.len());
    });
}

#[test]
fn writes_and_flushes() {
    everywhere(|folder| async move {
        let path = folder.path("a");
        let mut file = File::create(&path).await.unwrap();
        let bytes = pattern(2_000_000);
        let mut accepted = 0;
        for round in 0.. {
            let end = bytes.len().min(accepted + 1 + round * 331 % 150_000);
            let write = polled_at_most(round % 3, file.write(&bytes[accepted..end])).await;
            accepted += write.transpose().unwrap().unwrap_or(0);
            let flush = polled_at_most(round % 5, file.flush()).await;
            if flush.transpose().unwrap().is_some() {
                assert_eq!(file.metadata().await.unwrap().len(), accepted as u64);
            }
            if accepted == bytes.len() {
                break;
            }
        }
        file.close().await.unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes);
    });
}

#[test]
fn seeks_and_what_follows_them() {
    everywhere(|folder| async move {
        let bytes = pattern(100_000);
        let path = folder.file("a", &bytes);
        let mut file = File::options()
            .read(true)
            .write(true)
            .open(&path)
            .await
            .unwrap();
        let mut expected = bytes;
        let mut ten = [0; 10];
        for limit in 0..40_usize {
            let target = limit * 2_000;
            file.read_exact(&mut ten).await.unwrap();
            // Another seek than the one that was dropped is not taken for it.
            drop(polled_at_most(limit % 4, seek(&mut file, SeekFrom::End(-500))).await);
            seek(&mut file, SeekFrom::Start(target as u64))
                .await
                .unwrap();
            file.read_exact(&mut ten).await.unwrap();
            assert_eq!(ten[..], expected[target..target + 10]);
            // A dropped read goes ahead; the write knows.
            drop(polled_at_most(limit % 3, file.read(&mut [])).await);
            let read = polled_at_most(limit % 3, file.read(&mut ten)).await;
            let place = target + 10 + read.transpose().unwrap().unwrap_or(0);
            file.write_all(b"written").await.unwrap();
            expected[place..place + 7].copy_from_slice(b"written");
            drop(polled_at_most(limit, file.flush()).await);
        }
        file.close().await.unwrap();
        assert!(std::fs::read(&path).unwrap() == expected);
    });
}

#[test]
fn everything_else() {
    everywhere(|folder| async move {
        let path = &folder.file("a", &pattern(20_000));
        at_every_poll(|limit| async move {
            let mut file = File::options().read(true).write(true).open(path).await?;
            let mut ten = [0; 10];
            file.read_exact(&mut ten).await?;
            let clone = polled_at_most(limit, file.try_clone()).await.transpose()?;
            file.read_exact(&mut ten).await?;
            assert_eq!(ten[..], pattern(20)[10..], "the position is kept");
            let at = polled_at_most(limit, file.read_at(&mut ten, 100))
                .await
                .transpose()?;
            assert!(at.is_none_or(|count| count == 10 && ten[..] == pattern(110)[100..]));
            // The same bytes as are there, so that it may happen or not.
            let written = polled_at_most(limit, file.write_at(&pattern(10), 0))
                .await
                .transpose()?;
            let synced = polled_at_most(limit, file.sync_all()).await.transpose()?;
            let data = polled_at_most(limit, file.sync_data()).await.transpose()?;
            let about = polled_at_most(limit, file.metadata()).await.transpose()?;
            let cut = polled_at_most(limit, file.set_len(20_000))
                .await
                .transpose()?;
            let std = polled_at_most(limit, file.into_std()).await.transpose()?;
            let whole = polled_at_most(limit, fs::read(path)).await.transpose()?;
            assert!(whole.as_ref().is_none_or(|bytes| *bytes == pattern(20_000)));
            let open = polled_at_most(limit, File::open(path)).await.transpose()?;
            Ok(clone.is_some()
                && at.is_some()
                && written.is_some()
                && synced.is_some()
                && data.is_some()
                && about.is_some()
                && cut.is_some()
                && std.is_some()
                && whole.is_some()
                && open.is_some())
        })
        .await;
    });
}
