//! `iperf3` through a proxy, both ways.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use tenter::io::copy_bidirectional;
use tenter::net::{Connection, ServeOptions, TcpListener, TcpStream, serve};
use tenter_tests::support::assert_says;

use crate::support::{Running, has, run, runtime};

/// Goal: `iperf3` is content with a proxy in between, in either direction and on several connections
/// at a time.
#[test]
fn iperf3_works_through_a_proxy() {
    if !has("iperf3", "--version") {
        return;
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let upstream = free.local_addr().expect("bound");
    drop(free);
    let mut command = Command::new("iperf3");
    let port = upstream.port().to_string();
    command.args([
        "--server",
        "--forceflush",
        "--bind",
        "127.0.0.1",
        "--port",
        &port,
    ]);
    let mut iperf3 = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::null()));
    let mut told = BufReader::new(iperf3.0.stdout.take().expect("piped"));
    until_it_listens(&mut told);
    let runtime = runtime();
    let (server, address) = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let carry = move |mut connection: Connection<TcpStream, SocketAddr>| async move {
            let mut upstream = TcpStream::connect(upstream).await.expect("it listens");
            // Its end of a test is not always a clean one.
            let _ = copy_bidirectional(&mut connection.stream, &mut upstream).await;
        };
        (serve(listener, carry, ServeOptions::new()), address)
    });
    for direction in [&[][..], &["--reverse"]] {
        let mut client = Command::new("iperf3");
        client.args([
            "--client",
            "127.0.0.1",
            "--port",
            &address.port().to_string(),
        ]);
        client
            .args(["--bytes", "256M", "--parallel", "2", "--json"])
            .args(direction);
        let output = run(&mut client, b"");
        let text = String::from_utf8_lossy(&output.stdout);
        assert_says(&text, &["\"sum_received\""]);
        // Its end overtakes what is in the buffers of the other connections, which it leaves out.
        assert!(received(&text) >= 128 << 20, "{text}");
        // It does one test at a time.
        until_it_listens(&mut told);
    }
    server.abort();
    let report = runtime
        .block_on(server.closed())
        .expect("closed on request");
    // In each direction a connection for control, and two for data.
    assert_eq!((report.accepted, report.panicked), (6, 0), "{report}");
}

/// Reads on until the server says that it is ready.
fn until_it_listens(told: &mut impl BufRead) {
    let mut line = String::new();
    while !line.contains("listening") {
        line.clear();
        let count = told.read_line(&mut line).expect("it tells");
        assert!(count > 0, "iperf3 has ended");
    }
}

/// How many bytes arrived.
fn received(report: &str) -> u64 {
    let sum = report
        .split("\"sum_received\"")
        .nth(1)
        .expect("there is a sum");
    let bytes = sum.split("\"bytes\":").nth(1).expect("of bytes");
    let digits: String = bytes
        .trim_start()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().expect("a number")
}
