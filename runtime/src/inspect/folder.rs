//! The folder of the sockets: one for each user, who alone may enter it.
//!
//! ```text
//!  $XDG_RUNTIME_DIR/tenter/4242      where that folder is the user's own
//!  $TMPDIR/tenter-1000/4242          elsewhere; the temporary folder, where it is not set
//! ```
//!
//! 1. A folder that is not a folder, belongs to somebody else or lets others in is refused, never repaired:
//!    what is in it may be anybody's by now. Whoever may change names in the folder around it is trusted: the
//!    user, root, and with the sticky bit of the temporary folder nobody else.
//! 2. A socket is removed if its process is gone and nobody answers there: each alone may be so for a
//!    moment, or because the process is in another container that shares the folder.
//!
//! Tests: below; `tests/tests/inspect/main.rs`.

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Pid, geteuid, test_kill_process};

/// What others may not have: no bit of the group and of the rest of the world.
const OTHERS: u32 = 0o077;

/// How many files of the folder are looked at for such as may be removed.
const SWEPT_MAX: usize = 1_024;

/// Where the sockets of a user may be, given two folders that the environment names.
pub fn places(xdg_runtime_dir: Option<&Path>, temporary: &Path, user: u32) -> Vec<PathBuf> {
    let mut places = Vec::new();
    if let Some(folder) = xdg_runtime_dir.filter(|folder| folder.is_absolute()) {
        places.push(folder.join("tenter"));
    }
    places.push(temporary.join(format!("tenter-{user}")));
    places
}

/// Those of this process.
pub fn own_places(user: u32) -> Vec<PathBuf> {
    let xdg = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    places(xdg.as_deref(), &env::temp_dir(), user)
}

/// The file of a socket. Dropping this removes it.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A socket that listens, and its file.
#[derive(Debug)]
pub struct Bound {
    pub listener: UnixListener,
    pub file: SocketFile,
}

/// Makes the socket of this process, in a folder that is made if need be.
pub fn bind() -> io::Result<Bound> {
    let user = geteuid().as_raw();
    let xdg = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    // After `su` it is still the other's.
    let xdg = xdg.filter(|folder| is_private(folder, user));
    let places = places(xdg.as_deref(), &env::temp_dir(), user);
    let folder = &places[0];
    make(folder, user)?;
    sweep(folder);
    bind_in(folder)
}

/// Whether nobody but `user` may change names in it.
fn is_private(folder: &Path, user: u32) -> bool {
    let found = fs::metadata(folder);
    found.is_ok_and(|it| it.is_dir() && it.uid() == user && it.mode() & 0o022 == 0)
}

/// Makes the folder, or looks whether the one that is there will do. 1
fn make(folder: &Path, user: u32) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            let what = format!(
                "the folder {} for sockets cannot be made: {error}. XDG_RUNTIME_DIR, or else TMPDIR, has \
                 to name a folder of the user's own",
                folder.display()
            );
            return Err(io::Error::new(error.kind(), what));
        }
        _ => {}
    }
    let found = fs::symlink_metadata(folder)?;
    let trouble = if !found.is_dir() {
        "it is no folder".to_owned()
    } else if found.uid() != user {
        format!(
            "it belongs to user {}, and this is user {user}",
            found.uid()
        )
    } else if found.mode() & OTHERS != 0 {
        let mode = found.mode() & 0o7777;
        format!("others than its owner may enter it (its mode is {mode:03o}, and has to be 700)")
    } else {
        return Ok(());
    };
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!(
            "{} is not safe to put a socket in: {trouble}. Remove it, or let XDG_RUNTIME_DIR name a folder of \
             the user's own",
            folder.display()
        ),
    ))
}

fn bind_in(folder: &Path) -> io::Result<Bound> {
    let path = folder.join(std::process::id().to_string());
    let listener = match UnixListener::bind(&path) {
        // A process of the same number was here before, or this one, before `exec`.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_dead(&path) => {
            fs::remove_file(&path).and_then(|()| UnixListener::bind(&path))
        }
        result => result,
    };
    let failed = |error: io::Error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => {
                ". Somebody answers there: a second version of tenter in this process, or a process of the \
                 same number in another container, with the same folder"
            }
            _ => "",
        };
        let what = format!(
            "the socket {} cannot be made: {error}{hint}",
            path.display()
        );
        io::Error::new(error.kind(), what)
    };
    let listener = listener.map_err(failed)?;
    let file = SocketFile(path);
    listener.set_nonblocking(true)?;
    // The folder keeps others out as it is.
    fs::set_permissions(&file.0, fs::Permissions::from_mode(0o600))?;
    Ok(Bound { listener, file })
}

/// Removes what processes have left behind that did not end by themselves. 2
fn sweep(folder: &Path) {
    let Ok(files) = fs::read_dir(folder) else {
        return;
    };
    for file in files.take(SWEPT_MAX).flatten() {
        let path = file.path();
        let is_socket = file.file_type().is_ok_and(|it| it.is_socket());
        if is_socket && process_of(&path).is_some_and(is_gone) && is_dead(&path) {
            let _ = fs::remove_file(path);
        }
    }
}

/// The processes that have a socket in the folder.
pub fn processes(folder: &Path) -> Vec<i32> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut processes: Vec<i32> = files
        .take(SWEPT_MAX)
        .filter_map(|file| process_of(&file.path()))
        .filter(|process| !is_gone(*process))
        .collect();
    processes.sort_unstable();
    processes
}

/// Whose socket this is, by its name.
fn process_of(path: &Path) -> Option<i32> {
    path.file_name()?.to_str()?.parse().ok()
}

/// Whether there is no such process.
pub fn is_gone(process: i32) -> bool {
    // It panics at negative numbers.
    let pid = Pid::from_raw(process.max(0));
    pid.is_none_or(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

/// Whether nobody listens there any more.
fn is_dead(path: &Path) -> bool {
    let ask = || {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        connect(&socket, &SocketAddrUnix::new(path)?)
    };
    ask() == Err(Errno::CONNREFUSED)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder of this test's own, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("tenter-folder-test-{}-{name}", std::process::id());
            let path = env::temp_dir().join(name);
            let _ = fs::remove_dir_all(&path);
            DirBuilder::new().mode(0o700).create(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn refusal(folder: &Path, user: u32) -> String {
        let error = make(folder, user).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        error.to_string()
    }

    #[test]
    fn a_folder_that_is_not_the_users_alone_is_refused() {
        let outer = Folder::new("refused");
        let user = geteuid().as_raw();
        let folder = outer.0.join("tenter");
        make(&folder, user).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o7777, 0o700);
        make(&folder, user).unwrap();
        let foreign = refusal(&folder, user + 1);
        assert!(
            foreign.contains(&format!("belongs to user {user}")),
            "{foreign}"
        );
        for mode in [0o710, 0o750, 0o701, 0o777] {
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
            let open = refusal(&folder, user);
            assert!(open.contains(&format!("its mode is {mode:o}")), "{open}");
        }
        let link = outer.0.join("link");
        symlink(&folder, &link).unwrap();
        assert!(refusal(&link, user).contains("no folder"));
        let file = outer.0.join("file");
        fs::write(&file, "").unwrap();
        assert!(refusal(&file, user).contains("no folder"));
        let missing = make(&outer.0.join("a/b"), user).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert!(missing.to_string().contains("XDG_RUNTIME_DIR"));
    }

    #[test]
    fn what_is_dead_is_swept_and_what_is_not_stays() {
        let folder = Folder::new("swept");
        // No process has such a number, nor may one have it soon.
        let (gone, init) = (i32::MAX, 1);
        for process in [gone, init] {
            drop(UnixListener::bind(folder.0.join(process.to_string())).unwrap());
        }
        let listens = UnixListener::bind(folder.0.join((gone - 1).to_string())).unwrap();
        drop(UnixListener::bind(folder.0.join("name")).unwrap());
        fs::write(folder.0.join((gone - 2).to_string()), "").unwrap();
        sweep(&folder.0);
        let is_there = |name: i32| folder.0.join(name.to_string()).exists();
        assert!(!is_there(gone), "gone, and nobody listens");
        assert!(is_there(init), "there is such a process");
        assert!(is_there(gone - 1), "somebody listens");
        assert!(is_there(gone - 2) && folder.0.join("name").exists());
        assert_eq!(processes(&folder.0), [init]);
        drop(listens);
    }

    #[test]
    fn a_socket_of_the_same_number_is_replaced_when_nobody_listens() {
        let folder = Folder::new("replaced");
        let path = folder.0.join(std::process::id().to_string());
        drop(UnixListener::bind(&path).unwrap());
        let bound = bind_in(&folder.0).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let error = bind_in(&folder.0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains("Somebody answers there"));
        drop(bound);
        assert!(!path.exists());
    }

    #[test]
    fn the_places() {
        let temporary = Path::new("/t");
        let names = |xdg: Option<&str>| places(xdg.map(Path::new), temporary, 7);
        let (run, fallback) = (Path::new("/run/user/7/tenter"), Path::new("/t/tenter-7"));
        for none in [None, Some("relative"), Some("")] {
            assert_eq!(names(none), [fallback]);
        }
        assert_eq!(names(Some("/run/user/7")), [run, fallback]);
    }
}
