//! The server in a thread, and a client over a plain socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use axum::Router;
use tenter::net::TcpListener;
use tenter::sync::oneshot;
use tenter_http::{Serve, ServeReport, serve};

/// Far more than any step takes, so that only a hang reaches it.
pub const HANG: Duration = Duration::from_secs(20);

/// A server in a thread, with a switch that ends it gracefully. Its runtime lives on until this is
/// dropped, so what ends before that was ended by the server.
pub struct Server {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    pub report: mpsc::Receiver<io::Result<ServeReport>>,
    _runtime: oneshot::Sender<()>,
}

impl Server {
    pub fn start(app: Router) -> Server {
        Server::configured(app, |serve| serve)
    }

    pub fn configured(
        app: Router,
        configure: impl FnOnce(Serve<Router>) -> Serve<Router> + Send + 'static,
    ) -> Server {
        let (stop, stopped) = oneshot::<()>();
        let (runtime, dropped) = oneshot::<()>();
        let (tell_address, address) = mpsc::channel();
        let (tell_report, report) = mpsc::channel();
        thread::spawn(move || {
            tenter::run(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell_address.send(listener.local_addr().unwrap()).unwrap();
                let signal = async move {
                    let _ = stopped.await;
                };
                let server = configure(serve(listener, app)).with_graceful_shutdown(signal);
                let _ = tell_report.send(server.await);
                let _ = dropped.await;
            });
        });
        let address = address.recv_timeout(HANG).unwrap();
        Server {
            address,
            stop: Some(stop),
            report,
            _runtime: runtime,
        }
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address).unwrap()
    }

    /// Asks for the end.
    pub fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Asks for the end and waits for it.
    pub fn finish(&mut self) -> ServeReport {
        self.stop();
        self.report
            .recv_timeout(HANG)
            .expect("the server ends")
            .expect("and without an error")
    }
}

/// A client that knows just enough HTTP.
pub struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> io::Result<Client> {
        let stream = TcpStream::connect_timeout(&address, HANG)?;
        stream.set_read_timeout(Some(HANG))?;
        stream.set_write_timeout(Some(HANG))?;
        Ok(Client {
            reader: BufReader::new(stream),
        })
    }

    pub fn socket(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    pub fn send(&self, text: &str) {
        self.socket().write_all(text.as_bytes()).unwrap();
    }

    pub fn ask(&self, path: &str) {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n"));
    }

    /// Reads a response with a content-length: its status and its body.
    pub fn answer(&mut self) -> io::Result<(u16, String)> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let status = line.split(' ').nth(1).unwrap_or_default().parse().unwrap();
        let mut length = 0;
        loop {
            line.clear();
            self.reader.read_line(&mut line)?;
            let line = line.trim_end().to_ascii_lowercase();
            match line.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap(),
                _ if line.is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok((status, String::from_utf8(body).unwrap()))
    }

    pub fn get(&mut self, path: &str) -> (u16, String) {
        self.ask(path);
        self.answer().unwrap()
    }

    /// Waits until the server has closed the connection.
    pub fn closed(&mut self) -> io::Result<()> {
        self.reader.read_to_end(&mut Vec::new()).map(drop)
    }

    /// Waits until the server has cut the connection off without an answer.
    pub fn cut_off(&mut self) {
        let error = self.answer().expect_err("no answer");
        let kinds = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
        assert!(kinds.contains(&error.kind()), "{error}");
    }
}

/// One connection of a server that answers as a test says.
pub struct Scripted {
    reader: BufReader<TcpStream>,
}

impl Scripted {
    /// Serves every connection in a thread of its own, with its number from 0. They end with the
    /// process.
    pub fn start(serve: impl Fn(usize, Scripted) + Clone + Send + 'static) -> SocketAddr {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (stream, serve) = (stream.unwrap(), serve.clone());
                stream.set_read_timeout(Some(HANG)).unwrap();
                let reader = BufReader::new(stream);
                thread::spawn(move || serve(number, Scripted { reader }));
            }
        });
        address
    }

    /// The head of the next request, or `None` when the client has closed the connection.
    pub fn request(&mut self) -> Option<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            match self.reader.read_line(&mut head) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => {
                    let is_reset = error.kind() == io::ErrorKind::ConnectionReset;
                    assert!(is_reset, "{error}");
                    return None;
                }
            }
        }
        Some(head)
    }

    pub fn answer(&mut self, bytes: impl AsRef<[u8]>) {
        self.reader.get_ref().write_all(bytes.as_ref()).unwrap();
    }

    /// An answer with a body of that text.
    pub fn text(&mut self, text: &str) {
        let length = text.len();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        self.answer(&(head + text));
    }
}
