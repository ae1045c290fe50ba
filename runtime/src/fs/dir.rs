//! Folders: making them, and what is in them.
//!
//! ```text
//!                 nothing is ready               the job ends
//!   Open ──────────────────────────► Loading ──────────────────► Open, with a batch of entries
//!                                       └──────────────────────► Over: the end, or a job that could
//!                                                                not run
//! ```
//!
//! A job brings up to [`BATCH`] entries, and opening brings the first of them. A dropped future
//! leaves its job in the [`ReadDir`], so no entry is lost.
//!
//! Tests: `tests/tests/fs/folders.rs`.

use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_core::Stream;
use tenter_sync::budget;

use super::operation::{Operation, failed};
use crate::offload::{Offload, offload};

/// How many entries a job brings.
const BATCH: usize = 256;

/// What is in a folder, but for `.` and `..`, in the order of the system, which is none.
///
/// # Errors
///
/// Those of the system, with the path.
///
/// # Examples
///
/// ```
/// # tenter::run(async {
/// let mut folder = tenter::fs::read_dir(".").await?;
/// while let Some(entry) = folder.next_entry().await? {
///     println!("{}", entry.path().display());
/// }
/// # std::io::Result::Ok(())
/// # }).expect("the folder is there");
/// ```
#[track_caller]
#[doc(alias = "scandir")]
#[doc(alias = "listdir")]
pub fn read_dir(path: impl AsRef<Path>) -> Operation<ReadDir> {
    Operation::on("readdir", "read folder", path, |path| {
        let path: Arc<Path> = Arc::from(path);
        let mut folder = ReadDir {
            ready: VecDeque::new(),
            phase: Phase::Over,
            path: Arc::clone(&path),
        };
        folder.take_in(load(fs::read_dir(&path)?, &path));
        Ok(folder)
    })
}

/// The entries of a folder: a stream, or [`next_entry`](Self::next_entry).
#[must_use = "the entries are read with `next_entry` or as a stream"]
pub struct ReadDir {
    ready: VecDeque<io::Result<DirEntry>>,
    phase: Phase,
    path: Arc<Path>,
}

enum Phase {
    Open(fs::ReadDir),
    Loading(Offload<Batch>),
    Over,
}

/// What a job has found.
struct Batch {
    entries: VecDeque<io::Result<DirEntry>>,
    /// If there may be more.
    rest: Option<fs::ReadDir>,
}

fn load(mut rest: fs::ReadDir, path: &Path) -> Batch {
    let mut entries = VecDeque::new();
    while entries.len() < BATCH {
        let Some(entry) = rest.next() else {
            let rest = None;
            return Batch { entries, rest };
        };
        let entry = entry.map(DirEntry::new);
        entries.push_back(entry.map_err(|cause| failed("read folder", path, cause)));
    }
    let rest = Some(rest);
    Batch { entries, rest }
}

impl ReadDir {
    /// The next entry; `None` at the end.
    ///
    /// # Errors
    ///
    /// Those of the system, with the path of the folder. Later entries may follow.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no entry.
    pub fn next_entry(&mut self) -> NextEntry<'_> {
        NextEntry(self)
    }

    /// Polls for the next entry; see [`next_entry`](Self::next_entry).
    pub fn poll_next_entry(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<DirEntry>>> {
        loop {
            if !self.ready.is_empty() {
                ready!(budget::poll_spend(cx));
                return Poll::Ready(self.ready.pop_front().transpose());
            }
            match mem::replace(&mut self.phase, Phase::Over) {
                Phase::Over => return Poll::Ready(Ok(None)),
                Phase::Open(rest) => {
                    let path = Arc::clone(&self.path);
                    self.phase = Phase::Loading(offload("readdir", move || load(rest, &path)));
                }
                Phase::Loading(mut job) => match Pin::new(&mut job).poll(cx) {
                    Poll::Ready(batch) => self.take_in(batch?),
                    Poll::Pending => {
                        self.phase = Phase::Loading(job);
                        return Poll::Pending;
                    }
                },
            }
        }
    }

    fn take_in(&mut self, batch: Batch) {
        self.ready = batch.entries;
        self.phase = batch.rest.map_or(Phase::Over, Phase::Open);
    }
}

impl Stream for ReadDir {
    type Item = io::Result<DirEntry>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_next_entry(cx).map(Result::transpose)
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReadDir").field(&self.path).finish()
    }
}

/// The future of [`ReadDir::next_entry`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct NextEntry<'a>(&'a mut ReadDir);

impl Future for NextEntry<'_> {
    type Output = io::Result<Option<DirEntry>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_next_entry(cx)
    }
}

/// What stands in a folder under one name.
#[derive(Clone)]
pub struct DirEntry {
    entry: Arc<fs::DirEntry>,
    /// As it was when the name was read.
    file_type: Option<fs::FileType>,
}

impl DirEntry {
    /// On a thread that may block: few file systems do not tell the type with the name.
    fn new(entry: fs::DirEntry) -> Self {
        Self {
            file_type: entry.file_type().ok(),
            entry: Arc::new(entry),
        }
    }

    /// The path of the folder, as it was given, with the name.
    pub fn path(&self) -> PathBuf {
        self.entry.path()
    }

    /// The name in the folder.
    #[doc(alias = "name")]
    pub fn file_name(&self) -> OsString {
        self.entry.file_name()
    }

    /// The number of the file in its file system.
    pub fn ino(&self) -> u64 {
        std::os::unix::fs::DirEntryExt::ino(&*self.entry)
    }

    /// What the system knows of it; of the symbolic link itself, if it is one.
    ///
    /// # Errors
    ///
    /// Those of the system, with the path: it may be gone by now.
    #[track_caller]
    pub fn metadata(&self) -> Operation<fs::Metadata> {
        let entry = Arc::clone(&self.entry);
        Operation::on("stat", "read the metadata of", self.path(), move |_| {
            entry.metadata()
        })
    }

    /// Whether it is a file, a folder or a symbolic link. This was read with the name, so it is ready
    /// at once; only if that failed, the system is asked again.
    ///
    /// # Errors
    ///
    /// Those of the system, with the path: it may be gone by now.
    #[track_caller]
    pub fn file_type(&self) -> Operation<fs::FileType> {
        if let Some(file_type) = self.file_type {
            return Operation::known("stat", file_type);
        }
        let entry = Arc::clone(&self.entry);
        Operation::on("stat", "read the type of", self.path(), move |_| {
            entry.file_type()
        })
    }
}

impl fmt::Debug for DirEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DirEntry").field(&self.path()).finish()
    }
}

/// How a folder is made: alone or with those above it, and with which permissions.
///
/// # Examples
///
/// ```no_run
/// use tenter::fs::DirBuilder;
///
/// # async fn example() -> std::io::Result<()> {
/// DirBuilder::new().recursive(true).mode(0o700).create("a/b/c").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct DirBuilder {
    recursive: bool,
    mode: Option<u32>,
}

impl DirBuilder {
    /// One folder, with the permissions that are usual.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the folders above are made too, with the same permissions. Then one that exists is no
    /// error.
    pub fn recursive(&mut self, recursive: bool) -> &mut Self {
        self.recursive = recursive;
        self
    }

    /// The permissions, less those that the process masks: 0o777 if not set.
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.mode = Some(mode);
        self
    }

    /// Makes the folder.
    ///
    /// # Errors
    ///
    /// Those of the system, with the path.
    #[track_caller]
    pub fn create(&self, path: impl AsRef<Path>) -> Operation<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(self.recursive);
        if let Some(mode) = self.mode {
            builder.mode(mode);
        }
        Operation::on("mkdir", "create folder", path, move |path| {
            builder.create(path)
        })
    }
}
