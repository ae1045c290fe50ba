//! The process that the program `tenter` is asked about: what the system tells of it, and its socket.
//!
//! The process chose the folder by its own environment, which is not that of whoever looks: another user's
//! with `sudo`, none at all for a service, another root for a container. So on Linux the places are those of
//! the environment that the process was started with, also through `/proc/PID/root`, where its number is
//! the innermost of its numbers. After these come the places of whoever looks.
//!
//! Who answers is compared with who was asked: a socket may be left over, or somebody else's trap.
//!
//! Tests: `tests/tests/inspect/main.rs`; below.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::folder;

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    pub process: i32,
    /// What the system calls it, if it tells.
    pub name: Option<String>,
    /// A letter and a word: `T (stopped)`.
    pub state: Option<String>,
    /// Whose it is.
    pub user: Option<u32>,
    /// Its number where it lives itself.
    pub inner: Option<i32>,
}

/// Why there is no socket to ask.
#[derive(Debug)]
pub enum NoSocket {
    /// It has none.
    None,
    /// It may not be reached.
    Refused(PathBuf, io::Error),
}

impl Target {
    /// The process of this number, or the one that the thread of this number belongs to. `None`: there is
    /// none.
    pub fn find(process: i32) -> Option<Self> {
        if folder::is_gone(process) {
            return None;
        }
        let status = fs::read_to_string(format!("/proc/{process}/status"));
        Some(match status {
            Ok(status) => Self::of_status(process, &status),
            Err(_) => Self {
                process,
                ..Self::default()
            },
        })
    }

    fn of_status(process: i32, status: &str) -> Self {
        let field = |name: &str| {
            let of_name = |line: &'_ str| Some(line.strip_prefix(name)?.trim().to_owned());
            status.lines().find_map(of_name)
        };
        let word = |name: &str, index: usize| {
            let line = field(name)?;
            line.split_whitespace().nth(index).map(str::to_owned)
        };
        let innermost = |line: String| line.split_whitespace().last()?.parse().ok();
        Self {
            process: word("Tgid:", 0)
                .and_then(|it| it.parse().ok())
                .unwrap_or(process),
            name: field("Name:"),
            state: field("State:"),
            // Real, effective, saved, of the file system.
            user: word("Uid:", 1).and_then(|it| it.parse().ok()),
            inner: field("NStgid:").and_then(innermost),
        }
    }

    /// Whether it has ended, and nobody has asked how.
    pub fn is_zombie(&self) -> bool {
        self.state.as_ref().is_some_and(|it| it.starts_with('Z'))
    }

    /// Whether it does not run because somebody has stopped it.
    pub fn is_stopped(&self) -> bool {
        let stopped = |it: &String| it.starts_with(['T', 't']);
        self.state.as_ref().is_some_and(stopped)
    }

    /// The folders in which its socket may be, and the name of the socket.
    fn places(&self) -> Vec<PathBuf> {
        let own = geteuid().as_raw();
        let user = self.user.unwrap_or(own);
        let process = self.process;
        let inner = self.inner.unwrap_or(process);
        let mut folders = Vec::new();
        if let Ok(environment) = fs::read(format!("/proc/{process}/environ")) {
            let variable = |name| variable(&environment, name);
            let temporary = variable("TMPDIR=").unwrap_or_else(|| PathBuf::from("/tmp"));
            let xdg = variable("XDG_RUNTIME_DIR=");
            folders = folder::places(xdg.as_deref(), &temporary, user);
        }
        let root = PathBuf::from(format!("/proc/{process}/root"));
        let within = folders.iter().filter_map(|folder| {
            let folder = folder.strip_prefix("/").ok()?;
            Some(root.join(folder))
        });
        let within: Vec<_> = within.collect();
        folders.extend(folder::own_places(user));
        let mut places: Vec<PathBuf> = within
            .iter()
            .chain(&folders)
            .map(|folder| folder.join(inner.to_string()))
            .collect();
        let outer = folders
            .iter()
            .map(|folder| folder.join(process.to_string()));
        places.extend(outer);
        let mut seen = Vec::new();
        places.retain(|place| {
            let is_new = !seen.contains(place);
            seen.push(place.clone());
            is_new
        });
        places
    }

    /// Connects to its socket.
    pub fn connect(&self) -> Result<UnixStream, NoSocket> {
        let mut refused = None;
        for place in self.places() {
            match UnixStream::connect(&place) {
                Ok(stream) if self.is_behind(&stream) => return Ok(stream),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    refused = refused.or(Some((place, error)));
                }
                // Nothing there, or left over, or somebody else's.
                _ => {}
            }
        }
        Err(match refused {
            Some((place, error)) => NoSocket::Refused(place, error),
            None => NoSocket::None,
        })
    }

    /// Whether it is this process that listens.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn is_behind(&self, stream: &UnixStream) -> bool {
        let peer = rustix::net::sockopt::socket_peercred(stream);
        peer.is_ok_and(|peer| peer.pid.as_raw_nonzero().get() == self.process)
    }

    /// Elsewhere the system does not say.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn is_behind(&self, _stream: &UnixStream) -> bool {
        true
    }

    /// Other processes that may be looked into.
    pub fn others(&self) -> Vec<i32> {
        let mut others: Vec<i32> = folder::own_places(geteuid().as_raw())
            .iter()
            .flat_map(|folder| folder::processes(folder))
            .filter(|other| *other != self.process)
            .collect();
        others.dedup();
        others
    }
}

/// What a variable is in an environment; `name` ends with the sign of equality.
fn variable(environment: &[u8], name: &str) -> Option<PathBuf> {
    let mut variables = environment.split(|byte| *byte == 0);
    let value = variables.find_map(|it| it.strip_prefix(name.as_bytes()))?;
    let value = std::ffi::OsString::from_vec(value.to_vec());
    Some(Path::new(&value).to_path_buf()).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells() {
        let status = "Name:\tmy program\nState:\tT (stopped)\nTgid:\t70\nNStgid:\t70\t8\t1\nPid:\t71\n\
                      Uid:\t1000\t1001\t1002\t1003\n";
        let target = Target::of_status(71, status);
        let expected = Target {
            process: 70,
            name: Some("my program".to_owned()),
            state: Some("T (stopped)".to_owned()),
            user: Some(1001),
            inner: Some(1),
        };
        assert_eq!(target, expected);
        assert!(target.is_stopped() && !target.is_zombie());
        let bare = Target::of_status(71, "");
        assert_eq!((bare.process, bare.user), (71, None));
    }

    #[test]
    fn the_places_of_a_process() {
        let own = std::process::id();
        let target = Target::find(own.try_into().unwrap()).unwrap();
        let places = target.places();
        let folder = &folder::own_places(geteuid().as_raw())[0];
        let place = folder.join(own.to_string());
        assert!(places.contains(&place), "{places:?}");
        assert!(Target::find(i32::MAX).is_none());
        assert!(Target::find(0).is_none() && Target::find(-1).is_none());
    }

    #[test]
    fn a_variable_of_an_environment() {
        let environment = b"A=/x\0TMPDIR=/var/tmp\0XDG_RUNTIME_DIR=no\0NOT_TMPDIR=/y\0";
        let is = |name| variable(environment, name);
        assert_eq!(is("TMPDIR="), Some(PathBuf::from("/var/tmp")));
        assert_eq!(is("XDG_RUNTIME_DIR="), None, "it is relative");
        assert_eq!(is("B="), None);
    }
}
