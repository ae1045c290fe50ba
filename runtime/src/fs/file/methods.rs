//! What is done with a file beside reading, writing and seeking in a row.
//!
//! All of it begins when what was written has reached the system, so each sees it.

use core::future::poll_fn;
use core::pin::Pin;
use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use futures_io::AsyncSeek;
use tenter_sync::shim::atomic::Ordering;

use super::File;
use super::opened::Opened;
use crate::offload::offload;

/// The most that a positional read or write moves at a time.
const POSITIONAL_MAX: usize = 1024 * 1024;

impl File {
    /// A job on the open file, after what was written. Its error becomes "cannot `verb` file `x`: …".
    async fn after_writes<T: Send + 'static>(
        &self,
        what: &'static str,
        verb: &'static str,
        work: impl FnOnce(&fs::File) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        self.written().await;
        let opened = Arc::clone(&self.opened);
        let job = offload(what, move || {
            work(&opened.file).map_err(|cause| opened.failed(verb, cause))
        });
        job.await?
    }

    /// Reads at an offset from the beginning, wherever the position is, which stays there. Returns how
    /// many bytes were read: fewer than `buffer` holds, if the file ends or the system says so; at most
    /// 1 MiB. `Ok(0)` is the end, unless `buffer` is empty.
    ///
    /// # Errors
    ///
    /// Those of the system, with the path.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    #[doc(alias = "pread")]
    pub async fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let room = buffer.len().min(POSITIONAL_MAX);
        let read = move |file: &fs::File| {
            let mut bytes = vec![0; room];
            let count = retried(|| file.read_at(&mut bytes, offset))?;
            bytes.truncate(count);
            Ok(bytes)
        };
        let bytes = self.after_writes("fs-read", "read", read).await?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    /// Writes at an offset from the beginning, wherever the position is, which stays there. Returns how
    /// many bytes were written, at most 1 MiB. They are in the system then: there is nothing to flush.
    ///
    /// A file that was opened to append is written at its end, as the system has it.
    ///
    /// # Errors
    ///
    /// Those of the system, with the path.
    ///
    /// # Cancel safety
    ///
    /// Bytes of a future that was dropped have been written, will be, or never: write them again.
    #[doc(alias = "pwrite")]
    pub async fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let bytes = bytes[..bytes.len().min(POSITIONAL_MAX)].to_vec();
        let write = move |file: &fs::File| retried(|| file.write_at(&bytes, offset));
        self.will_change();
        self.after_writes("fs-write", "write to", write).await
    }

    /// Waits until everything that was written is on the disk, and the metadata too.
    ///
    /// # Errors
    ///
    /// That of bytes that were accepted before, else those of the system, with the path.
    ///
    /// # Cancel safety
    ///
    /// It may be called again. If the future is dropped, an error may be lost with it.
    #[doc(alias = "fsync")]
    pub async fn sync_all(&self) -> io::Result<()> {
        self.all_written().await?;
        self.after_writes("fs-sync", "sync", fs::File::sync_all)
            .await
    }

    /// Waits until everything that was written is on the disk, with as much of the metadata as it takes
    /// to read it.
    ///
    /// # Errors
    ///
    /// As [`sync_all`](Self::sync_all).
    ///
    /// # Cancel safety
    ///
    /// As [`sync_all`](Self::sync_all).
    #[doc(alias = "fdatasync")]
    pub async fn sync_data(&self) -> io::Result<()> {
        self.all_written().await?;
        self.after_writes("fs-sync", "sync", fs::File::sync_data)
            .await
    }

    /// Makes the file so long: cuts it off, or fills it up with zeros. The position stays.
    ///
    /// # Errors
    ///
    /// Those of the system, with the path.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped after its first poll, it may happen, or may not.
    #[doc(alias = "ftruncate")]
    pub async fn set_len(&self, length: u64) -> io::Result<()> {
        let set = move |file: &fs::File| file.set_len(length);
        self.will_change();
        self.after_writes("fs-trunc", "set the length of", set)
            .await
    }

    /// What the system knows of the file.
    ///
    /// # Errors
    ///
    /// Those of the system, with the path.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    #[doc(alias = "fstat")]
    pub async fn metadata(&self) -> io::Result<fs::Metadata> {
        self.after_writes("fs-stat", "read the metadata of", fs::File::metadata)
            .await
    }

    /// Gives the file these permissions.
    ///
    /// # Errors
    ///
    /// Those of the system, with the path.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped after its first poll, it may happen, or may not.
    #[doc(alias = "fchmod")]
    pub async fn set_permissions(&self, permissions: fs::Permissions) -> io::Result<()> {
        let set = move |file: &fs::File| file.set_permissions(permissions);
        self.after_writes("fs-chmod", "set the permissions of", set)
            .await
    }

    /// Another descriptor of the same open file. The two share the position, so from now on neither
    /// reads ahead more than it is asked for, but through
    /// [`AsyncBufRead`](crate::io::AsyncBufRead). What was read ahead before is given back.
    ///
    /// # Errors
    ///
    /// Those of the system, with the path.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no byte.
    #[doc(alias = "dup")]
    pub async fn try_clone(&mut self) -> io::Result<Self> {
        self.give_back().await?;
        self.ahead = false;
        let opened = Arc::clone(&self.opened);
        let duplicate = offload("fs-dup", move || opened.duplicate()).await??;
        Ok(Self::of(duplicate, false))
    }

    /// The file of the standard library, after everything that was accepted has been written; its
    /// position is where this one's was. What was read ahead from a pipe or terminal is lost.
    ///
    /// # Errors
    ///
    /// That of bytes that were accepted before, else those of the system, with the path. The file is
    /// closed then.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, so is the file; what it had accepted is written.
    pub async fn into_std(mut self) -> io::Result<fs::File> {
        self.give_back().await?;
        self.all_written().await?;
        let Self { opened, behind, .. } = self;
        drop(behind);
        match Arc::try_unwrap(opened) {
            Ok(opened) => Ok(opened.file),
            // A job whose future was dropped has it still, or is about to end.
            Err(opened) => {
                let duplicate: Opened = offload("fs-dup", move || opened.duplicate()).await??;
                Ok(duplicate.file)
            }
        }
    }

    /// What was read ahead is not what there will be.
    fn will_change(&self) {
        // ORDERING: Relaxed. See `poll_unchanged`.
        self.changed.store(true, Ordering::Relaxed);
    }

    /// Waits until what was written has reached the system, and reports the error.
    async fn all_written(&self) -> io::Result<()> {
        poll_fn(|cx| self.behind.poll_drained(cx, true)).await
    }

    /// Puts the position of the system where that of the program is. Bytes that cannot be given back
    /// stay. If this future is dropped, the next call on the file completes it.
    async fn give_back(&mut self) -> io::Result<()> {
        self.settled().await;
        if self.data.left() == 0 || !self.opened.has_positions {
            return Ok(());
        }
        let here = io::SeekFrom::Current(0);
        poll_fn(|cx| Pin::new(&mut *self).poll_seek(cx, here)).await?;
        Ok(())
    }
}

/// Again, as long as a signal comes in between.
fn retried<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
