//! An error with a sentence of ours before the system's own, which stays its source.

use core::fmt;
use std::error::Error;
use std::io;

struct Explained {
    sentence: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)?;
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

/// Programs end with the `Debug` of an error more often than with its `Display`.
impl fmt::Debug for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

impl Error for Explained {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let cause = self.cause.as_deref();
        cause.map(|cause| cause as &(dyn Error + 'static))
    }
}

/// `sentence` before the cause.
pub fn explain(
    kind: io::ErrorKind,
    sentence: String,
    cause: impl Into<Box<dyn Error + Send + Sync>>,
) -> io::Error {
    let cause = Some(cause.into());
    io::Error::new(kind, Explained { sentence, cause })
}

/// `sentence` before what the system said, whose kind stays.
pub fn explain_io(sentence: String, cause: io::Error) -> io::Error {
    explain(cause.kind(), sentence, cause)
}

/// An error of our own.
pub fn plain(kind: io::ErrorKind, sentence: String) -> io::Error {
    let cause = None;
    io::Error::new(kind, Explained { sentence, cause })
}
