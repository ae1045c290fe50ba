//! Tests that change the whole process run in one of their own: this program, started again.
#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::process::{Child, Command, Stdio};

const NAME: &str = "TENTER_IO_CHILD";

/// Whether this process is the child for the test `name`.
fn is_child(name: &str) -> bool {
    std::env::var(NAME).is_ok_and(|value| value == name)
}

fn start(name: &str) -> Child {
    let program = std::env::current_exe().expect("this program");
    Command::new(program)
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(NAME, name)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a child")
}

/// Runs `body` in a process of its own. `name` is that of the calling test.
pub fn alone(name: &str, body: impl FnOnce()) {
    alone_with(name, |_| (), body);
}

/// The same, while `outside` does something to the child from here, until it says so or the child
/// has ended.
pub fn alone_with(name: &str, mut outside: impl FnMut(&mut Child), body: impl FnOnce()) {
    if is_child(name) {
        return body();
    }
    let mut child = start(name);
    outside(&mut child);
    let output = child.wait_with_output().expect("the child's end");
    assert!(
        output.status.success(),
        "{}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let ran = String::from_utf8_lossy(&output.stdout).contains("1 passed");
    assert!(ran, "no test of the name `{name}` ran");
}

/// Takes all descriptors that this process may have but `spare`, until the answer is dropped.
pub fn exhaust_descriptors(spare: usize) -> Vec<std::fs::File> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = Rlimit {
        current: Some(256),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    setrlimit(Resource::Nofile, limit).expect("a limit");
    let mut files = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        files.push(file);
    }
    files.truncate(files.len() - spare);
    files
}
