//! A server to be talked to, and programs to talk.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use tenter::io::copy;
use tenter::net::{
    Connection, Listener, ServeOptions, ServerHandle, TcpListener, TcpStream, serve,
};
use tenter::{Builder, Runtime};

/// What a large transfer is.
pub const LARGE: usize = 64 << 20;

/// Whether a program is there. If not, a line says so.
pub fn has(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    command
        .arg(argument)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let is_there = command.status().is_ok();
    if !is_there {
        println!("{program} is not installed: nothing is tried with it");
    }
    is_there
}

/// Bytes that show when one is lost, doubled or moved.
pub fn bytes(length: usize) -> Vec<u8> {
    let mut word = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A file that is removed in the end.
pub struct File(pub PathBuf);

impl File {
    pub fn new(name: &str, content: &[u8]) -> File {
        let name = format!("tenter-foreign-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).expect("there is room");
        File(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A server on workers of its own.
pub struct Server {
    pub runtime: Runtime,
    pub address: SocketAddr,
    pub handle: ServerHandle,
}

impl Server {
    /// Sends back what it gets, and ends when the client does.
    pub fn echo() -> Server {
        let runtime = runtime();
        let (handle, address) = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("bound");
            (echo_at(listener), address)
        });
        Server {
            runtime,
            address,
            handle,
        }
    }

    pub fn port(&self) -> String {
        self.address.port().to_string()
    }

    /// Ends the server; so many connections have ended.
    pub fn end(self, connections: u64) {
        self.handle.close();
        let report = self.runtime.block_on(self.handle.closed());
        let report = report.expect("closed on request");
        assert_eq!(
            (report.accepted, report.completed),
            (connections, connections),
            "{report}"
        );
    }
}

pub fn runtime() -> Runtime {
    Builder::multi_thread()
        .workers(2)
        .build()
        .expect("nothing is refused")
}

/// An echo server at any listener.
pub fn echo_at<L>(listener: L) -> ServerHandle
where
    L: Listener,
    L::Stream: Echo,
{
    let handler = |connection: Connection<L::Stream, L::Address>| connection.stream.echo();
    serve(listener, handler, ServeOptions::new())
}

/// Streams that can be copied to themselves.
pub trait Echo {
    fn echo(self) -> impl Future<Output = ()> + Send + 'static;
}

impl Echo for TcpStream {
    async fn echo(self) {
        let (mut reader, mut writer) = self.into_split();
        // A peer that breaks off is no failure of the server.
        let _ = copy(&mut reader, &mut writer).await;
    }
}

impl Echo for tenter::net::UnixStream {
    async fn echo(self) {
        let (mut reader, mut writer) = self.into_split();
        let _ = copy(&mut reader, &mut writer).await;
    }
}

/// A program that is killed if the test fails.
pub struct Running(pub Child);

impl Running {
    pub fn start(command: &mut Command) -> Running {
        Running(command.spawn().expect("it was there before"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a program to its end, with `input`. It must succeed.
pub fn run(command: &mut Command, input: &[u8]) -> Output {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("it was there before");
    let mut stdin = child.stdin.take().expect("piped");
    let output = thread::scope(|scope| {
        scope.spawn(move || {
            // A program that ends early says why.
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().expect("it ends")
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    output
}
