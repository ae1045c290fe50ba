//! What a job has read and the program has not taken yet.

use core::mem;
use std::io::{self, Read};

use super::opened::Opened;

/// How much the first read of a row takes, and the longest.
const ROOM_MIN: usize = 8 * 1024;
const ROOM_MAX: usize = 256 * 1024;

/// The most that a read takes for a program that has room for so much.
const WANT_MAX: usize = 1024 * 1024;

/// Bytes read ahead; behind them perhaps the end, or an error.
#[derive(Debug)]
pub struct Data {
    /// Room that stays initialised; what was read is in `taken..filled`.
    bytes: Vec<u8>,
    taken: usize,
    filled: usize,
    /// The file ended here; to be told once, for it may have grown since.
    end: bool,
    error: Option<io::Error>,
    /// How much the next job reads.
    room: usize,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            taken: 0,
            filled: 0,
            end: false,
            error: None,
            room: ROOM_MIN,
        }
    }
}

impl Data {
    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.filled - self.taken
    }

    /// Those bytes.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..self.filled]
    }

    /// Moves as many of them as fit.
    pub fn give(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.left());
        buffer[..count].copy_from_slice(&self.rest()[..count]);
        self.consume(count);
        count
    }

    /// So many of them were taken. More than there are is a slip of the caller, and harmless.
    pub fn consume(&mut self, count: usize) {
        self.taken = self.filled.min(self.taken.saturating_add(count));
    }

    /// Whether the end comes now.
    pub fn take_end(&mut self) -> bool {
        mem::take(&mut self.end)
    }

    /// The error that comes now.
    pub fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// The job could not run, and has taken the data with it: there was none.
    pub fn fail(&mut self, error: io::Error) {
        self.error = Some(error);
    }

    /// The position has moved elsewhere.
    pub fn forget(&mut self) {
        self.taken = 0;
        self.filled = 0;
        self.end = false;
        self.error = None;
        self.room = ROOM_MIN;
    }

    /// Reads, on a thread that may block; `want` is what the program has room for, 0 if it does not
    /// say. `ahead`: more than that may be read.
    pub fn read(&mut self, opened: &Opened, want: usize, ahead: bool) {
        let want = want.min(WANT_MAX);
        let room = if ahead || want == 0 {
            self.room.max(want)
        } else {
            want
        };
        self.taken = 0;
        self.filled = 0;
        if self.bytes.len() < room {
            self.bytes = vec![0; room];
        }
        // What was read before an error comes before it.
        self.error = self.fill(opened, room).err();
        if self.filled >= self.room {
            self.room = (self.room * 4).min(ROOM_MAX);
        }
    }

    /// Reads once; from an ordinary file, where that cannot wait, up to `room` bytes or the end.
    fn fill(&mut self, opened: &Opened, room: usize) -> io::Result<()> {
        while self.filled < room {
            match (&opened.file).read(&mut self.bytes[self.filled..room]) {
                Ok(0) => {
                    self.end = true;
                    break;
                }
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(opened.failed("read", error)),
            }
            if !opened.is_ordinary {
                break;
            }
        }
        Ok(())
    }
}
