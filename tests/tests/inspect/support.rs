//! A program that may be looked into, which is a test in a process of its own, and the program `tenter`.

use std::fs::{self, DirBuilder};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tenter_tests::support::alone_with;

/// Far more than any step takes, so that only a hang reaches it.
const HANG: Duration = Duration::from_secs(60);

/// What the program prints when it may be looked into.
const READY: &str = "ready";

/// A folder of a test's own, for sockets. Removed at its end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tenter-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }

    /// Where the socket of a process is.
    pub fn socket(&self, process: impl ToString) -> PathBuf {
        self.sockets().join(process.to_string())
    }

    /// The folder that the program makes in it.
    pub fn sockets(&self) -> PathBuf {
        self.0.join("tenter")
    }

    /// Makes it beforehand.
    pub fn make_sockets(&self, mode: u32) {
        DirBuilder::new()
            .mode(0o700)
            .create(self.sockets())
            .unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(self.sockets(), mode).unwrap();
    }

    /// The names in it.
    pub fn names(&self) -> Vec<String> {
        let files = fs::read_dir(self.sockets()).unwrap();
        files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The program that is looked into. It is killed if the test fails.
pub struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pub errors: Option<BufReader<ChildStderr>>,
}

impl Program {
    fn new(mut child: Child) -> Self {
        Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            errors: child.stderr.take().map(BufReader::new),
            child,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has come to its next [`pause`].
    #[track_caller]
    pub fn wait(&mut self) {
        let mut before = String::new();
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).unwrap();
            if read == 0 {
                let mut errors = String::new();
                if let Some(from) = &mut self.errors {
                    from.read_to_string(&mut errors).unwrap();
                }
                panic!("it ended:\n{before}\n{errors}");
            }
            // The harness prints the name of the test without an end of the line.
            if line.trim_end().ends_with(READY) {
                return;
            }
            before.push_str(&line);
        }
    }

    /// Lets it go on.
    pub fn go_on(&mut self) {
        self.input.write_all(b"\n").unwrap();
    }

    /// Lets it go on, and waits for its next pause.
    #[track_caller]
    pub fn next(&mut self) {
        self.go_on();
        self.wait();
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, signal).unwrap();
    }

    /// Waits until a signal has stopped it.
    pub fn wait_until_stopped(&self) {
        let process = rustix::process::Pid::from_child(&self.child);
        let options = rustix::process::WaitOptions::UNTRACED;
        let (_, status) = rustix::process::waitpid(Some(process), options)
            .unwrap()
            .unwrap();
        assert!(status.stopped(), "{status:?}");
    }

    /// Lets it go on to its end, which has to be a success. Returns the rest of its standard error.
    #[track_caller]
    pub fn end(mut self) -> String {
        self.go_on();
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        let mut errors = String::new();
        if let Some(from) = &mut self.errors {
            from.read_to_string(&mut errors).unwrap();
        }
        assert!(self.child.wait().unwrap().success(), "{rest}\n{errors}");
        errors
    }

    /// Kills it.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Reads its standard error up to the line that ends so.
    pub fn errors_to(&mut self, end: &str) -> String {
        let errors = self.errors.as_mut().unwrap();
        let mut text = String::new();
        while !text.trim_end().ends_with(end) {
            let read = errors.read_line(&mut text).unwrap();
            assert_ne!(read, 0, "it ended:\n{text}");
        }
        text
    }

    /// `tenter` with this process as its last argument.
    pub fn ask(&self, word: &str) -> Answer {
        tenter(&[word, &self.id().to_string()])
    }

    /// A connection of the test's own.
    pub fn connect(&self, folder: &Folder) -> UnixStream {
        let stream = UnixStream::connect(folder.socket(self.id())).unwrap();
        stream.set_read_timeout(Some(HANG)).unwrap();
        stream
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In the program: there is something to look at. Returns when the test lets it go on.
pub fn pause() {
    println!("{READY}");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

/// In the program: waits until the runtime knows of so many tasks that were spawned from outside.
pub fn taken_in(runtime: &tenter::Runtime, tasks: usize) {
    while runtime.handle().tree().tasks().len() < tasks {
        std::thread::yield_now();
    }
}

/// Runs the rest of the test `name` as the program, with sockets in `folder`; `look` looks at it. True in the
/// program.
pub fn program(name: &str, folder: &Folder, look: impl FnOnce(Program)) -> bool {
    program_with(name, folder, |_| (), look)
}

/// [`program`], started with changes.
pub fn program_with(
    name: &str,
    folder: &Folder,
    arrange: impl FnOnce(&mut Command),
    look: impl FnOnce(Program),
) -> bool {
    let arrange = |command: &mut Command| {
        command.env("XDG_RUNTIME_DIR", &folder.0);
        command.env_remove("TENTER_INSPECT");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        arrange(command);
    };
    alone_with(name, arrange, |child| look(Program::new(child)))
}

/// What the program `tenter` said.
#[derive(Debug)]
pub struct Answer {
    pub status: Option<i32>,
    pub out: String,
    pub errors: String,
}

impl Answer {
    fn new(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            status: output.status.code(),
            out: text(output.stdout),
            errors: text(output.stderr),
        }
    }

    /// The tasks, of which none waits in a circle.
    #[track_caller]
    pub fn fine(self) -> String {
        assert_eq!((self.status, &*self.errors), (Some(0), ""), "{}", self.out);
        self.out
    }

    /// What went wrong.
    #[track_caller]
    pub fn failed(self, status: i32) -> String {
        assert_eq!(
            (self.status, &*self.out),
            (Some(status), ""),
            "{}",
            self.errors
        );
        self.errors
    }
}

/// Runs the program `tenter`. It has to find the socket by itself: it has another environment.
pub fn tenter(arguments: &[&str]) -> Answer {
    let mut command = Command::new(client());
    command.args(arguments).env_remove("XDG_RUNTIME_DIR");
    Answer::new(command.stdin(Stdio::null()).output().unwrap())
}

/// [`tenter`] in a folder of its own.
pub fn tenter_in(folder: &Folder, arguments: &[&str]) -> Answer {
    let mut command = Command::new(client());
    command.args(arguments).env("XDG_RUNTIME_DIR", &folder.0);
    Answer::new(command.stdin(Stdio::null()).output().unwrap())
}

/// The program, built if it is not there or out of date.
fn client() -> &'static Path {
    static CLIENT: OnceLock<PathBuf> = OnceLock::new();
    CLIENT.get_or_init(build_client)
}

fn build_client() -> PathBuf {
    // This test is target/<profile>/deps/inspect-<hash>.
    let own = std::env::current_exe().unwrap();
    let folder: &Path = own.parent().unwrap().parent().unwrap();
    let profile = match folder.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        profile => profile,
    };
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "tenter", "--bin", "tenter"]);
    build.args(["--features", "inspect", "--profile", profile]);
    build.arg("--target-dir").arg(folder.parent().unwrap());
    let built = build
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(built.success(), "the program `tenter` does not build");
    folder.join("tenter")
}
