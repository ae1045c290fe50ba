//! A folder for each test, and futures that are dropped in the middle.

use std::future::{Future, poll_fn};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use tenter_tests::support::{build, every, foreign_block_on};

/// A folder of its own, removed with everything in it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tenter-fs-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a folder for temporary files");
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file with these bytes.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("the folder is ours");
        path
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Bytes none of which can be taken for its neighbours.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

/// Runs a test on every flavour, and without tenter.
pub fn everywhere<F: Future<Output = ()>>(
    test: impl Fn(Folder) -> F + Copy + Send + Sync + 'static,
) {
    every(move |builder| build(builder).block_on(test(Folder::new())));
    foreign_block_on(test(Folder::new()));
}

/// Polls `future` until it is ready, or `limit` polls have been made: then it is dropped.
pub async fn polled_at_most<F: Future>(limit: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(move |cx| {
        if polls == limit {
            return Poll::Ready(None);
        }
        polls += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // Polled again soon, whether or not something happened.
            Poll::Pending => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await
}

/// What the system's own error was.
pub fn number(error: &std::io::Error) -> Option<i32> {
    let cause = std::error::Error::source(error.get_ref()?)?;
    cause.downcast_ref::<std::io::Error>()?.raw_os_error()
}
