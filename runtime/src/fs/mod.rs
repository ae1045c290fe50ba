//! Files and folders, on threads that may block.
//!
//! The operating system has no files that can be polled. Each operation is a job on the runtime's
//! blocking pool, or outside of a tenter runtime on a thread of its own; what takes several system
//! calls, [`read`](read()) or [`copy`], is one job.
//!
//! ```no_run
//! use tenter::fs;
//!
//! # async fn example() -> std::io::Result<()> {
//! let text = fs::read_to_string("greeting.txt").await?;
//! fs::write("copy.txt", text.to_uppercase()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! Every error says what was tried and with which path: "cannot open file `a/b`: No such file or
//! directory (os error 2)". Its `kind()` is that of the system's error, which is its
//! [`source`](std::error::Error::source); the number is
//! `error.get_ref()?.source()?.downcast_ref::<io::Error>()?.raw_os_error()`.
//!
//! # Cancel safety
//!
//! Nothing happens before the first poll. From then on the operation runs to its end in the system,
//! whether or not its future is still there: a dropped [`rename`] may have happened, happen later,
//! or fail unseen. What that means for the position of a [`File`] and for its bytes is said there:
//! none of them is lost.
//!
//! # At the end of a runtime
//!
//! Jobs that run are waited for, as long as `Builder::shutdown_timeout` says. Those that no thread
//! has taken yet fail with an error that says so; only bytes that a [`File`] has accepted are
//! written nevertheless.

mod dir;
mod file;
mod open;
mod operation;
mod path;
mod whole;

pub use self::dir::{DirBuilder, DirEntry, NextEntry, ReadDir, read_dir};
pub use self::file::File;
pub use self::open::OpenOptions;
pub use self::operation::Operation;
pub use self::path::{
    canonicalize, create_dir, create_dir_all, hard_link, metadata, read_link, remove_dir,
    remove_dir_all, remove_file, rename, set_permissions, symlink, symlink_metadata, try_exists,
};
pub use self::whole::{copy, read, read_to_string, write};
#[doc(no_inline)]
pub use std::fs::{FileType, Metadata, Permissions};
