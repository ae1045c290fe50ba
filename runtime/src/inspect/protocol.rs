//! What is said in the socket: one line of question, one answer, and the end.
//!
//! ```text
//!  ─►  pstree\n
//!  ◄─  tenter-inspect 1 cycles 421\n     version, how it is, how many bytes follow
//!      …421 bytes of text…
//! ```
//!
//! Tests: below.

/// What an answer begins with.
const MAGIC: &str = "tenter-inspect";

/// Raised when an older program `tenter` could not make sense of an answer.
const VERSION: &str = "1";

/// The longest line of question, with its end.
pub const QUESTION_MAX: usize = 64;

/// The longest first line of an answer.
const HEAD_MAX: usize = 128;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// All tasks, as a table.
    Ps,
    /// All tasks, as a tree of who waits for whom.
    PsTree,
}

impl Question {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ps, Self::PsTree];

    /// How it is asked, in the socket and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ps => "ps",
            Self::PsTree => "pstree",
        }
    }

    /// The question of this word.
    pub fn of_word(word: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|it| it.word().as_bytes() == word)
    }
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Here is the answer.
    Fine,
    /// Here is the answer, and there are tasks that wait in a circle.
    Cycles,
    /// There is none, and this is why.
    Refused,
}

impl Status {
    const ALL: [Self; 3] = [Self::Fine, Self::Cycles, Self::Refused];

    fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Cycles => "cycles",
            Self::Refused => "refused",
        }
    }
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: Status,
    pub text: String,
}

/// Why what was read is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It ended too early.
    Cut,
    /// It is of another version than this one.
    Version(String),
    /// It is something else.
    Strange,
}

impl Answer {
    /// No answer, and why.
    pub fn refused(text: impl Into<String>) -> Self {
        Self {
            status: Status::Refused,
            text: text.into(),
        }
    }

    /// As it is sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (status, text) = (self.status.word(), &self.text);
        format!("{MAGIC} {VERSION} {status} {}\n{text}", text.len()).into_bytes()
    }

    /// Makes sense of what was read, up to its end.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, Wrong> {
        let head = &bytes[..bytes.len().min(HEAD_MAX)];
        let Some(end) = head.iter().position(|byte| *byte == b'\n') else {
            let cut = bytes.len() < HEAD_MAX;
            return Err(if cut { Wrong::Cut } else { Wrong::Strange });
        };
        let head = core::str::from_utf8(&head[..end]).map_err(|_| Wrong::Strange)?;
        let mut words = head.split(' ');
        if words.next() != Some(MAGIC) {
            return Err(Wrong::Strange);
        }
        let version = words.next().ok_or(Wrong::Strange)?;
        if version != VERSION {
            return Err(Wrong::Version(version.to_owned()));
        }
        let (status, length) = (words.next(), words.next());
        let status = Status::ALL
            .into_iter()
            .find(|it| Some(it.word()) == status)
            .ok_or(Wrong::Strange)?;
        let length: usize = length
            .and_then(|it| it.parse().ok())
            .ok_or(Wrong::Strange)?;
        let text = &bytes[end + 1..];
        if text.len() < length {
            return Err(Wrong::Cut);
        }
        let text = String::from_utf8_lossy(&text[..length]).into_owned();
        Ok(Self { status, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_understood() {
        for status in Status::ALL {
            let text = "└── Task-1 \"a\"\n".to_owned();
            let answer = Answer { status, text };
            let bytes = answer.to_bytes();
            assert_eq!(Answer::of_bytes(&bytes), Ok(answer));
            for end in 0..bytes.len() {
                assert_eq!(Answer::of_bytes(&bytes[..end]), Err(Wrong::Cut), "{end}");
            }
        }
        for question in Question::ALL {
            let word = question.word().as_bytes();
            assert_eq!(Question::of_word(word), Some(question));
            assert!(word.len() < QUESTION_MAX);
        }
        assert_eq!(Question::of_word(b"PS"), None);
    }

    #[test]
    fn what_is_no_answer_is_told_from_one() {
        let wrong = |text: &str| Answer::of_bytes(text.as_bytes()).unwrap_err();
        assert_eq!(
            wrong("tenter-inspect 2 tree\n"),
            Wrong::Version("2".to_owned())
        );
        assert_eq!(wrong("HTTP/1.1 400 Bad Request\n"), Wrong::Strange);
        assert_eq!(wrong("tenter-inspect\n"), Wrong::Strange);
        assert_eq!(wrong("tenter-inspect 1 ok\n"), Wrong::Strange);
        assert_eq!(wrong("tenter-inspect 1 perhaps 0\n"), Wrong::Strange);
        assert_eq!(wrong("tenter-inspect 1 ok -1\n"), Wrong::Strange);
        assert_eq!(wrong(&"x".repeat(1_000)), Wrong::Strange);
        assert_eq!(Answer::of_bytes(b"\xff\n"), Err(Wrong::Strange));
    }
}
