//! What the tests of this program ask the system, and do to it.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tenter::Builder;
use tenter::net::{TcpListener, TcpStream};

/// How many entries a directory under /proc/self has.
pub fn own(directory: &str) -> usize {
    let entries = std::fs::read_dir(format!("/proc/self/{directory}"));
    entries.expect("this is Linux").count()
}

/// One thread, in both ways.
pub fn flavours() -> [Builder; 2] {
    [Builder::current_thread(), Builder::deterministic(7)]
}

/// One thread in both ways, one worker, two workers.
pub fn every_flavour() -> impl Iterator<Item = Builder> {
    let many = [1, 2].map(|workers| Builder::multi_thread().workers(workers));
    flavours().into_iter().chain(many)
}

/// Those whose time passes also while they are busy: one thread, one worker, two workers.
pub fn real_clocks() -> impl Iterator<Item = Builder> {
    every_flavour().filter(|builder| !format!("{builder:?}").contains("Deterministic"))
}

/// The descriptors that are open, and what each one is.
pub fn descriptors() -> BTreeMap<RawFd, String> {
    let mut open = BTreeMap::new();
    for entry in std::fs::read_dir("/proc/self/fd").expect("this is Linux") {
        let entry = entry.expect("an entry");
        // The one that reads the directory is gone when it is looked at.
        if let Ok(target) = std::fs::read_link(entry.path()) {
            let number = entry.file_name().to_string_lossy().parse();
            open.insert(number.expect("a number"), target.display().to_string());
        }
    }
    open.retain(|_, target| !target.ends_with("/fd"));
    open
}

/// The descriptors of one kind that are not in `before`.
pub fn opened_since(before: &BTreeMap<RawFd, String>, kind: &str) -> Vec<RawFd> {
    let mut open = descriptors();
    open.retain(|number, target| target.contains(kind) && !before.contains_key(number));
    open.into_keys().collect()
}

/// Closes a number underneath whoever owns it.
pub fn close(number: RawFd) {
    // SAFETY: this is the fault that the callers test. They run alone in their process, and say
    // what becomes of the owner.
    let closed = unsafe { libc::close(number) };
    assert_eq!(closed, 0, "it was open");
}

/// Makes a number mean a file that nobody can wait for.
pub fn replace(number: RawFd) {
    let null = File::open("/dev/null").expect("/dev/null");
    // SAFETY: takes two numbers and touches no memory. That the number means another file then is
    // the fault that the callers test.
    let replaced = unsafe { libc::dup2(null.as_raw_fd(), number) };
    assert_eq!(replaced, number);
}

/// Lets this process have at most so many descriptors.
pub fn limit_descriptors(count: u64) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    assert!(maximum.is_none_or(|maximum| maximum >= count));
    let current = Some(count);
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("it may be set");
}

/// Takes all descriptors that this process may have, until the answer is dropped.
pub fn exhaust_descriptors() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

/// The processor time that this process has used.
pub fn processor_time() -> Duration {
    // SAFETY: a structure of numbers, for which zeros are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a structure of the right kind, which is written to.
    let result = unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    assert_eq!(result, 0);
    let spent = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    spent(usage.ru_utime) + spent(usage.ru_stime)
}

/// Both ends of a connection.
pub async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let client = TcpStream::connect(address).await.expect("connected");
    let (server, _) = listener.accept().await.expect("accepted");
    (client, server)
}
