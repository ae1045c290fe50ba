//! Standard input, output and error, each in a process of its own.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::process::{Child, Command, Stdio, exit};

use tenter::Builder;
use tenter::io::{AsyncReadExt, AsyncWriteExt, stderr, stdin, stdout};
use tenter_tests::support::{alone_with, assert_says, build, every, foreign_block_on, poll_once};

/// The exit status of a child in which all was as it should be: the test harness prints nothing then.
const GOOD: i32 = 42;

/// A child whose streams are pipes.
fn piped(command: &mut Command) {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
}

/// The text of both streams of a child that was good.
fn end(child: Child) -> (String, String) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(GOOD), "{out}\n{err}");
    (out, err)
}

/// Those lines that begin so, without their beginning.
fn lines<'a>(text: &'a str, beginning: &str) -> Vec<&'a str> {
    let lines = text.lines();
    lines
        .filter_map(|line| line.strip_prefix(beginning))
        .collect()
}

#[test]
fn what_was_accepted_is_written_before_run_returns() {
    let name = "what_was_accepted_is_written_before_run_returns";
    let judge = |child| {
        let (out, err) = end(child);
        for flavour in 0..4 {
            let expected: Vec<String> = (0..2_000).map(|line| line.to_string()).collect();
            assert!(lines(&out, &format!("out {flavour} ")) == expected, "{out}");
            assert!(lines(&err, &format!("err {flavour} ")) == expected, "{err}");
        }
    };
    if !alone_with(name, piped, judge) {
        return;
    }
    let write = async |flavour: usize| {
        let (mut out, mut err) = (stdout(), stderr());
        for line in 0..2_000 {
            out.write_all(format!("out {flavour} {line}\n").as_bytes())
                .await
                .unwrap();
            err.write_all(format!("err {flavour} {line}\n").as_bytes())
                .await
                .unwrap();
        }
    };
    println!();
    tenter::run(write(0));
    for (number, builder) in [
        (1, Builder::current_thread()),
        (2, Builder::deterministic(3)),
        (3, Builder::multi_thread().workers(2)),
    ] {
        let runtime = builder.build().unwrap();
        runtime.block_on(write(number));
        drop(runtime);
    }
    exit(GOOD);
}

/// Goal: whoever writes, by whatever way, lines come whole and in the order of their writer.
#[test]
fn lines_of_many_writers_stay_whole_and_in_order() {
    let name = "lines_of_many_writers_stay_whole_and_in_order";
    let judge = |child| {
        let (out, _) = end(child);
        let mut next = [0; 5];
        for line in lines(&out, "line ") {
            let mut words = line.split(' ');
            let writer: usize = words.next().unwrap().parse().expect("a whole line");
            let number: usize = words.next().unwrap().parse().expect("a whole line");
            assert_eq!(words.next().unwrap(), "x".repeat(number % 90), "{line}");
            assert_eq!(number, next[writer], "of writer {writer}");
            next[writer] += 1;
        }
        assert_eq!(next, [2_000; 5]);
    };
    if !alone_with(name, piped, judge) {
        return;
    }
    println!();
    let line = |writer: usize, number: usize| {
        format!("line {writer} {number} {}\n", "x".repeat(number % 90))
    };
    tenter::run(async {
        let tasks: Vec<_> = (0..4)
            .map(|writer| {
                tenter::spawn(async move {
                    for number in 0..2_000 {
                        stdout()
                            .write_all(line(writer, number).as_bytes())
                            .await
                            .unwrap();
                    }
                })
            })
            .collect();
        let printer = tenter::spawn_blocking(move || {
            for number in 0..2_000 {
                print!("{}", line(4, number));
            }
        });
        for task in tasks {
            task.await.unwrap();
        }
        printer.await.unwrap();
        stdout().flush().await.unwrap();
    });
    exit(GOOD);
}

/// Goal: a flush waits for what was accepted before it, not for those who never stop writing; and one that
/// has more to write than others is not passed over for ever.
#[test]
fn a_flush_ends_though_others_go_on_writing() {
    let name = "a_flush_ends_though_others_go_on_writing";
    let judge = |mut child: Child| {
        let mut bytes = Vec::new();
        let mut out = child.stdout.take().unwrap();
        std::io::Read::read_to_end(&mut out, &mut bytes).unwrap();
        end(child);
        let long = vec![b'L'; 200_000];
        assert!(bytes.windows(long.len()).any(|window| window == long));
    };
    if !alone_with(name, piped, judge) {
        return;
    }
    every(|builder| {
        build(builder).block_on(async {
            for _ in 0..2 {
                drop(tenter::spawn(async {
                    loop {
                        stdout().write_all(&[b'.'; 10_000]).await.unwrap();
                    }
                }));
            }
            for _ in 0..20 {
                stdout().write_all(&[b'L'; 200_000]).await.unwrap();
                stdout().flush().await.unwrap();
            }
        });
    });
    exit(GOOD);
}

#[test]
fn a_broken_pipe_is_an_error_of_the_flush() {
    let name = "a_broken_pipe_is_an_error_of_the_flush";
    let judge = |mut child: Child| {
        // The child says when it is there.
        let mut out = BufReader::new(child.stdout.take().unwrap());
        while !{
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            line.contains("ready")
        } {}
        drop(out);
        child.stdin.take().unwrap().write_all(b"closed\n").unwrap();
        let (_, err) = end(child);
        assert_says(
            &err,
            &["cannot write to standard output: 5 bytes", "os error 32"],
        );
    };
    if !alone_with(name, piped, judge) {
        return;
    }
    println!("\nready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    // Another test's child may hold the reading end for a moment, between its fork and its exec.
    let flushed = async || loop {
        let mut out = stdout();
        out.write_all(b"text\n").await.expect("it is accepted");
        if let Err(error) = out.flush().await {
            return error;
        }
    };
    every(move |builder| {
        let error = build(builder).block_on(flushed());
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        eprintln!("{error}");
    });
    let error = foreign_block_on(flushed());
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    exit(GOOD);
}

#[test]
fn a_full_disk_that_nobody_is_told_of_is_a_line_on_standard_error() {
    let name = "a_full_disk_that_nobody_is_told_of_is_a_line_on_standard_error";
    let judge = |child| {
        let (_, err) = end(child);
        let told = lines(&err, "tenter: cannot write to standard output: ");
        assert_eq!(told.len(), 1, "{err}");
        assert_says(told[0], &["5 bytes", "os error 28", "flush or close"]);
    };
    if !alone_with(name, piped, judge) {
        return;
    }
    // Not from the beginning: the test harness writes too.
    let full = File::options().write(true).open("/dev/full").unwrap();
    rustix::stdio::dup2_stdout(full).unwrap();
    tenter::run(async {
        stdout().write_all(b"text\n").await.expect("it is accepted");
    });
    exit(GOOD);
}

/// Goal: a read that was dropped loses no byte that is typed later; standard input is not changed for
/// others.
#[test]
fn a_dropped_read_loses_nothing() {
    let name = "a_dropped_read_loses_nothing";
    let judge = |mut child: Child| {
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut input = child.stdin.take().unwrap();
        for round in 0..5 {
            while !{
                let mut line = String::new();
                assert!(out.read_line(&mut line).unwrap() > 0, "it has ended");
                line.contains("now type")
            } {}
            writeln!(input, "typed {round}").unwrap();
        }
        drop(input);
        end(child);
    };
    if !alone_with(name, piped, judge) {
        return;
    }
    let round = async |round: usize| {
        {
            let mut input = stdin();
            let mut buffer = [0; 64];
            let read = &mut pin!(input.read(&mut buffer));
            let polled = poll_once(read);
            assert!(polled.is_pending(), "nobody types before that: {polled:?}");
        }
        println!("now type");
        let mut seen = Vec::new();
        // Byte by byte, by a handle each.
        while seen.last() != Some(&b'\n') {
            let mut byte = [0];
            stdin().read_exact(&mut byte).await.unwrap();
            seen.push(byte[0]);
        }
        assert_eq!(seen, format!("typed {round}\n").as_bytes());
    };
    println!();
    for (number, builder) in [
        Builder::current_thread(),
        Builder::deterministic(1),
        Builder::multi_thread().workers(1),
        Builder::multi_thread().workers(2),
    ]
    .into_iter()
    .enumerate()
    {
        builder.build().unwrap().block_on(round(number));
    }
    foreign_block_on(round(4));
    let mut rest = Vec::new();
    foreign_block_on(stdin().read_to_end(&mut rest)).unwrap();
    assert!(rest.is_empty(), "the end");
    for stream in [std::io::stdin().as_fd(), std::io::stdout().as_fd()] {
        let flags = rustix::fs::fcntl_getfl(stream).unwrap();
        assert!(
            !flags.contains(rustix::fs::OFlags::NONBLOCK),
            "shared with others"
        );
    }
    exit(GOOD);
}

/// Goal: tokio #589, #2318: a read that waits holds up neither the end of a runtime nor that of the
/// process.
#[test]
fn tokio_589_a_read_that_waits_holds_nothing_up() {
    let name = "tokio_589_a_read_that_waits_holds_nothing_up";
    let judge = |mut child: Child| {
        let input = child.stdin.take();
        end(child);
        drop(input);
    };
    if !alone_with(name, piped, judge) {
        return;
    }
    every(|builder| {
        // Were a thread waited for, then for ever.
        let runtime = build(builder.shutdown_timeout(std::time::Duration::MAX));
        runtime.block_on(async {
            drop(tenter::spawn(async { stdin().read(&mut [0; 10]).await }));
            let mut buffer = [0; 10];
            let mut input = stdin();
            assert!(poll_once(&mut pin!(input.read(&mut buffer))).is_pending());
        });
        drop(runtime);
    });
    exit(GOOD);
}

#[test]
fn input_is_read_from_files_pipes_sockets_and_nothing() {
    let name = "input_is_read_from_files_pipes_sockets_and_nothing";
    let text = "one line and another\n".repeat(20_000);
    let path = std::env::temp_dir().join(format!("tenter-stdin-{}", std::process::id()));
    let is_child = std::env::var("TENTER_TEST_ALONE").is_ok();
    let length = if is_child { 0 } else { text.len() };
    for (source, length) in [
        ("file", length),
        ("pipe", length),
        ("socket", length),
        ("null", 0),
    ] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let arrange = |command: &mut Command| {
            std::fs::write(&path, &text).unwrap();
            piped(command);
            command.env("LENGTH", length.to_string());
            match source {
                "file" => command.stdin(File::open(&path).unwrap()),
                "socket" => command.stdin(OwnedFd::from(theirs)),
                "null" => command.stdin(Stdio::null()),
                _ => command.stdin(Stdio::piped()),
            };
        };
        let judge = |mut child: Child| {
            let input = child.stdin.take();
            let writer = std::thread::spawn({
                let text = text.clone();
                move || match source {
                    "pipe" => input.unwrap().write_all(text.as_bytes()).unwrap(),
                    "socket" => {
                        (&ours).write_all(text.as_bytes()).unwrap();
                        ours.shutdown(std::net::Shutdown::Write).unwrap();
                    }
                    _ => {}
                }
            });
            end(child);
            writer.join().unwrap();
        };
        if alone_with(name, arrange, judge) {
            let length: usize = std::env::var("LENGTH").unwrap().parse().unwrap();
            tenter::run(async {
                // What the standard library has read ahead comes first.
                let mut read = String::new();
                if length > 0 {
                    std::io::stdin().read_line(&mut read).unwrap();
                }
                let mut input = stdin();
                let mut bytes = read.into_bytes();
                input.read_to_end(&mut bytes).await.unwrap();
                assert_eq!(bytes.len(), length);
                assert!(bytes == text.as_bytes()[..length]);
                assert_eq!(input.read(&mut [0; 4]).await.unwrap(), 0, "the end stays");
            });
            exit(GOOD);
        }
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn an_error_of_standard_input_is_told_with_its_name() {
    let name = "an_error_of_standard_input_is_told_with_its_name";
    let folder = |command: &mut Command| {
        piped(command);
        command.stdin(File::open("/").unwrap());
    };
    if !alone_with(name, folder, |child| drop(end(child))) {
        return;
    }
    tenter::run(async {
        for _ in 0..2 {
            let error = stdin().read(&mut [0; 4]).await.unwrap_err();
            assert_says(
                &error.to_string(),
                &["cannot read standard input", "os error 21"],
            );
            assert_eq!(error.kind(), ErrorKind::IsADirectory);
        }
        assert!(!stdin().is_terminal());
        assert!(!stdout().is_terminal());
    });
    exit(GOOD);
}

#[test]
fn auto_traits() {
    fn send_sync_unpin<T: Send + Sync + Unpin>() {}
    send_sync_unpin::<tenter::io::Stdin>();
    send_sync_unpin::<tenter::io::Stdout>();
    send_sync_unpin::<tenter::io::Stderr>();
    assert!(format!("{:?} {:?}", stdin(), stdout()).contains("Std"));
}
