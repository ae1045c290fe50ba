//! Python's asyncio streams, as a client and as a server.

use std::io::{BufRead, BufReader};
use std::net::Shutdown;
use std::process::{Command, Stdio};

use tenter::io::{AsyncReadExt, AsyncWriteExt};
use tenter::net::TcpStream;

use crate::support::{LARGE, Running, Server, bytes, has, run, runtime};

fn python(script: &str) -> Command {
    let mut python = Command::new("python3");
    python.args(["-c", script]);
    python
}

/// Goal: a hundred clients at a time, each with messages of many sizes, and one with 64 MiB: all
/// get back what they sent, and the end when they have ended.
const CLIENT: &str = r#"
import asyncio, hashlib, os, sys

port = int(sys.argv[1])

async def ask(reader, writer, data):
    async def send():
        for start in range(0, len(data), 65536):
            writer.write(data[start:start + 65536])
            await writer.drain()
    sending = asyncio.create_task(send())
    answer = hashlib.sha256()
    left = len(data)
    while left:
        part = await reader.read(min(left, 1 << 20))
        assert part, "the stream ended too early"
        answer.update(part)
        left -= len(part)
    await sending
    assert answer.digest() == hashlib.sha256(data).digest(), "other bytes came back"

async def client(sizes):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for size in sizes:
        await ask(reader, writer, os.urandom(size))
    writer.write(b"last words")
    writer.write_eof()
    assert await reader.read() == b"last words"
    writer.close()
    await writer.wait_closed()

async def breaker():
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"x" * 100000)
    writer.transport.abort()

async def main():
    await asyncio.gather(*(client([1, 2, 1000, number, 70000]) for number in range(1, 101)))
    await asyncio.gather(*(breaker() for _ in range(20)))
    await client([64 << 20])
    print("done")

asyncio.run(main())
"#;

#[test]
fn clients_of_asyncio_get_back_what_they_sent() {
    if !has("python3", "--version") {
        return;
    }
    let server = Server::echo();
    let output = run(python(CLIENT).arg(server.port()), b"");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "done");
    server.end(121);
}

/// The first line that a client sends says what it wants.
const SERVER: &str = r#"
import asyncio, socket, struct, sys

async def serve(reader, writer):
    wish = await reader.readline()
    if wish == b"echo\n":
        while part := await reader.read(1 << 16):
            writer.write(part)
            await writer.drain()
        writer.write_eof()
    elif wish == b"you last\n":
        # Ends first, and hears the rest.
        writer.write(b"over to you")
        writer.write_eof()
        heard = await reader.read()
        print(len(heard), flush=True)
    elif wish == b"abort\n":
        peer = writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return
    writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"#;

/// Goal: a server of asyncio gets what is sent, 64 MiB too, half-closes go both ways, and what it
/// breaks off is an error here.
#[test]
fn a_server_of_asyncio_gets_what_is_sent() {
    if !has("python3", "--version") {
        return;
    }
    let mut server = Running::start(python(SERVER).stdout(Stdio::piped()));
    let mut told = BufReader::new(server.0.stdout.take().expect("piped"));
    let mut line = String::new();
    told.read_line(&mut line).expect("it tells its port");
    let port: u16 = line.trim().parse().expect("a number");
    let connect = || TcpStream::connect(("127.0.0.1", port));
    runtime().block_on(async {
        let mut stream = connect().await.expect("it listens");
        stream.write_all(b"echo\n").await.expect("sent");
        let (mut reader, mut writer) = stream.into_split();
        let data = bytes(LARGE);
        let sent = data.clone();
        let sending = tenter::spawn(async move {
            writer.write_all(&sent).await.expect("sent");
            writer.close().await.expect("the end is sent");
        });
        let mut answer = Vec::new();
        reader.read_to_end(&mut answer).await.expect("it answers");
        sending.await.expect("no panic");
        assert!(
            answer == data,
            "{} of {LARGE} bytes came back",
            answer.len()
        );

        let mut stream = connect().await.expect("it listens");
        stream.write_all(b"you last\n").await.expect("sent");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .await
            .expect("it answers");
        assert_eq!(answer, "over to you");
        stream
            .write_all(&data[..1_000_000])
            .await
            .expect("this side is open");
        stream.shutdown(Shutdown::Write).expect("connected");

        let mut stream = connect().await.expect("it listens");
        stream.write_all(b"abort\n").await.expect("sent");
        let broken = stream
            .read_to_end(&mut Vec::new())
            .await
            .expect_err("broken off");
        assert_eq!(broken.kind(), std::io::ErrorKind::ConnectionReset);
    });
    line.clear();
    told.read_line(&mut line).expect("it tells what it heard");
    assert_eq!(line, "1000000\n");
}
