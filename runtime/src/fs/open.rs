//! How a file is opened.
//!
//! Tests: `tests/tests/fs/paths.rs`.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::file::File;
use super::operation::Operation;

/// How a file is opened: for reading, writing, appending; made if it is not there.
///
/// At least one of `read`, `write` and `append` has to be set. All of them are false at first.
///
/// # Examples
///
/// ```no_run
/// use tenter::fs::OpenOptions;
///
/// # async fn example() -> std::io::Result<()> {
/// let log = OpenOptions::new().append(true).create(true).open("log.txt").await?;
/// # drop(log);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions(fs::OpenOptions);

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl OpenOptions {
    /// Everything false.
    pub fn new() -> Self {
        Self(fs::OpenOptions::new())
    }

    /// For reading.
    pub fn read(&mut self, read: bool) -> &mut Self {
        self.0.read(read);
        self
    }

    /// For writing, from the beginning, over what is there.
    pub fn write(&mut self, write: bool) -> &mut Self {
        self.0.write(write);
        self
    }

    /// For writing at the end, wherever that is when bytes reach the system.
    pub fn append(&mut self, append: bool) -> &mut Self {
        self.0.append(append);
        self
    }

    /// Emptied when it is opened. Needs `write`.
    pub fn truncate(&mut self, truncate: bool) -> &mut Self {
        self.0.truncate(truncate);
        self
    }

    /// Made, if it is not there. Needs `write` or `append`.
    pub fn create(&mut self, create: bool) -> &mut Self {
        self.0.create(create);
        self
    }

    /// Made, and an error if something is there, be it a link that leads nowhere.
    pub fn create_new(&mut self, create_new: bool) -> &mut Self {
        self.0.create_new(create_new);
        self
    }

    /// The permissions of a file that is made, less those that the process masks: 0o666 if not set.
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.0.mode(mode);
        self
    }

    /// Further flags for the system, such as `O_DIRECT`.
    pub fn custom_flags(&mut self, flags: i32) -> &mut Self {
        self.0.custom_flags(flags);
        self
    }

    /// Opens a file.
    ///
    /// # Errors
    ///
    /// Those of the system, with the path; `InvalidInput` if the options contradict each other.
    ///
    /// # Cancel safety
    ///
    /// As [`Operation`]: the file may have been made or emptied. It is closed again.
    #[track_caller]
    pub fn open(&self, path: impl AsRef<Path>) -> Operation<File> {
        let options = self.0.clone();
        Operation::on("open", "open file", path, move |path| {
            Ok(File::opened(options.open(path)?, path))
        })
    }
}

impl From<fs::OpenOptions> for OpenOptions {
    fn from(options: fs::OpenOptions) -> Self {
        Self(options)
    }
}
