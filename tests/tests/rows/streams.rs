//! A60, A62, A63, A65, A66: bytes from here to there.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::unix::net::UnixStream as StdUnixStream;

use tenter::gather;
use tenter::io::ext::{IncompleteRead, LimitOverrun};
use tenter::io::{Async, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, duplex};
use tenter::net::{TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream, lookup_host};
use tenter_tests::support::poll_once;

/// Goal: a connection is a stream in both directions; its end is that of the other's reading.
#[tenter::test]
async fn a60_a_connection_is_a_stream_both_ways() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let server = async {
        let (mut stream, _) = listener.accept().await.expect("somebody connects");
        let mut asked = String::new();
        stream.read_to_string(&mut asked).await.expect("to the end");
        stream.write_all(asked.to_uppercase().as_bytes()).await
    };
    let client = async {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.write_all(b"hello").await.expect("it reads");
        stream.close().await.expect("one direction");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map(|_| answer)
    };
    let (served, answer) = gather!(server, client).await;
    served.expect("the client reads");
    assert_eq!(answer.expect("an answer"), "HELLO");
}

/// Goal: all addresses are tried, and if none listens, the error tells of each.
#[tenter::test]
async fn a60_every_address_is_tried() {
    let listener = StdListener::bind("127.0.0.1:0").expect("a port");
    let listening = listener.local_addr().expect("bound");
    let silent = || {
        // Bound and not listening, so that nobody else gets the port.
        let socket = tenter::net::TcpSocket::new_v4().expect("a socket");
        socket
            .bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .expect("a port");
        (socket.local_addr().expect("bound"), socket)
    };
    let ((first, _first), (second, _second)) = (silent(), silent());
    let stream = TcpStream::connect(&[first, listening][..]).await;
    assert_eq!(
        stream.expect("one listens").peer_addr().expect("connected"),
        listening
    );
    let error = TcpStream::connect(&[first, second][..])
        .await
        .expect_err("none listens");
    let text = error.to_string();
    for address in [first, second] {
        assert!(text.contains(&address.to_string()), "{text}");
    }
}

/// Goal: a record that is too long is an error, and nothing of it is lost: the beginning is with the
/// caller, the rest in the reader.
#[tenter::test]
async fn a62_over_the_limit_nothing_is_lost() {
    let (mut writer, reader) = duplex(64);
    let mut reader = BufReader::new(reader);
    writer.write_all(b"1234567\nabc\n").await.expect("it reads");
    let mut line = String::new();
    let error = reader
        .read_line(&mut line)
        .limit(3)
        .await
        .expect_err("too long");
    assert_eq!(LimitOverrun::of(&error).expect("it says so").limit, 3);
    // Raise the limit, and go on. The end of the line does not count.
    reader
        .read_line(&mut line)
        .limit(7)
        .await
        .expect("long enough");
    assert_eq!(line, "1234567\n");
    line.clear();
    reader
        .read_line(&mut line)
        .limit(3)
        .await
        .expect("short enough");
    assert_eq!(line, "abc\n");
}

/// Goal: of several separators the one that ends first counts; an exact read that meets the end says how
/// far it came, and lines end with the stream.
#[tenter::test]
async fn a62_records_exact_reads_and_lines() {
    let mut bytes: &[u8] = b"ABCDEFG";
    let mut record = Vec::new();
    bytes
        .read_until(["DEF", "BCDE"], &mut record)
        .await
        .expect("there");
    assert_eq!((record.as_slice(), bytes), (&b"ABCDE"[..], &b"FG"[..]));

    let mut buffer = [0; 5];
    let error = bytes
        .read_exact(&mut buffer)
        .await
        .expect_err("two are left");
    let incomplete = IncompleteRead::of(&error).expect("it says so");
    assert_eq!((incomplete.read, incomplete.expected), (2, Some(5)));
    assert_eq!(&buffer[..2], b"FG");
    assert_eq!(bytes.read(&mut buffer).await.expect("the end"), 0);

    let mut lines = BufReader::new(&b"one\r\ntwo\nthree"[..]).lines();
    let mut seen = Vec::new();
    while let Some(line) = lines.next_line().await.expect("text") {
        seen.push(line);
    }
    assert_eq!(seen, ["one", "two", "three"]);
}

/// Goal: writing waits where the reader is slow, so there is nothing to drain.
#[tenter::test]
async fn a63_writing_waits_for_the_reader() {
    let (mut writer, mut reader) = duplex(4);
    let mut writing = Box::pin(async {
        writer.write_all(b"0123456789").await?;
        writer.close().await
    });
    assert!(poll_once(&mut writing).is_pending());
    let mut read = Vec::new();
    let (written, end) = gather!(writing, reader.read_to_end(&mut read)).await;
    written.expect("it was read");
    assert_eq!(end.expect("closed"), 10);
    assert_eq!(read, b"0123456789");
}

/// Goal: who writes to somebody who has gone gets an error, and not silence.
#[tenter::test]
async fn a63_writing_to_who_has_gone_is_an_error() {
    let (mut writer, reader) = duplex(4);
    drop(reader);
    let error = writer.write_all(b"anyone?").await.expect_err("nobody");
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

/// Goal: a socket with a name in the file system; the name goes with the listener.
#[tenter::test]
async fn a65_a_unix_socket_has_a_name_and_takes_it_along() {
    let path = std::env::temp_dir().join(format!("tenter-rows-{}", std::process::id()));
    let listener = UnixListener::bind(&path).expect("a free name");
    let server = async {
        let (mut stream, _) = listener.accept().await.expect("somebody connects");
        stream.write_all(b"hello").await
    };
    let client = async {
        let mut text = String::new();
        let mut stream = UnixStream::connect(&path).await.expect("it listens");
        stream.read_to_string(&mut text).await.map(|_| text)
    };
    let (served, text) = gather!(server, client).await;
    served.expect("it reads");
    assert_eq!(text.expect("to the end"), "hello");
    drop(listener);
    assert!(!path.exists());
    // One that was left behind by a process that died is in nobody's way.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a free name"));
    assert!(path.exists());
    let again = UnixListener::bind(&path).expect("nobody listens there");
    drop(again);
    assert!(!path.exists());
}

/// Goal: messages, each as a whole, with their sender.
#[tenter::test]
async fn a66_datagrams_keep_their_bounds() {
    let (one, other) = gather!(
        UdpSocket::bind("127.0.0.1:0"),
        UdpSocket::bind("127.0.0.1:0")
    )
    .await;
    let (one, other) = (one.expect("a port"), other.expect("a port"));
    let there = other.local_addr().expect("bound");
    for message in ["one", "two"] {
        one.send_to(message.as_bytes(), there).await.expect("short");
    }
    let mut buffer = [0; 64];
    for message in ["one", "two"] {
        let (count, from) = other.recv_from(&mut buffer).await.expect("sent");
        assert_eq!(&buffer[..count], message.as_bytes());
        assert_eq!(from, one.local_addr().expect("bound"));
    }
}

/// Goal: any descriptor that can be polled is waited for.
#[tenter::test]
async fn a66_any_descriptor_is_waited_for() {
    let (here, mut there) = StdUnixStream::pair().expect("two sockets");
    let here = Async::new(here).expect("it can be polled");
    let mut buffer = [0; 8];
    let reading = here.read_with(|mut socket| io::Read::read(&mut socket, &mut buffer));
    let mut reading = Box::pin(reading);
    assert!(poll_once(&mut reading).is_pending());
    io::Write::write_all(&mut there, b"now").expect("there is room");
    assert_eq!(reading.await.expect("no error"), 3);
    assert_eq!(&buffer[..3], b"now");
}

/// Goal: names are looked up off the threads that run tasks.
#[tenter::test]
async fn a66_names_are_looked_up() {
    let addresses = lookup_host("localhost:80")
        .await
        .expect("every machine has it");
    assert!(addresses.iter().all(|address| address.ip().is_loopback()));
    assert!(!addresses.is_empty());
}
