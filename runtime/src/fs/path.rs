//! Operations on paths, one job each.
//!
//! Tests: `tests/tests/fs/paths.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use super::operation::Operation;
use crate::offload::explained::explain_io;

macro_rules! on_path {
    ($($(#[$meta:meta])* $name:ident -> $output:ty, $what:literal, $sentence:literal, $work:expr;)*) => {$(
        $(#[$meta])*
        ///
        /// # Errors
        ///
        /// Those of the system, with the path.
        #[track_caller]
        pub fn $name(path: impl AsRef<Path>) -> Operation<$output> {
            Operation::on($what, $sentence, path, $work)
        }
    )*};
}

on_path! {
    /// The path without symbolic links and without `..`, from the root.
    canonicalize -> PathBuf, "realpath", "resolve path", |path| fs::canonicalize(path);
    /// Makes a folder. Its parent has to exist.
    #[doc(alias = "mkdir")]
    create_dir -> (), "mkdir", "create folder", |path| fs::create_dir(path);
    /// Makes a folder and those above it that are missing. One that exists is no error.
    #[doc(alias = "makedirs")]
    create_dir_all -> (), "mkdir", "create folder", |path| fs::create_dir_all(path);
    /// What the system knows of a file or folder; of the target, if it is a symbolic link.
    #[doc(alias = "stat")]
    metadata -> fs::Metadata, "stat", "read the metadata of", |path| fs::metadata(path);
    /// What the system knows of a file or folder; of the symbolic link itself, if it is one.
    #[doc(alias = "lstat")]
    symlink_metadata -> fs::Metadata, "stat", "read the metadata of", |path| fs::symlink_metadata(path);
    /// Where a symbolic link points to.
    read_link -> PathBuf, "readlink", "read the symbolic link", |path| fs::read_link(path);
    /// Removes an empty folder.
    #[doc(alias = "rmdir")]
    remove_dir -> (), "rmdir", "remove folder", |path| fs::remove_dir(path);
    /// Removes a folder and everything in it. It does not follow symbolic links.
    #[doc(alias = "rmtree")]
    remove_dir_all -> (), "rmtree", "remove folder", |path| fs::remove_dir_all(path);
    /// Removes a file or a symbolic link.
    #[doc(alias = "unlink")]
    remove_file -> (), "unlink", "remove file", |path| fs::remove_file(path);
    /// Whether something is there. A symbolic link that leads nowhere is not.
    ///
    /// `Err` if that cannot be said, for want of permission for instance.
    #[doc(alias = "exists")]
    try_exists -> bool, "stat", "look for", |path| path.try_exists();
}

/// Gives a file or folder these permissions; the target, if it is a symbolic link.
///
/// # Errors
///
/// Those of the system, with the path.
#[track_caller]
#[doc(alias = "chmod")]
pub fn set_permissions(path: impl AsRef<Path>, permissions: fs::Permissions) -> Operation<()> {
    Operation::on("chmod", "set the permissions of", path, |path| {
        fs::set_permissions(path, permissions)
    })
}

/// Gives a file or folder another name, in the same file system. A file that has that name is
/// replaced, at one instant.
///
/// # Errors
///
/// Those of the system, with both paths.
#[track_caller]
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Operation<()> {
    on_two("rename", "rename", from, to, |from, to| {
        fs::rename(from, to)
    })
}

/// Makes `link` another name of the file `original`.
///
/// # Errors
///
/// Those of the system, with both paths.
#[track_caller]
#[doc(alias = "link")]
pub fn hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> Operation<()> {
    on_two("link", "hard-link", original, link, |original, link| {
        fs::hard_link(original, link)
    })
}

/// Makes `link` a symbolic link that says `original`, whether or not that exists.
///
/// # Errors
///
/// Those of the system, with both paths.
#[track_caller]
pub fn symlink(original: impl AsRef<Path>, link: impl AsRef<Path>) -> Operation<()> {
    on_two("symlink", "symlink", original, link, |original, link| {
        std::os::unix::fs::symlink(original, link)
    })
}

/// An operation from one path to another: "cannot rename `a` to `b`: …".
#[track_caller]
pub fn on_two<T: Send + 'static>(
    what: &'static str,
    verb: &'static str,
    from: impl AsRef<Path>,
    to: impl AsRef<Path>,
    work: impl FnOnce(&Path, &Path) -> std::io::Result<T> + Send + 'static,
) -> Operation<T> {
    let (from, to) = (from.as_ref().to_path_buf(), to.as_ref().to_path_buf());
    Operation::new(what, move || {
        work(&from, &to).map_err(|cause| {
            let (from, to) = (from.display(), to.display());
            explain_io(format!("cannot {verb} `{from}` to `{to}`"), cause)
        })
    })
}
