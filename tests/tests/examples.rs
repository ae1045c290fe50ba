//! The examples as programs: servers under `curl`, wrong arguments, and where the system has no room for
//! another connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Far more than any step takes, so that only a hang reaches it.
const HANG: Duration = Duration::from_secs(20);

/// A running example. It is killed if the test fails.
struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
    /// Its first line.
    address: String,
}

impl Running {
    fn start(command: &mut Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut address = String::new();
        output.read_line(&mut address).unwrap();
        let address = address.trim_end().to_owned();
        Running {
            child,
            output,
            address,
        }
    }

    /// What stands behind `http://`.
    fn socket_address(&self) -> SocketAddr {
        self.address.trim_start_matches("http://").parse().unwrap()
    }

    /// Ends it with SIGTERM and returns the rest of its output.
    fn end(mut self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success(), "{rest}");
        rest
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program of an example, built if it is not there or out of date.
fn example(name: &str) -> PathBuf {
    // This test is target/<profile>/deps/examples-<hash>.
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
        .arg(folder.parent().unwrap());
    let built = build
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(built.success(), "the example {name} does not build");
    folder.join("examples").join(name)
}

fn curl(arguments: &[&str], url: &str) -> Command {
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--no-buffer",
        "--max-time",
        "20",
    ]);
    curl.args(arguments).arg(url).stdout(Stdio::piped());
    curl
}

/// Goal: `serve` works under a real client, and SIGTERM ends it gracefully, endless answers too.
/// Method: ask it everything with `curl`.
#[test]
fn serve_answers_curl_and_ends_on_sigterm() {
    if curl(&["--version"], "").output().is_err() {
        println!("curl is not installed: `serve` is not tried with it");
        return;
    }
    let serve = Running::start(&mut Command::new(example("serve")));
    let address = serve.address.clone();
    let ask = |arguments: &[&str], path: &str| {
        let answer = curl(arguments, &format!("{address}{path}"))
            .output()
            .unwrap();
        assert!(answer.status.success(), "{path}: {answer:?}");
        String::from_utf8(answer.stdout).unwrap()
    };
    assert_eq!(ask(&[], "/"), "hello from tenter\n");
    assert!(ask(&[], "/json").contains("\"message\":\"hello from tenter\""));
    assert_eq!(ask(&[], "/sleep/20"), "slept 20 ms\n");
    let refused = ask(&["--write-out", "%{http_code}"], "/sleep/60001");
    assert!(
        refused.contains("60000 at most") && refused.ends_with("400"),
        "{refused}"
    );
    assert!(ask(&[], "/metrics").contains("\ntenter_alive_tasks "));

    let mut events = curl(&[], &format!("{address}/sse")).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(events.stdout.as_mut().unwrap())
        .read_line(&mut first)
        .unwrap();
    assert_eq!(first, "event: tick\n");
    let report = serve.end();
    assert!(
        events.wait().unwrap().success(),
        "the endless answer ends properly"
    );
    assert!(report.contains("accepted 6 connections"), "{report}");
    // The endless answer hears of the end a moment before the server does, and may be over by then.
    assert!(
        ["drained 1, dropped 0", "drained 0, dropped 0"]
            .iter()
            .any(|end| report.contains(end)),
        "{report}"
    );
}

/// Goal: `echo` sends back what it gets, to several clients at once.
#[test]
fn echo_sends_back_what_it_gets() {
    let echo = Running::start(&mut Command::new(example("echo")));
    let clients: Vec<TcpStream> = (0..10).map(|_| connect(&echo)).collect();
    for (number, mut client) in clients.iter().enumerate() {
        write!(client, "client {number}").unwrap();
    }
    for (number, mut client) in clients.iter().enumerate() {
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, format!("client {number}"));
    }
}

/// Goal: the short example says what its comment promises.
#[test]
fn hello_ends_by_itself() {
    let output = Command::new(example("hello")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert_eq!(
        text.lines()
            .filter(|line| line.ends_with("is done"))
            .count(),
        4,
        "{text}"
    );
    assert!(text.ends_with("the sleep timed out after 50ms\n"), "{text}");
}

/// Goal: a wrong argument and a port in use are refused with one sentence and the status 2.
#[test]
fn a_wrong_argument_and_a_port_in_use_are_refused() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().port().to_string();
    let neither = [
        "`http` is neither a port nor an address",
        "give a port (8080)",
    ];
    let in_use = ["cannot listen on 127.0.0.1:", "give another port"];
    for name in ["serve", "echo"] {
        for (argument, parts) in [("http", neither), (&*taken, in_use)] {
            let output = Command::new(example(name)).arg(argument).output().unwrap();
            let text = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{name} {argument}: {text}");
            assert!(text.starts_with(&format!("{name}: ")), "{text}");
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }
}

/// Goal: a server without room for another connection serves those that it has, does not spin, and
/// goes on when there is room again.
/// Method: `serve` with 40 descriptors and 61 clients.
#[test]
fn a_server_out_of_descriptors_survives() {
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -n 40 && exec \"$0\""])
        .arg(example("serve"));
    let serve = Running::start(&mut limited);
    let first = connect(&serve);
    ask(&first);
    let mut crowd: Vec<TcpStream> = (0..60).map(|_| connect(&serve)).collect();
    for _ in 0..10 {
        ask(&first);
    }
    // The last of them waits in the backlog, and is served when the others have left.
    let last = crowd.pop().unwrap();
    drop(crowd);
    ask(&last);
    drop((first, last));
    let report = serve.end();
    assert!(report.contains("accepted 61 connections"), "{report}");
    let failed = report.split("survived ").nth(1).expect("accepts failed");
    let failed: u32 = failed.split(' ').next().unwrap().parse().unwrap();
    // The first pause is 5 ms, and they double: this is minutes of them.
    assert!((1..1_000).contains(&failed), "{report}");
}

fn connect(running: &Running) -> TcpStream {
    let stream = TcpStream::connect_timeout(&running.socket_address(), HANG).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream
}

/// Asks `serve` for its greeting.
fn ask(mut stream: &TcpStream) {
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n")
        .unwrap();
    let mut answer = [0; 1024];
    let count = stream.read(&mut answer).unwrap();
    assert!(
        answer[..count].starts_with(b"HTTP/1.1 200"),
        "{}",
        answer[..count].escape_ascii()
    );
}

/// Goal: `file_copy` copies as a whole or not at all, and says what is wrong.
#[test]
fn file_copy_copies_and_names_what_is_wrong() {
    let folder = std::env::temp_dir().join(format!("tenter-file-copy-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let (from, to) = (folder.join("from"), folder.join("to"));
    let bytes: Vec<u8> = (0..3_000_000_u32)
        .map(|index| (index % 251) as u8)
        .collect();
    std::fs::write(&from, &bytes).unwrap();
    let run = |arguments: &[&std::path::Path]| {
        let ran = Command::new(example("file_copy")).args(arguments).output();
        let ran = ran.unwrap();
        let text = String::from_utf8_lossy(&ran.stderr).into_owned();
        (ran.status.code(), text, ran.stdout)
    };
    let (status, progress, said) = run(&[&from, &to]);
    assert_eq!(status, Some(0), "{progress}");
    assert!(progress.ends_with("100 %\n"), "{progress}");
    assert!(said.starts_with(b"3000000 bytes copied to "));
    assert!(std::fs::read(&to).unwrap() == bytes);

    let (status, text, _) = run(&[&from, &to]);
    assert!(
        status == Some(1) && text.contains("/to`: File exists"),
        "{text}"
    );
    let (status, text, _) = run(&[&folder.join("none"), &folder.join("new")]);
    assert!(
        status == Some(1) && text.contains("/none`: No such file"),
        "{text}"
    );
    // A folder can be opened, and not read: what was made of it is removed again.
    let (status, text, _) = run(&[&folder, &folder.join("new")]);
    assert!(
        status == Some(1) && text.contains("Is a directory"),
        "{text}"
    );
    assert!(!folder.join("new").exists(), "nothing is left in parts");
    let (status, text, _) = run(&[&from]);
    assert!(status == Some(2) && text.contains("FROM TO"), "{text}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Goal: what ctrl-c interrupts is not left in parts either.
/// Method: the source is a pipe, which has no end as long as it is held open.
#[test]
fn file_copy_leaves_nothing_after_ctrl_c() {
    let folder = std::env::temp_dir().join(format!("tenter-interrupted-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let (from, to) = (folder.join("from"), folder.join("to"));
    let made = Command::new("mkfifo").arg(&from).status().unwrap();
    assert!(made.success());
    let mut command = Command::new(example("file_copy"));
    command
        .args([&from, &to])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // Whoever runs the tests in the background may have had ctrl-c ignored, which is inherited.
    // SAFETY: nothing but the number of a signal goes in, and no handler.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
    let mut child = command.spawn().unwrap();
    // Waits until the copy has opened it.
    let mut source = std::fs::File::create(&from).unwrap();
    // Far more than fits into a pipe, so it is being copied.
    source.write_all(&vec![7; 1 << 20]).unwrap();
    assert!(to.exists());
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let began = std::time::Instant::now();
    while to.exists() && began.elapsed() < HANG {
        std::thread::yield_now();
    }
    assert!(!to.exists(), "removed before the source has ended");
    drop(source);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Goal: `run_commands` puts a number before each line, ends what takes too long, and says how each
/// command ended.
#[test]
fn run_commands_numbers_lines_and_keeps_limits() {
    let output = Command::new(example("run_commands"))
        .args(["--at-once", "3", "--limit", "1"])
        .args([
            "echo one; printf two; exit 3",
            "echo bad >&2",
            "sleep 60 & wait",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "[1] one",
        "[1] two",
        "[1] ended: exit status: 3",
        "[2] bad",
        "[2] ended: exit status: 0",
        "[3] was ended after 1s",
    ] {
        let times = text.lines().filter(|other| *other == line).count();
        assert_eq!(times, 1, "{line}:\n{text}");
    }
    assert_eq!(output.status.code(), Some(1));
}

/// Goal: ctrl-c asks what runs to end, lets it, and starts no more.
#[test]
fn run_commands_ends_on_ctrl_c() {
    let polite = "trap 'echo bye; exit' TERM; echo ready; sleep 60 & wait";
    let mut command = Command::new(example("run_commands"));
    command.args(["--at-once", "1", "--limit", "1000", polite, "echo never"]);
    let mut running = Running::start(&mut command);
    assert_eq!(running.address, "[1] ready");
    kill_process(Pid::from_child(&running.child), Signal::INT).unwrap();
    let mut rest = String::new();
    running.output.read_to_string(&mut rest).unwrap();
    assert_eq!(running.child.wait().unwrap().code(), Some(1));
    let mut lines: Vec<&str> = rest.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["[1] bye", "[1] was stopped", "[2] was not started"]);
}

/// Goal: a wrong argument of `run_commands` is refused with one sentence and the status 2.
#[test]
fn run_commands_refuses_wrong_arguments() {
    for (arguments, reason) in [
        (&["--at-once", "0"][..], "`0` is no number of commands"),
        (&["--limit"], "`` is no number of seconds"),
        (&["--fast"], "there is no option `--fast`"),
    ] {
        let output = Command::new(example("run_commands"))
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(
            text.starts_with("run_commands: ") && text.contains(reason),
            "{text}"
        );
        assert!(text.contains("usage: run_commands"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

/// What an example without arguments prints.
fn output(name: &str) -> String {
    let output = Command::new(example(name)).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {text}{error}");
    text
}

/// Goal: `scraper` fetches every page once, in the order of its list, and says what failed.
#[test]
fn scraper_tells_the_length_of_every_page() {
    let pages = (1..=8).map(|number| format!("page{number}: {number}000 characters\n"));
    let failed = "missing: 404 Not Found\nendless: no answer in time\n";
    let end = "never more than 3 at a time: true\n";
    let expected = pages.collect::<String>() + failed + end;
    assert_eq!(output("scraper"), expected);
}

/// Goal: the reader that keeps up sees all ticks of `ticker_feed`, the other one the last four.
#[test]
fn ticker_feed_tells_who_missed_what() {
    let ticks = |from: u32| {
        let tick = |second| {
            format!(
                "  second {second}: {:.2}\n",
                100.0 + f64::from(second) / 4.0
            )
        };
        (from..=10).map(tick).collect::<String>()
    };
    let (all, last) = (ticks(1), ticks(7));
    let expected = format!("the fast reader:\n{all}the busy reader:\n  missed 6 ticks\n{last}");
    assert_eq!(output("ticker_feed"), expected);
}

/// Goal: no reading of `iot_collect` is lost or counted twice, and those given up are counted.
#[test]
fn iot_collect_accounts_for_every_reading() {
    let line = |sensor: u32, mean: &str, highest: &str, missed: u32| {
        let count = 20 - missed;
        format!(
            "sensor {sensor}: {count} readings, {mean} degrees on average, {highest} at most, \
             {missed} missed\n"
        )
    };
    let expected = [
        line(1, "22.05", "23.00", 0),
        line(2, "23.05", "24.00", 0),
        line(3, "24.00", "24.90", 2),
        line(4, "25.05", "26.00", 0),
        line(5, "26.05", "27.00", 0),
    ];
    assert_eq!(output("iot_collect"), expected.concat());
}

/// Goal: every line of `pipeline` goes through all stages, and the end of one ends the next.
#[test]
fn pipeline_loses_nothing_and_ends() {
    let sum: u64 = (1..=1_000)
        .filter(|number| number % 250 != 0)
        .map(|number| number * number)
        .sum();
    let expected = format!(
        "1000 lines were read\n1000 lines were worked on\nthe sum is {sum}, and 4 lines were \
         wrong: `not a number`: invalid digit found in string\n"
    );
    assert_eq!(output("pipeline"), expected);
}

/// Goal: `pool` uses connections again, and throws away what was dropped or has died.
#[test]
fn pool_uses_again_only_what_is_whole() {
    let expected = "\
        connection 1: one -> ONE\n\
        connection 1: two -> TWO\n\
        connections 1 and 2 are in use\n\
        a third is not to be had: timed out after 20ms, all connections are in use\n\
        connection 2: the request timed out after 20ms, and takes it with it\n\
        connection 1: three -> THREE\n\
        connection 1: bye -> BYE\n\
        connection 3: four -> FOUR, after a health check\n";
    assert_eq!(output("pool"), expected);
}

/// Goal: in `guest`, tasks and the handlers of a window's events take turns on one thread, and the window ends
/// when the guest has.
#[test]
fn guest_shows_its_tasks_in_the_loop_of_a_window() {
    let text = output("guest");
    let lines: Vec<&str> = text.lines().collect();
    let expected = [
        "label: counting",
        "label: the sum is 500000500000",
        "pressed: greet",
        "label: hello",
        "pressed: close",
    ];
    assert_eq!(lines[..5], expected, "{text}");
    assert!(
        lines[5].starts_with("done: ") && lines[5].contains("the window was closed"),
        "{text}"
    );
    assert_eq!(lines[6..], ["the label says: hello"], "{text}");
}

/// Goal: `cookbook` lists its programs, runs those that it is asked for, one after the other, and names
/// what it does not have.
#[test]
fn cookbook_lists_and_runs_its_programs() {
    let list = output("cookbook");
    assert_eq!(list.lines().count(), 28 + 16);
    assert!(list.starts_with("p01  a line, a second, another line\n"));

    let run = |ids: &[&str]| {
        Command::new(example("cookbook"))
            .args(ids)
            .output()
            .unwrap()
    };
    let ran = run(&["P07", "f03", "p24", "f06"]);
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{said}");
    let start = "<!doctype html>\n<html>\n<head><title>Example Domain</title></head>\n<body>\n<h1>";
    let expected = [
        "Asyncio Run Example\nstarted\nit made 42\n",
        start,
        "Example Domain</h1>\n<p>\nBlocking operation\n",
    ];
    assert_eq!(said, expected.concat());

    let refused = run(&["p07", "p29"]);
    assert_eq!(
        (refused.status.code(), refused.stdout),
        (Some(2), Vec::new())
    );
    let reason = String::from_utf8(refused.stderr).unwrap();
    assert!(reason.contains("no program `p29`"), "{reason}");
}
