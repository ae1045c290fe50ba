//! The load: one thread, one epoll, a number of connections that each have one request in flight.
//!
//! It belongs to no runtime, so every peer is loaded by the same client. Requests are fixed, and so
//! are responses: their length is learned from one exchange.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::epoll;

pub use self::churn::Churn;

mod churn;

/// More than a response has, so that one that is too long is seen.
const BUFFER: usize = 32 * 1024;

/// Connections to one server.
#[derive(Debug)]
pub struct Load {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    request: Vec<u8>,
    response: usize,
    buffer: Vec<u8>,
}

/// What came of a number of requests.
#[derive(Debug)]
pub struct Answered {
    /// From the first request to the last response.
    pub wall: Duration,
    /// Nanoseconds from each request to its response.
    pub latencies: Vec<f64>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// When the request was sent that is answered next.
    sent: Instant,
    /// Bytes of the response that have not arrived.
    missing: usize,
}

impl Load {
    /// Connects, and exchanges one `request` on the first connection to learn how long its response
    /// is: `end` says so once it has seen enough of it.
    pub fn connect(
        address: &str,
        connections: usize,
        request: &[u8],
        end: fn(&[u8]) -> Option<usize>,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut all = Vec::with_capacity(connections);
        for index in 0..connections {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&epoll, &stream, data, epoll::EventFlags::IN)?;
            all.push(Connection {
                stream,
                sent: Instant::now(),
                missing: 0,
            });
        }
        let response = exchange(&mut all[0].stream, request, end)?;
        for connection in &all {
            connection.stream.set_nonblocking(true)?;
        }
        Ok(Self {
            epoll,
            connections: all,
            request: request.to_vec(),
            response,
            buffer: vec![0; BUFFER],
        })
    }

    /// Sends `requests` requests over all connections together, and returns when the last response
    /// has arrived.
    pub fn run(&mut self, requests: u64) -> io::Result<Answered> {
        let mut latencies = Vec::with_capacity(requests as usize);
        let started = Instant::now();
        let mut unsent = requests;
        let mut unanswered = requests;
        for connection in &mut self.connections {
            if unsent > 0 {
                connection.send(&self.request, self.response)?;
                unsent -= 1;
            }
        }
        let mut events = Vec::with_capacity(self.connections.len());
        while unanswered > 0 {
            events.clear();
            epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                None,
            )?;
            for event in &events {
                let connection = &mut self.connections[event.data.u64() as usize];
                if connection.receive(&mut self.buffer)? {
                    unanswered -= 1;
                    latencies.push(connection.sent.elapsed().as_nanos() as f64);
                    if unsent > 0 {
                        connection.send(&self.request, self.response)?;
                        unsent -= 1;
                    }
                }
            }
        }
        Ok(Answered {
            wall: started.elapsed(),
            latencies,
        })
    }
}

impl Connection {
    fn send(&mut self, request: &[u8], response: usize) -> io::Result<()> {
        self.sent = Instant::now();
        // A request is far smaller than the socket's buffer, which is empty: it is taken whole.
        self.stream.write_all(request)?;
        self.missing = response;
        Ok(())
    }

    /// Whether the response is complete.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        match self.stream.read(buffer) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) if length <= self.missing => {
                self.missing -= length;
                Ok(self.missing == 0)
            }
            Ok(_) => Err(io::Error::other("the server sent more than one response")),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn exchange(
    stream: &mut TcpStream,
    request: &[u8],
    end: fn(&[u8]) -> Option<usize>,
) -> io::Result<usize> {
    stream.write_all(request)?;
    let mut response = Vec::new();
    loop {
        if let Some(length) = end(&response) {
            if response.len() >= length {
                return Ok(length);
            }
        }
        let mut buffer = [0; 1024];
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Err(io::Error::other("the server hung up on the first request"));
        }
        response.extend_from_slice(&buffer[..length]);
    }
}

/// The request of the HTTP rows.
pub const HTTP_REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// The length of an HTTP/1 response with a `content-length`, once its head has arrived.
pub fn http_length(response: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(response).ok()?;
    let (head, _) = text.split_once("\r\n\r\n")?;
    let body = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    })?;
    Some(head.len() + 4 + body)
}

#[cfg(test)]
mod tests {
    use super::http_length;

    #[test]
    fn a_response_is_as_long_as_its_head_and_its_body() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n";
        assert_eq!(http_length(head), Some(head.len() + 13));
        assert_eq!(http_length(b"HTTP/1.1 200 OK\r\nContent-Le"), None);
    }
}
