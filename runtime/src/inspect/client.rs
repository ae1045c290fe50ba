//! The program `tenter`: asks a running process for its tasks.
//!
//! What the other process says is printed as text, never as what a terminal obeys.
//!
//! Tests: `tests/tests/inspect/main.rs`; below.

use core::fmt::Write as _;
use core::time::Duration;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use rustix::process::geteuid;

use super::protocol::{Answer, Question, Status, Wrong};
use super::target::{NoSocket, Target};

/// How long the process may take between two pieces of its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Tasks wait in a circle.
const CYCLES: u8 = 1;
/// The command line makes no sense.
const USAGE: u8 = 2;
/// The process could not be looked into.
const TROUBLE: u8 = 3;

const HELP: &str = "\
Looks into a running program that uses the async runtime tenter.

Usage:
  tenter ps PID        list its tasks, and what each waits for
  tenter pstree PID    show who waits for whom, as a tree
  tenter --help        print this
  tenter --version     print the version

The program has to allow it. Either of these will do:
  - start it with TENTER_INSPECT=1 in the environment
  - build its runtime with Builder::inspect_socket(true)
Both need the feature `inspect` of the crate `tenter` in the program's Cargo.toml. Looking is for the user
who runs the program, and for root. It stops nothing, and works also when all of the runtime's threads are
stuck.

Exit status:
  0  here are the tasks
  1  here are the tasks, and some wait for each other in a circle: a deadlock
  2  the command line is wrong
  3  the process could not be looked into; the message says why, and what to do
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Command {
    Ask(Question, i32),
    Print(String),
}

/// The program.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match parse(&arguments) {
        Ok(Command::Print(text)) => print(&text, 0),
        Ok(Command::Ask(question, process)) => match ask(question, process) {
            Ok(answer) => match answer.status {
                Status::Cycles => {
                    let printed = print(&answer.text, CYCLES);
                    let text = "ERROR: tasks wait for each other in a circle, and will for ever; the lines that \
                                begin with \"deadlock\" say which";
                    complain(text, CYCLES);
                    printed
                }
                _ => print(&answer.text, 0),
            },
            Err(trouble) => complain(&trouble, TROUBLE),
        },
        Err(wrong) => complain(
            &format!("{wrong}\nUsage: tenter ps PID | tenter pstree PID | tenter --help"),
            USAGE,
        ),
    }
}

fn print(text: &str, status: u8) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // `tenter ps 7 | head` has what it wanted.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("the answer cannot be printed: {error}"), TROUBLE)
        }
        _ => ExitCode::from(status),
    }
}

fn complain(text: &str, status: u8) -> ExitCode {
    // There is nobody to tell that nobody can be told.
    let _ = writeln!(io::stderr(), "tenter: {text}");
    ExitCode::from(status)
}

fn parse(arguments: &[OsString]) -> Result<Command, String> {
    let words: Vec<_> = arguments.iter().map(|it| it.to_string_lossy()).collect();
    let words: Vec<&str> = words.iter().map(|it| &**it).collect();
    if words.iter().any(|it| matches!(*it, "-h" | "--help")) || words == ["help"] {
        return Ok(Command::Print(HELP.to_owned()));
    }
    if let ["-V" | "--version"] = words[..] {
        let text = concat!("tenter ", env!("CARGO_PKG_VERSION"), "\n").to_owned();
        return Ok(Command::Print(text));
    }
    let Some((word, rest)) = words.split_first() else {
        return Err("what to do is missing".to_owned());
    };
    let Some(question) = Question::of_word(word.as_bytes()) else {
        return Err(format!("there is no command {word:?}"));
    };
    match rest {
        [] => Err(format!("`tenter {word}` needs the number of a process")),
        [process] => match process.parse() {
            Ok(number) if number > 0 => Ok(Command::Ask(question, number)),
            _ => Err(format!(
                "{process:?} is no number of a process; `pgrep NAME` finds it by its name"
            )),
        },
        [_, extra, ..] => Err(format!("{extra:?} is too much: one process at a time")),
    }
}

fn ask(question: Question, process: i32) -> Result<Answer, String> {
    let Some(target) = Target::find(process) else {
        return Err(format!("there is no process {process}"));
    };
    let label = label(&target);
    if target.is_zombie() {
        return Err(format!(
            "{label} has ended already; its parent has not asked yet how"
        ));
    }
    if target.is_stopped() {
        return Err(format!(
            "{label} cannot answer: it is stopped. `kill -CONT {process}` lets it go on, or a debugger has to \
             let go of it"
        ));
    }
    let stream = target
        .connect()
        .map_err(|no| no_socket(&target, &no, geteuid().as_raw()))?;
    match converse(&stream, question) {
        Ok(answer) if answer.status == Status::Refused => {
            Err(format!("{label} refuses: {}", printable(&answer.text)))
        }
        Ok(answer) => Ok(Answer {
            text: printable(&answer.text),
            ..answer
        }),
        Err(Failed::Silent) => Err(format!(
            "{label} has not answered within {ANSWER_WITHIN:?}; its state is {}. Is the machine overloaded?",
            target.state.as_deref().unwrap_or("not known")
        )),
        Err(Failed::Wrong(Wrong::Cut)) => Err(format!(
            "{label} has ended, or closed its runtime, in the middle of the answer; try again"
        )),
        Err(Failed::Wrong(Wrong::Version(version))) => Err(format!(
            "{label} answers in version {} of the protocol, which this `tenter` does not know. Use the one of \
             the version that the program was built with",
            printable(&version)
        )),
        Err(Failed::Wrong(Wrong::Strange)) => Err(format!(
            "{label} answers, but not as a program of tenter does"
        )),
        Err(Failed::Io(error)) => Err(format!("{label} cannot be asked: {error}")),
    }
}

/// `process 7 (web)`
fn label(target: &Target) -> String {
    let process = target.process;
    match &target.name {
        Some(name) => format!("process {process} ({})", printable(name)),
        None => format!("process {process}"),
    }
}

/// What to do about a process that has no socket.
fn no_socket(target: &Target, no: &NoSocket, own: u32) -> String {
    let label = label(target);
    let foreign = target.user.filter(|user| *user != own && own != 0);
    if let Some(user) = foreign {
        return format!(
            "{label} is user {user}'s, and you are user {own}: only {user} and root may look into it. Try \
             `sudo tenter`"
        );
    }
    let mut text = match no {
        NoSocket::Refused(place, error) => {
            return format!(
                "{label} may not be looked into: {}: {error}",
                place.display()
            );
        }
        NoSocket::None => format!(
            "{label} does not let anybody look into it. If it is a program of tenter, and built with the \
             feature `inspect`, start it with TENTER_INSPECT=1 in the environment, or build its runtime with \
             Builder::inspect_socket(true). Until then: a program with Builder::dump_on_signal prints its \
             tasks when it gets that signal"
        ),
    };
    let others = target.others();
    if !others.is_empty() {
        text.push_str("\nThese can be looked into:");
        for other in others {
            let other = Target::find(other).map(|other| label_short(&other));
            let _ = write!(text, " {}", other.unwrap_or_default());
        }
    }
    text
}

fn label_short(target: &Target) -> String {
    match &target.name {
        Some(name) => format!("{} ({})", target.process, printable(name)),
        None => target.process.to_string(),
    }
}

/// Why there was no answer.
#[derive(Debug)]
enum Failed {
    Silent,
    Wrong(Wrong),
    Io(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Silent,
            // It went away: what it said before may be a whole answer, and is not.
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Wrong(Wrong::Cut),
            _ => Self::Io(error),
        }
    }
}

fn converse(mut stream: &UnixStream, question: Question) -> Result<Answer, Failed> {
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    // Who refuses may have answered already, and gone.
    let asked = stream.write_all(format!("{}\n", question.word()).as_bytes());
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    match Answer::of_bytes(&bytes) {
        Ok(answer) => Ok(answer),
        Err(wrong) => {
            asked?;
            read?;
            Err(Failed::Wrong(wrong))
        }
    }
}

/// Text without what a terminal obeys.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() && char != '\n' {
            printable.extend(char.escape_default());
        } else {
            printable.push(char);
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Command, String> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        parse(&words)
    }

    #[test]
    fn the_command_line() {
        assert_eq!(parsed(&["ps", "7"]), Ok(Command::Ask(Question::Ps, 7)));
        let tree = parsed(&["pstree", "4242"]);
        assert_eq!(tree, Ok(Command::Ask(Question::PsTree, 4242)));
        for help in [&["--help"][..], &["-h"], &["help"], &["ps", "--help"]] {
            assert_eq!(parsed(help), Ok(Command::Print(HELP.to_owned())));
        }
        assert!(matches!(parsed(&["--version"]), Ok(Command::Print(_))));
        for (words, part) in [
            (&[][..], "what to do is missing"),
            (&["top"], "no command \"top\""),
            (&["ps"], "`tenter ps` needs the number"),
            (&["ps", "0"], "\"0\" is no number of a process"),
            (&["ps", "-1"], "\"-1\" is no number"),
            (&["ps", "web"], "pgrep"),
            (&["ps", "7", "8"], "\"8\" is too much"),
        ] {
            let wrong = parsed(words).unwrap_err();
            assert!(wrong.contains(part), "{wrong}");
        }
    }

    #[test]
    fn what_to_do_about_a_process_that_cannot_be_asked() {
        let target = Target {
            process: 7,
            name: Some("web".to_owned()),
            user: Some(1000),
            ..Target::default()
        };
        let foreign = no_socket(&target, &NoSocket::None, 1001);
        assert!(foreign.starts_with("process 7 (web) is user 1000's, and you are user 1001"));
        assert!(foreign.contains("sudo"));
        for own in [0, 1000] {
            let closed = no_socket(&target, &NoSocket::None, own);
            assert!(closed.contains("TENTER_INSPECT=1") && closed.contains("inspect_socket"));
            let refused = NoSocket::Refused("/x/7".into(), io::ErrorKind::PermissionDenied.into());
            let refused = no_socket(&target, &refused, own);
            assert!(refused.contains("/x/7: permission denied"), "{refused}");
        }
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(printable("└── \"a\"\n"), "└── \"a\"\n");
        assert_eq!(printable("\x1b[2J\r\u{9b}x"), "\\u{1b}[2J\\r\\u{9b}x");
    }
}
