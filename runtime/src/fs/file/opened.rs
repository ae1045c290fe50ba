//! The descriptor, and what is known of it.

use core::fmt;
use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::path::Path;

use crate::offload::behind::{Failed, Sink};
use crate::offload::explained::explain_io;

/// See the module's first line.
#[derive(Debug)]
pub struct Opened {
    pub file: fs::File,
    path: Option<Box<Path>>,
    /// False for pipes, sockets and terminals: what was read cannot be given back.
    pub has_positions: bool,
    /// A file with a length, where a read never waits for somebody to write. Those that the system
    /// makes up, some of which do wait, have length 0.
    pub is_ordinary: bool,
}

impl Opened {
    /// Two questions to the system about an open file, neither of which waits for a disk.
    pub fn new(file: fs::File, path: Option<&Path>) -> Self {
        let metadata = file.metadata();
        Self {
            has_positions: (&file).stream_position().is_ok(),
            is_ordinary: metadata.is_ok_and(|about| about.is_file() && about.len() > 0),
            path: path.map(Box::from),
            file,
        }
    }

    /// Another descriptor of the same open file.
    pub fn duplicate(&self) -> io::Result<Self> {
        let file = self.file.try_clone();
        let file = file.map_err(|cause| self.failed("duplicate the descriptor of", cause))?;
        Ok(Self::new(file, self.path.as_deref()))
    }

    /// "cannot read file `x`: …".
    pub fn failed(&self, verb: &str, cause: io::Error) -> io::Error {
        explain_io(format!("cannot {verb} {self}"), cause)
    }

    /// Moves the position.
    pub fn seek(&self, place: SeekFrom) -> io::Result<u64> {
        let sought = (&self.file).seek(place);
        sought.map_err(|cause| self.failed("seek in", cause))
    }

    /// Gives back what was read ahead.
    pub fn step_back(&self, unread: u64) -> io::Result<()> {
        match i64::try_from(unread) {
            Ok(0) | Err(_) => Ok(()),
            Ok(unread) => self.seek(SeekFrom::Current(-unread)).map(drop),
        }
    }
}

impl Sink for Opened {
    const WHAT: &'static str = "fs-write";

    fn write(&self, rewind: u64, bytes: &[u8]) -> Result<(), Failed> {
        let mut written = 0;
        let failed = |written, cause| Failed { written, cause };
        self.step_back(rewind).map_err(|cause| failed(0, cause))?;
        while written < bytes.len() {
            match (&self.file).write(&bytes[written..]) {
                Ok(0) => return Err(failed(written, io::ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(failed(written, cause)),
            }
        }
        Ok(())
    }

    fn name(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "file `{}`", path.display()),
            None => write!(f, "file descriptor {}", self.file.as_raw_fd()),
        }
    }
}
