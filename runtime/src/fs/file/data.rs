//! What a job has read and the program has not taken yet.

use core::mem;
use std::io;

use rustix::buffer::spare_capacity;
use rustix::io::{Errno, read};

use super::opened::Opened;

/// How much the first read of a row takes, and the longest.
const ROOM_MIN: usize = 8 * 1024;
const ROOM_MAX: usize = 256 * 1024;

/// The most that a read takes for a program that has room for so much.
const WANT_MAX: usize = 1024 * 1024;

/// Bytes read ahead; behind them perhaps the end, or an error.
#[derive(Debug)]
pub struct Data {
    bytes: Vec<u8>,
    taken: usize,
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
            end: false,
            error: None,
            room: ROOM_MIN,
        }
    }
}

impl Data {
    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.taken
    }

    /// Those bytes.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
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
        self.taken = self.bytes.len().min(self.taken + count);
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
        self.bytes.clear();
        self.taken = 0;
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
        self.bytes.clear();
        self.taken = 0;
        self.bytes.reserve_exact(room);
        self.error = self.fill(opened, room).err();
        // What was read before an error comes before it.
        if self.bytes.len() >= self.room {
            self.room = (self.room * 4).min(ROOM_MAX);
        }
    }

    /// Reads once; from an ordinary file, where that cannot wait, up to `room` bytes or the end.
    fn fill(&mut self, opened: &Opened, room: usize) -> io::Result<()> {
        loop {
            let free = room - self.bytes.len();
            if free == 0 {
                return Ok(());
            }
            match read(&opened.file, spare_capacity(&mut self.bytes)) {
                Err(Errno::INTR) => {}
                Err(error) => return Err(opened.failed("read", error.into())),
                Ok(0) => {
                    self.end = true;
                    return Ok(());
                }
                Ok(count) if count >= free || !opened.is_ordinary => return Ok(()),
                Ok(_) => {}
            }
        }
    }
}
