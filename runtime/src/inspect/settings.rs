//! What a [`Builder`] is told about being looked into.

use std::io;

use crate::builder::{Builder, Flavor, is_inspected};
use crate::signal::SignalKind;

/// The settings of one runtime.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// `None`: as the environment says.
    socket: Option<bool>,
    pub signals: Vec<SignalKind>,
}

/// Whether a runtime may be looked into by `tenter ps`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    No,
    Yes,
    /// It was whoever started the program that asked: what stands in the way is told, and is no reason not
    /// to run it.
    IfPossible,
}

impl Wishes {
    /// An error: the environment is to decide, and says neither.
    pub fn socket(&self, flavor: Flavor) -> io::Result<Socket> {
        Ok(match self.socket {
            Some(true) => Socket::Yes,
            Some(false) => Socket::No,
            // A look from outside is not part of what can be repeated.
            None if flavor == Flavor::Deterministic => Socket::No,
            None if is_inspected()? => Socket::IfPossible,
            None => Socket::No,
        })
    }

    /// Whether the program itself wants any of it.
    pub fn is_any(&self) -> bool {
        self.socket == Some(true) || !self.signals.is_empty()
    }

    /// Whether the settings make sense.
    pub fn check(&self, flavor: Flavor) -> io::Result<()> {
        self.socket(flavor)?;
        for kind in &self.signals {
            if *kind == SignalKind::interrupt() {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "Builder::dump_on_signal(SIGINT): ctrl-c is to end the program, and would not any \
                     more; take SignalKind::quit(), which is ctrl-\\, or SignalKind::user_defined1()",
                ));
            }
            if let Some(error) = kind.refusal() {
                let text = format!("Builder::dump_on_signal({kind}): {error}");
                return Err(io::Error::new(error.kind(), text));
            }
        }
        Ok(())
    }
}

/// To be looked into from outside: with the feature `inspect`, on Unix.
impl Builder {
    /// Lets the program `tenter` look into the running process: `tenter ps PID` lists the tasks, `tenter
    /// pstree PID` shows who waits for whom. Default: only if `TENTER_INSPECT=1` is in the environment,
    /// and never on the deterministic flavour.
    ///
    /// It turns [`inspect`](Self::inspect) on, unless that is set to `false`: then tasks are shown without the
    /// names of what they wait for.
    ///
    /// A thread of its own answers, so that it does so also when every worker is stuck. It listens on a socket
    /// named after the process in `$XDG_RUNTIME_DIR/tenter`, or else in `tenter-UID` in the temporary folder:
    /// a folder that only the user who runs the process, and root, may enter. All runtimes of a process share it. It is removed
    /// when the last of them has ended; what a process that was killed leaves there, the next one removes.
    /// A process started by this one does not inherit it.
    ///
    /// # Errors
    ///
    /// [`build`](Self::build) fails if that folder cannot be made, or is not safe: if it belongs to
    /// somebody else, others may enter, or it is a link. Where it was the environment that asked, a line on
    /// standard error says so instead.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = tenter::Builder::multi_thread().inspect_socket(true).build()?;
    /// println!("look into me: tenter ps {}", std::process::id());
    /// runtime.block_on(std::future::pending::<()>());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "asyncio ps")]
    #[doc(alias = "asyncio pstree")]
    #[doc(alias = "console-subscriber")]
    pub fn inspect_socket(mut self, listen: bool) -> Self {
        self.inspection.socket = Some(listen);
        self
    }

    /// Prints all tasks to standard error, as a tree of who waits for whom, whenever the process gets this
    /// signal, and goes on. For several signals, call it several times.
    ///
    /// It turns [`inspect`](Self::inspect) on, as [`inspect_socket`](Self::inspect_socket) does, and needs no
    /// socket.
    ///
    /// A thread of its own prints, so that it does so also when every worker is stuck. The signal no longer
    /// has its default effect: [`SignalKind::quit`], which ctrl-\ sends, ends the process otherwise. It does
    /// not get that back when the runtime has ended, and is ignored then. Streams of
    /// [`signals`](crate::signal::signals) get it all the same.
    ///
    /// # Errors
    ///
    /// [`build`](Self::build) fails with `InvalidInput` for SIGINT, which is to end the program, and for what
    /// [`signals`](crate::signal::signals) refuses; with the system's error if it refuses a handler or the
    /// thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter::signal::SignalKind;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = tenter::Builder::multi_thread()
    ///     .dump_on_signal(SignalKind::quit())
    ///     .build()?;
    /// # runtime.block_on(async {});
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "SIGQUIT")]
    #[doc(alias = "faulthandler")]
    #[doc(alias = "register")]
    pub fn dump_on_signal(mut self, kind: SignalKind) -> Self {
        if !self.inspection.signals.contains(&kind) {
            self.inspection.signals.push(kind);
        }
        self
    }
}
