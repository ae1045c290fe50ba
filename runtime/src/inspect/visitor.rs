//! One who asks, on the side of the process that is asked.
//!
//! ```text
//!  Reading ── a line ──► Writing ── all is written ──► gone
//!     │                     └─ its time is over, it has gone ──► gone
//!     └─ its time is over, it has gone, a newer one needs the place ──► gone
//! ```
//!
//! Tests: below; `tests/tests/inspect/main.rs`.

use core::time::Duration;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;

use tenter_timer::Instant;

use super::protocol::{Answer, QUESTION_MAX, Question};

/// How long one may take to ask.
const ASK_WITHIN: Duration = Duration::from_secs(2);

/// How long one may take to read the answer.
const READ_WITHIN: Duration = Duration::from_secs(30);

/// One who asks.
#[derive(Debug)]
pub struct Visitor {
    pub stream: UnixStream,
    state: State,
    /// When it is sent away.
    pub deadline: Instant,
}

#[derive(Debug)]
enum State {
    Reading(Vec<u8>),
    Writing { bytes: Vec<u8>, written: usize },
}

/// What is to become of a visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Next {
    Stay,
    Leave,
}

impl Visitor {
    /// A visitor who has just come. The stream does not block.
    pub fn new(stream: UnixStream, now: Instant) -> Self {
        Self {
            stream,
            state: State::Reading(Vec::new()),
            deadline: now + ASK_WITHIN,
        }
    }

    /// Whether nothing was asked yet.
    pub fn is_reading(&self) -> bool {
        matches!(self.state, State::Reading(_))
    }

    /// Tells it something without having been asked.
    pub fn tell(&mut self, answer: &Answer, now: Instant) {
        self.deadline = now + READ_WITHIN;
        self.state = State::Writing {
            bytes: answer.to_bytes(),
            written: 0,
        };
    }

    /// Does what can be done without waiting. `now` is asked for after the look.
    pub fn turn(&mut self, look: &dyn Fn(Question) -> Answer, now: &dyn Fn() -> Instant) -> Next {
        if let State::Reading(line) = &mut self.state {
            let answer = match read_line(&self.stream, line) {
                Ok(None) => return Next::Stay,
                Ok(Some(Asked::Line(line))) => answer(&line, look),
                Ok(Some(Asked::TooMuch)) => {
                    Answer::refused(format!("the question has more than {QUESTION_MAX} bytes"))
                }
                Err(_) => return Next::Leave,
            };
            self.tell(&answer, now());
        }
        let State::Writing { bytes, written } = &mut self.state else {
            return Next::Stay;
        };
        while *written < bytes.len() {
            match write(&self.stream, &bytes[*written..]) {
                Ok(0) => return Next::Leave,
                Ok(count) => *written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Next::Stay,
                Err(_) => return Next::Leave,
            }
        }
        Next::Leave
    }
}

/// Writes without the signal that a peer who has gone would cost: it ends programs that do not ignore it.
#[cfg(not(target_vendor = "apple"))]
fn write(stream: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    use rustix::net::{SendFlags, send};
    Ok(send(stream, bytes, SendFlags::NOSIGNAL)?)
}

/// The standard library has said so when it made the socket.
#[cfg(target_vendor = "apple")]
fn write(mut stream: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    io::Write::write(&mut stream, bytes)
}

enum Asked {
    Line(Vec<u8>),
    TooMuch,
}

/// Reads what is there. `None`: not yet a whole line.
fn read_line(mut stream: &UnixStream, line: &mut Vec<u8>) -> io::Result<Option<Asked>> {
    loop {
        let mut bytes = [0; QUESTION_MAX];
        let count = match stream.read(&mut bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        line.extend_from_slice(&bytes[..count]);
        let end = line.iter().position(|byte| *byte == b'\n');
        if end.unwrap_or(line.len()) >= QUESTION_MAX {
            return Ok(Some(Asked::TooMuch));
        }
        if let Some(end) = end {
            line.truncate(end);
            return Ok(Some(Asked::Line(core::mem::take(line))));
        }
    }
}

fn answer(line: &[u8], look: &dyn Fn(Question) -> Answer) -> Answer {
    match Question::of_word(line) {
        Some(question) => look(question),
        None => Answer::refused(format!(
            "the question \"{}\" is not known here; there are {}",
            line.escape_ascii(),
            Question::ALL.map(Question::word).join(" and ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tenter_timer::Clock;

    use super::*;
    use crate::inspect::protocol::{Status, Wrong};

    struct Pair {
        visitor: Visitor,
        peer: UnixStream,
    }

    fn pair() -> Pair {
        let (peer, stream) = UnixStream::pair().unwrap();
        stream.set_nonblocking(true).unwrap();
        let visitor = Visitor::new(stream, now());
        Pair { visitor, peer }
    }

    fn now() -> Instant {
        Clock::real().now()
    }

    fn look(question: Question) -> Answer {
        Answer {
            status: Status::Fine,
            text: question.word().repeat(500_000),
        }
    }

    impl Pair {
        fn turn(&mut self) -> Next {
            self.visitor.turn(&look, &now)
        }

        fn say(&mut self, bytes: &[u8]) {
            self.peer.write_all(bytes).unwrap();
        }

        /// What the peer reads to the end.
        fn answer(mut self) -> Result<Answer, Wrong> {
            drop(self.visitor);
            let mut bytes = Vec::new();
            // What it said and nobody read ends in an error, after the answer.
            let _ = self.peer.read_to_end(&mut bytes);
            Answer::of_bytes(&bytes)
        }
    }

    #[test]
    fn a_question_may_come_in_pieces_and_an_answer_too() {
        let mut pair = pair();
        assert_eq!(pair.turn(), Next::Stay);
        for piece in [&b"p"[..], b"str", b"ee"] {
            pair.say(piece);
            assert_eq!(pair.turn(), Next::Stay);
            assert!(pair.visitor.is_reading());
        }
        pair.say(b"\n");
        let (mut bytes, mut turns) = (Vec::new(), 0);
        while pair.turn() == Next::Stay {
            assert!(!pair.visitor.is_reading());
            let mut piece = [0; 4_096];
            let count = pair.peer.read(&mut piece).unwrap();
            bytes.extend_from_slice(&piece[..count]);
            turns += 1;
        }
        assert!(turns > 1, "it did not fit into the socket at once");
        drop(pair.visitor);
        pair.peer.read_to_end(&mut bytes).unwrap();
        assert_eq!(Answer::of_bytes(&bytes), Ok(look(Question::PsTree)));
    }

    #[test]
    fn what_is_no_question_is_refused_by_name() {
        for (said, part) in [
            (&b"kill\n"[..], "\"kill\" is not known here"),
            (b"\n", "\"\" is not known"),
            (b"\x1b[2J\n", "\\x1b[2J"),
            (&[b'x'; 200], "more than 64 bytes"),
        ] {
            let mut pair = pair();
            pair.say(said);
            assert_eq!(pair.turn(), Next::Leave);
            let answer = pair.answer().unwrap();
            assert_eq!(answer.status, Status::Refused);
            assert!(answer.text.contains(part), "{}", answer.text);
        }
    }

    #[test]
    fn one_who_goes_is_let_go() {
        let mut early = pair();
        drop(early.peer);
        assert_eq!(early.visitor.turn(&look, &now), Next::Leave);
        early = pair();
        early.say(b"ps\n");
        assert_eq!(early.turn(), Next::Stay);
        drop(early.peer);
        assert_eq!(early.visitor.turn(&look, &now), Next::Leave);
    }
}
