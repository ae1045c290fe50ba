//! The examples `chat` and `proxy`, as programs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tenter_tests::support::assert_says;

/// Far more than any step takes, so that only a hang reaches it.
const HANG: Duration = Duration::from_secs(60);

/// The program of an example, built if it is not there or out of date.
fn example(name: &str) -> PathBuf {
    // This test is target/<profile>/deps/serve-<hash>.
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().unwrap().parent().unwrap().to_path_buf();
    let profile = match folder.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        profile => profile,
    };
    let mut build = Command::new(env!("CARGO"));
    build.args([
        "build",
        "--quiet",
        "--package",
        "tenter-examples",
        "--example",
        name,
    ]);
    build
        .args(["--profile", profile, "--target-dir"])
        .arg(folder.parent().unwrap())
        // What this test is built with, such as a sanitizer, is not meant for the tools of a build.
        .env_remove("RUSTFLAGS");
    let built = build
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(built.success(), "the example {name} does not build");
    folder.join("examples").join(name)
}

/// A running example. It is killed if the test fails.
struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Running {
    fn start(name: &str, arguments: &[&str]) -> Running {
        let mut command = Command::new(example(name));
        command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut address = String::new();
        output.read_line(&mut address).unwrap();
        let address = address.trim_end().parse().unwrap();
        Running {
            child,
            output,
            address,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect_timeout(&self.address, HANG).unwrap();
        stream.set_read_timeout(Some(HANG)).unwrap();
        stream.set_write_timeout(Some(HANG)).unwrap();
        stream
    }

    fn stop(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end, and returns what it wrote last and its errors.
    fn ended(&mut self) -> (String, String) {
        let (mut rest, mut errors) = (String::new(), String::new());
        self.output.read_to_string(&mut rest).unwrap();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut errors)
            .unwrap();
        assert!(self.child.wait().unwrap().success(), "{rest}{errors}");
        (rest, errors)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody who chats.
struct Person(BufReader<TcpStream>);

impl Person {
    fn new(chat: &Running) -> Person {
        let mut person = Person(BufReader::new(chat.connect()));
        person.hears("* your name?");
        person
    }

    fn named(chat: &Running, name: &str) -> Person {
        let mut person = Person::new(chat);
        person.says(name);
        person
    }

    fn says(&mut self, line: &str) {
        self.0
            .get_mut()
            .write_all(format!("{line}\n").as_bytes())
            .unwrap();
    }

    fn next(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    #[track_caller]
    fn hears(&mut self, line: &str) {
        assert_eq!(self.next(), line);
    }
}

/// Goal: joins, lines and leaves reach everybody else, in order; SIGINT says goodbye and ends well.
#[test]
fn chat_carries_lines_to_everybody_else() {
    let mut chat = Running::start("chat", &[]);
    let mut ann = Person::named(&chat, "ann");
    ann.hears("* you are alone");
    let mut bob = Person::named(&chat, "bob");
    bob.hears("* here are: ann");
    ann.hears("* bob has joined");
    let mut eve = Person::named(&chat, "eve");
    eve.hears("* here are: ann, bob");
    ann.hears("* eve has joined");
    bob.hears("* eve has joined");
    for number in 0..300 {
        bob.says(&format!("line {number}"));
    }
    for number in 0..300 {
        ann.hears(&format!("bob: line {number}"));
        eve.hears(&format!("bob: line {number}"));
    }
    drop(eve);
    ann.hears("* eve has left");
    bob.hears("* eve has left");
    for (name, answer) in [
        ("ann", "* ann is here already: take another name"),
        ("", "* a name has 1 to 20 letters or digits"),
        ("two words", "* a name has 1 to 20 letters or digits"),
    ] {
        let mut refused = Person::named(&chat, name);
        refused.hears(answer);
        refused.hears("");
    }
    let mut silent = Person::new(&chat);
    chat.stop(Signal::INT);
    silent.hears("* goodbye");
    for person in [&mut ann, &mut bob] {
        // The other one may have been quicker to leave.
        let lines = [person.next(), person.next()];
        assert!(
            lines.contains(&"* the server closes".to_owned()),
            "{lines:?}"
        );
    }
    let (report, _) = chat.ended();
    assert_eq!(report, "accepted 7 connections: 7 completed, 0 cancelled\n");
}

/// Goal: somebody who does not read is dropped, and everybody else hears every line.
#[test]
fn chat_drops_who_does_not_read() {
    let mut chat = Running::start("chat", &[]);
    let mut witness = Person::named(&chat, "witness");
    let sleeper = Person::named(&chat, "sleeper");
    let mut speaker = Person::named(&chat, "speaker");
    let text = "x".repeat(1_000);
    let speaking = thread::spawn(move || {
        // More than the buffers of a connection hold.
        for number in 0..20_000 {
            speaker.says(&format!("{number} {text}"));
        }
        speaker
    });
    let mut dropped = 0;
    let mut next = 0;
    while next < 20_000 {
        let line = witness.next();
        if let Some(said) = line.strip_prefix("speaker: ") {
            let number = said.split(' ').next().unwrap();
            assert_eq!(number, next.to_string());
            next += 1;
        } else if line == "* sleeper was dropped: too slow" {
            dropped += 1;
        }
    }
    assert_eq!(dropped, 1);
    drop((speaking.join().unwrap(), sleeper));
    chat.stop(Signal::TERM);
    chat.ended();
}

/// A server that sends back, in capital letters, when the client has ended; and how many clients it has had.
fn shouting_server() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            thread::spawn(move || {
                let mut text = Vec::new();
                if stream.read_to_end(&mut text).is_ok() {
                    let _ = stream.write_all(&text.to_ascii_uppercase());
                }
            });
        }
    });
    (address, accepted)
}

/// Goal: bytes and half-closes go through both ways, and are counted.
#[test]
fn proxy_carries_both_ways_and_half_closes() {
    let (upstream, accepted) = shouting_server();
    let mut proxy = Running::start("proxy", &["0", &upstream.to_string()]);
    let mut bytes = 0;
    for size in [0, 1, 1_000, 3_000_000] {
        let text = "abcdefgh".repeat(size / 8) + &"z".repeat(size % 8);
        let mut client = proxy.connect();
        let mut writer = client.try_clone().unwrap();
        let sent = text.clone();
        let writing = thread::spawn(move || {
            writer.write_all(sent.as_bytes()).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(
            answer == text.to_ascii_uppercase(),
            "{} bytes",
            answer.len()
        );
        writing.join().unwrap();
        bytes += size;
    }
    // The proxy may learn of the last end after the client.
    let before = accepted.load(Ordering::SeqCst);
    let in_hand = proxy.connect();
    // What the kernel alone has accepted goes with the listener.
    while accepted.load(Ordering::SeqCst) == before {
        thread::yield_now();
    }
    proxy.stop(Signal::TERM);
    while TcpStream::connect(proxy.address).is_ok() {
        thread::yield_now();
    }
    let mut late = in_hand;
    late.write_all(b"late").unwrap();
    late.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    late.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "LATE", "a connection that is open is finished");
    bytes += 4;
    let (report, _) = proxy.ended();
    let total =
        format!("{bytes} bytes to the upstream, {bytes} bytes back; 0 connections were idle");
    assert_says(&report, &[&total, "0 failed"]);
}

/// Goal: a connection on which nothing moves is closed; one that moves now and then is not.
#[test]
fn proxy_closes_what_is_idle() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap().to_string();
    let mut proxy = Running::start("proxy", &["0", &address, "1"]);
    let mut client = proxy.connect();
    let (mut server, _) = upstream.accept().unwrap();
    server.set_read_timeout(Some(HANG)).unwrap();
    client.write_all(b"hello").unwrap();
    let mut buffer = [0; 5];
    server.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"hello");
    // Both wait for the end, which only the proxy can bring about.
    assert_eq!(client.read(&mut buffer).unwrap(), 0);
    assert_eq!(server.read(&mut buffer).unwrap(), 0);
    proxy.stop(Signal::TERM);
    let (report, _) = proxy.ended();
    assert_says(
        &report,
        &["5 bytes to the upstream", "1 connections were idle"],
    );
}

/// Goal: an upstream that is not there is told, and costs the client its connection only.
#[test]
fn proxy_says_that_the_upstream_is_not_there() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut proxy = Running::start("proxy", &["0", &nobody.to_string()]);
    for _ in 0..3 {
        let mut answer = Vec::new();
        proxy.connect().read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"");
    }
    proxy.stop(Signal::TERM);
    let (report, errors) = proxy.ended();
    assert_says(&report, &["3 completed", "3 failed"]);
    assert_says(&errors, &[&format!("cannot connect to {nobody}")]);
    assert_eq!(errors.lines().count(), 3, "{errors}");
}

#[test]
fn proxy_refuses_wrong_arguments() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (arguments, part) in [
        (&[][..], "not 0"),
        (&["1", "a:2", "3", "4"], "not 4"),
        (&["http", "a:2"], "`http` is neither a port"),
        (
            &["0", "example.org"],
            "`example.org` is no host with a port",
        ),
        (&["0", ":80"], "`:80` is no host"),
        (&["0", "a:2", "0"], "`0` is no number of seconds"),
        (&[&taken, "a:2"], "give another port"),
    ] {
        let output = Command::new(example("proxy"))
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.starts_with("proxy: ") && text.contains(part), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
