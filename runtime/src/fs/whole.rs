//! Whole files: opened, read or written, and closed in one job.
//!
//! Tests: `tests/tests/fs/paths.rs`.

use std::fs;
use std::path::Path;

use super::operation::Operation;
use super::path::on_two;

/// The bytes of a file.
///
/// # Errors
///
/// Those of the system, with the path.
///
/// # Examples
///
/// ```
/// # tenter::run(async {
/// let manifest = tenter::fs::read("Cargo.toml").await?;
/// assert!(!manifest.is_empty());
/// # std::io::Result::Ok(())
/// # }).expect("the manifest is there");
/// ```
#[track_caller]
pub fn read(path: impl AsRef<Path>) -> Operation<Vec<u8>> {
    Operation::on("read", "read file", path, |path| fs::read(path))
}

/// The text of a file.
///
/// # Errors
///
/// Those of the system, with the path; `InvalidData` if it is not UTF-8.
#[track_caller]
pub fn read_to_string(path: impl AsRef<Path>) -> Operation<String> {
    Operation::on("read", "read file", path, |path| fs::read_to_string(path))
}

/// Makes a file of these bytes. One that is there is emptied first.
///
/// # Errors
///
/// Those of the system, with the path. A part may have been written.
///
/// # Cancel safety
///
/// As [`Operation`]. For a file that is never seen half-written, write another one and
/// [`rename`](super::rename) it.
#[track_caller]
pub fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> Operation<()> {
    let contents = contents.as_ref().to_vec();
    Operation::on("write", "write file", path, move |path| {
        fs::write(path, contents)
    })
}

/// Copies the bytes and the permissions of a file; returns how many bytes. Where the system can
/// copy by itself, they do not pass through the program. A file that is there is overwritten.
///
/// # Errors
///
/// Those of the system, with both paths. A part may have been copied.
#[track_caller]
#[doc(alias = "sendfile")]
#[doc(alias = "copyfile")]
pub fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Operation<u64> {
    on_two("copy", "copy", from, to, |from, to| fs::copy(from, to))
}
