//! `socat`, as a client over TCP and over a Unix socket, and as a server.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use tenter::io::{AsyncReadExt, AsyncWriteExt};
use tenter::net::{TcpStream, UnixListener};

use crate::support::{File, LARGE, Running, Server, bytes, echo_at, has, run, runtime};

/// `socat` from its standard streams to `address`. It waits long for the answer after its end.
fn to(address: &str) -> Command {
    let mut socat = Command::new("socat");
    socat.args(["-t", "60", "STDIO", address]);
    socat
}

/// Goal: what goes in at one end and is half-closed comes out at the other, all of it.
#[test]
fn what_socat_sends_comes_back() {
    if !has("socat", "-V") {
        return;
    }
    let server = Server::echo();
    let address = format!("TCP4:127.0.0.1:{}", server.port());
    for size in [0, 1, 100_000, LARGE] {
        let data = bytes(size);
        let output = run(&mut to(&address), &data);
        assert!(
            output.stdout == data,
            "{} of {size} bytes came back",
            output.stdout.len()
        );
    }
    server.end(4);
}

#[test]
fn what_socat_sends_over_a_unix_socket_comes_back() {
    if !has("socat", "-V") {
        return;
    }
    let file = File::new("socat.socket", b"");
    std::fs::remove_file(&file.0).expect("it was made");
    let runtime = runtime();
    let server =
        runtime.block_on(async { echo_at(UnixListener::bind(&file.0).expect("the path is free")) });
    let address = format!("UNIX-CONNECT:{}", file.0.display());
    for size in [0, 1, 100_000, LARGE] {
        let data = bytes(size);
        let output = run(&mut to(&address), &data);
        assert!(
            output.stdout == data,
            "{} of {size} bytes came back",
            output.stdout.len()
        );
    }
    server.close();
    let report = runtime
        .block_on(server.closed())
        .expect("closed on request");
    assert_eq!(report.completed, 4);
}

/// Goal: as a server it gets all, and its end is seen.
#[test]
fn what_is_sent_to_socat_comes_back() {
    if !has("socat", "-V") {
        return;
    }
    let mut command = Command::new("socat");
    command.args([
        "-d",
        "-d",
        "-t",
        "60",
        "TCP4-LISTEN:0,bind=127.0.0.1,fork",
        "EXEC:cat",
    ]);
    let mut socat = Running::start(command.stderr(Stdio::piped()));
    let mut told = BufReader::new(socat.0.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("listening on") {
        line.clear();
        let count = told.read_line(&mut line).expect("it tells");
        assert!(count > 0, "socat ended without listening");
    }
    // What it tells further must not fill the pipe.
    let rest = std::thread::spawn(move || told.lines().for_each(drop));
    let port = line.trim().rsplit(':').next().expect("an address");
    let address = format!("127.0.0.1:{port}");
    runtime().block_on(async {
        for size in [0, 1, 100_000, LARGE] {
            let stream = TcpStream::connect(&*address).await.expect("it listens");
            let (mut reader, mut writer) = stream.into_split();
            let data = bytes(size);
            let sent = data.clone();
            let sending = tenter::spawn(async move {
                writer.write_all(&sent).await.expect("sent");
                writer.close().await.expect("the end is sent");
            });
            let mut answer = Vec::new();
            reader.read_to_end(&mut answer).await.expect("it answers");
            sending.await.expect("no panic");
            assert!(answer == data, "{} of {size} bytes came back", answer.len());
        }
    });
    drop(socat);
    rest.join().expect("no panic");
}
