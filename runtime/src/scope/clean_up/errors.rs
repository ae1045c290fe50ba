//! What failed when a stack of clean-ups was closed.
//!
//! Tests: `tests/tests/streams/stacks.rs`.

use core::error::Error;
use core::fmt;
use core::panic::Location;

pub type BoxError = Box<dyn Error + Send + Sync>;

/// An error, and where its clean-up was pushed.
pub type Failed = (&'static Location<'static>, BoxError);

/// What failed in the clean-ups of an [`AsyncStack`](crate::AsyncStack). Never empty.
pub struct CleanUpErrors {
    pub(super) errors: Vec<Failed>,
}

impl CleanUpErrors {
    /// The errors, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &(dyn Error + Send + Sync + 'static)> {
        self.errors.iter().map(|(_, error)| &**error)
    }
}

impl fmt::Display for CleanUpErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.errors[..] {
            [(_, only)] => write!(f, "a clean-up failed: {only}"),
            all => {
                write!(f, "{} clean-ups failed: ", all.len())?;
                for (number, (_, error)) in all.iter().enumerate() {
                    let comma = if number == 0 { "" } else { "; " };
                    write!(f, "{comma}{error}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for CleanUpErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for (at, error) in &self.errors {
            list.entry(&format_args!("{error:?} (deferred at {at})"));
        }
        list.finish()
    }
}

impl Error for CleanUpErrors {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.errors.first().map(|(_, error)| &**error as _)
    }
}
