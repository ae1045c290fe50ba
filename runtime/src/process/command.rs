//! [`Command`]: what to start, and how.
//!
//! A child that was started and then cannot be had, because a descriptor for it is refused, is
//! killed: an error means that nothing runs.
//!
//! Tests: `tests/tests/process/`.

use std::ffi::OsStr;
use std::future::Future;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, ExitStatus, Output, Stdio};

use super::child::Child;
use super::error;
use super::on_drop::OnDrop;
use super::orphan;
use super::pipe::{ChildStderr, ChildStdin, ChildStdout};
use super::watch::{Left, Watch};

/// What to start, with which arguments and surroundings: [`std::process::Command`], whose children
/// are awaited.
///
/// # Examples
///
/// Output line by line is [`spawn`](Command::spawn) with a pipe; all of it at the end is
/// [`output`](Command::output); and a process that ends with the future that waits for it is
/// [`run`](Command::run):
///
/// ```
/// use std::time::Duration;
/// use tenter::process::{Command, OnDrop};
/// use tenter::time::timeout;
///
/// # tenter::run(async {
/// let sleep = Command::new("sleep").arg("60").run(OnDrop::terminate());
/// // When the time is up, `sleep` gets SIGTERM.
/// assert!(timeout(Duration::from_millis(10), sleep).await.is_err());
/// # });
/// ```
#[derive(Debug)]
#[doc(alias = "create_subprocess_exec")]
pub struct Command {
    inner: process::Command,
    /// Until it is set, what each way of starting has for it.
    on_drop: Option<OnDrop>,
    /// Which of the standard input, output and error the caller has set.
    set: [bool; 3],
    /// Without a pidfd, though there be one.
    by_sigchld: bool,
}

impl Command {
    /// Starts a program, found by its path, or by its name in `PATH`: without arguments, in this
    /// program's folder, with its environment and its standard input, output and error.
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        process::Command::new(program).into()
    }

    /// Has `sh` run a line. Text from elsewhere has no place in it: it could hold commands. What the
    /// shell starts does not end with it; [`run`](Command::run) says how to end it too.
    #[doc(alias = "create_subprocess_shell")]
    pub fn shell(line: impl AsRef<OsStr>) -> Command {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(line);
        shell
    }

    /// Adds an argument. No shell looks at it.
    pub fn arg(&mut self, argument: impl AsRef<OsStr>) -> &mut Command {
        self.inner.arg(argument);
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> &mut Command {
        self.inner.args(arguments);
        self
    }

    /// The name that the program finds as its own, instead of the one it was found by.
    pub fn arg0(&mut self, name: impl AsRef<OsStr>) -> &mut Command {
        self.inner.arg0(name);
        self
    }

    /// Sets a variable of the environment.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Command {
        self.inner.env(name, value);
        self
    }

    /// Sets variables of the environment.
    pub fn envs<N, V>(&mut self, variables: impl IntoIterator<Item = (N, V)>) -> &mut Command
    where
        N: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.inner.envs(variables);
        self
    }

    /// Removes a variable of the environment.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Command {
        self.inner.env_remove(name);
        self
    }

    /// Removes all variables of the environment.
    pub fn env_clear(&mut self) -> &mut Command {
        self.inner.env_clear();
        self
    }

    /// The folder that the child starts in.
    #[doc(alias = "cwd")]
    pub fn current_dir(&mut self, folder: impl AsRef<Path>) -> &mut Command {
        self.inner.current_dir(folder);
        self
    }

    /// The standard input of the child.
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Command {
        self.inner.stdin(stdin);
        self.set[0] = true;
        self
    }

    /// The standard output of the child.
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Command {
        self.inner.stdout(stdout);
        self.set[1] = true;
        self
    }

    /// The standard error of the child.
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Command {
        self.inner.stderr(stderr);
        self.set[2] = true;
        self
    }

    /// The user that the child runs as. Starting it fails where that is not allowed.
    pub fn uid(&mut self, user: u32) -> &mut Command {
        self.inner.uid(user);
        self
    }

    /// The group of users that the child runs as. Starting it fails where that is not allowed.
    pub fn gid(&mut self, group: u32) -> &mut Command {
        self.inner.gid(group);
        self
    }

    /// The group of processes that the child joins; with 0 it leads a new one. A terminal sends its
    /// ctrl-c to the processes of the group in the foreground only, which a new one is not.
    #[doc(alias = "start_new_session")]
    #[doc(alias = "setpgid")]
    pub fn process_group(&mut self, group: i32) -> &mut Command {
        self.inner.process_group(group);
        self
    }

    /// Whether the child is killed when it is dropped before it has ended: [`OnDrop::kill`] or
    /// [`OnDrop::detach`].
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Command {
        self.on_drop(if kill {
            OnDrop::kill()
        } else {
            OnDrop::detach()
        })
    }

    /// What becomes of the child when it is dropped before it has ended. Unless it is set, a child of
    /// [`spawn`](Command::spawn) goes on, and one of [`status`](Command::status) or
    /// [`output`](Command::output), which nobody else has, is asked to end ([`OnDrop::terminate`]).
    pub fn on_drop(&mut self, on_drop: OnDrop) -> &mut Command {
        self.on_drop = Some(on_drop);
        self
    }

    /// For tests of systems without pidfd.
    #[doc(hidden)]
    pub fn watch_by_sigchld(&mut self, by_sigchld: bool) -> &mut Command {
        self.by_sigchld = by_sigchld;
        self
    }

    /// The command of the standard library in this one.
    pub fn as_std(&self) -> &process::Command {
        &self.inner
    }

    /// The command of the standard library in this one, for what is not offered here, as its
    /// `pre_exec`. What is set there of the standard input, output and error is not known here:
    /// [`output`](Command::output) and [`run`](Command::run) set it anew.
    pub fn as_std_mut(&mut self) -> &mut process::Command {
        &mut self.inner
    }

    /// Starts the child.
    ///
    /// It blocks for the time that starting takes; see the [module](super).
    ///
    /// # Errors
    ///
    /// The program is not found, or may not be run, or the folder is not there; or there is no
    /// descriptor left (each pipe takes one that stays and one for the moment, and each child one that
    /// stays). The error names the program and keeps the kind. Nothing runs then.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter::process::Command;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # tenter::run(async {
    /// let mut child = Command::new("true").spawn()?;
    /// assert!(child.wait().await?.success());
    ///
    /// let error = Command::new("no-such-program").spawn().unwrap_err();
    /// assert!(error.to_string().starts_with("cannot start `no-such-program`: "));
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn spawn(&mut self) -> io::Result<Child> {
        self.spawn_with(self.on_drop.unwrap_or(OnDrop::detach()))
    }

    /// Starts the child, and waits until it has ended.
    ///
    /// The child is started by the call, not by the first poll. Pipes to it are closed at once.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Command::spawn) and [`Child::wait`].
    ///
    /// # Cancel safety
    ///
    /// The child is dropped with the future, and asked to end unless [`on_drop`](Command::on_drop) says
    /// otherwise. A scope that ends waits for it.
    pub fn status(&mut self) -> impl Future<Output = io::Result<ExitStatus>> + Send + Sync + use<> {
        let child = self.spawn_with(self.on_drop.unwrap_or(OnDrop::terminate()));
        async move {
            let mut child = child?;
            (child.stdin, child.stdout, child.stderr) = (None, None, None);
            child.wait().await
        }
    }

    /// Starts the child, and collects what it writes until it has ended.
    ///
    /// Its standard output and error are pipes and its standard input is empty, unless they were set
    /// here. The child is started by the call, not by the first poll.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Command::spawn) and [`Child::communicate`].
    ///
    /// # Cancel safety
    ///
    /// The child is dropped with the future, and asked to end unless [`on_drop`](Command::on_drop) says
    /// otherwise. A scope that ends waits for it. What was read is lost; to keep it, keep the child:
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tenter::process::{Command, OnDrop, Stdio};
    /// # async fn example() -> std::io::Result<()> {
    /// let mut command = Command::shell("echo so far; exec sleep 60");
    /// let mut child = command.stdout(Stdio::piped()).on_drop(OnDrop::terminate()).spawn()?;
    /// let limit = Duration::from_secs(1);
    /// if tenter::time::timeout(limit, child.communicate([])).await.is_err() {
    ///     child.end().await?;
    ///     assert_eq!(child.communicate([]).await?.stdout, b"so far\n");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "check_output")]
    pub fn output(&mut self) -> impl Future<Output = io::Result<Output>> + Send + Sync + use<> {
        self.run(self.on_drop.unwrap_or(OnDrop::terminate()))
    }

    /// [`output`](Command::output) for a child that lives no longer than the future that waits for
    /// it: when that is dropped, the child is ended as `on_drop` says. A timeout, a task or another scope
    /// that ends so returns when the child has ended.
    ///
    /// With a shell, which starts processes of its own, combine it with
    /// [`process_group(0)`](Command::process_group) and [`OnDrop::whole_group`].
    ///
    /// # Errors
    ///
    /// Those of [`output`](Command::output).
    ///
    /// # Cancel safety
    ///
    /// The child is ended, and what was read is lost. When the runtime is dropped before the grace of
    /// the child is over, the child is killed at once.
    #[doc(alias = "run_process")]
    pub fn run(
        &mut self,
        on_drop: OnDrop,
    ) -> impl Future<Output = io::Result<Output>> + Send + Sync + use<> {
        let child = self.spawn_captured(on_drop);
        async move { child?.wait_with_output().await }
    }

    fn spawn_captured(&mut self, on_drop: OnDrop) -> io::Result<Child> {
        let [stdin, stdout, stderr] = self.set;
        let or = |set: bool, stdio: fn() -> Stdio| (!set).then(stdio);
        // For this child only: the next one may be started in another way.
        self.fill([
            or(stdin, Stdio::null),
            or(stdout, Stdio::piped),
            or(stderr, Stdio::piped),
        ]);
        let child = self.spawn_with(on_drop);
        self.fill([stdin, stdout, stderr].map(|set| or(set, Stdio::inherit)));
        child
    }

    fn fill(&mut self, [stdin, stdout, stderr]: [Option<Stdio>; 3]) {
        if let Some(stdin) = stdin {
            self.inner.stdin(stdin);
        }
        if let Some(stdout) = stdout {
            self.inner.stdout(stdout);
        }
        if let Some(stderr) = stderr {
            self.inner.stderr(stderr);
        }
    }

    fn spawn_with(&mut self, on_drop: OnDrop) -> io::Result<Child> {
        orphan::sweep();
        let program = Path::new(self.inner.get_program()).to_owned();
        let mut child = self
            .inner
            .spawn()
            .map_err(|cause| error::cannot_start(&program, self.inner.get_current_dir(), cause))?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let watch = Watch::new(child, self.by_sigchld).map_err(|(cause, mut child)| {
            // It was never waited for, so the number is its own.
            let _ = child.kill();
            orphan::leave(Left::Number(child));
            error::cannot_watch(&program, cause)
        })?;
        let mut child = Child::new(watch, OnDrop::kill());
        let unwatched = |cause| error::cannot_watch(&program, cause);
        child.stdin = stdin
            .map(ChildStdin::from_std)
            .transpose()
            .map_err(unwatched)?;
        child.stdout = stdout
            .map(ChildStdout::from_std)
            .transpose()
            .map_err(unwatched)?;
        child.stderr = stderr
            .map(ChildStderr::from_std)
            .transpose()
            .map_err(unwatched)?;
        child.on_drop = on_drop;
        Ok(child)
    }
}

impl From<process::Command> for Command {
    /// What was set of the standard input, output and error is not known here:
    /// [`output`](Command::output) and [`run`](Command::run) set it anew.
    fn from(inner: process::Command) -> Command {
        Command {
            inner,
            on_drop: None,
            set: [false; 3],
            by_sigchld: false,
        }
    }
}
