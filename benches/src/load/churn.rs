//! Connections that come, ask once and go: connect, one byte each way, close.
//!
//! The client closes first, so that the ports in TIME_WAIT are its own. It has many addresses, each with
//! ports of its own: `127.x.y.1`, all of which are this machine.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::event::epoll;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use super::Answered;

/// Addresses that take turns: 16 384 of them have far more ports than a minute has connections.
const ADDRESSES: u32 = 1 << 14;

/// So many connections at a time to one server.
#[derive(Debug)]
pub struct Churn {
    epoll: OwnedFd,
    server: SocketAddr,
    places: Vec<Option<(TcpStream, Instant)>>,
    opened: u32,
}

impl Churn {
    /// Connects nothing yet.
    pub fn new(server: &str, places: usize) -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            server: server.parse().map_err(io::Error::other)?,
            places: (0..places).map(|_| None).collect(),
            opened: 0,
        })
    }

    /// Makes `connections` connections, and returns when the last one has had its answer.
    pub fn run(&mut self, connections: u64) -> io::Result<Answered> {
        let mut latencies = Vec::with_capacity(connections as usize);
        let started = Instant::now();
        let mut unopened = connections;
        for place in 0..self.places.len() {
            if unopened > 0 {
                self.open(place)?;
                unopened -= 1;
            }
        }
        let mut events = Vec::with_capacity(self.places.len());
        while (latencies.len() as u64) < connections {
            events.clear();
            epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                None,
            )?;
            for event in &events {
                let place = event.data.u64() as usize;
                let Some((mut stream, began)) = self.places[place].take() else {
                    return Err(io::Error::other("an answer to nobody"));
                };
                stream.read_exact(&mut [0])?;
                drop(stream);
                latencies.push(began.elapsed().as_nanos() as f64);
                if unopened > 0 {
                    self.open(place)?;
                    unopened -= 1;
                }
            }
        }
        Ok(Answered {
            wall: started.elapsed(),
            latencies,
        })
    }

    fn open(&mut self, place: usize) -> io::Result<()> {
        let began = Instant::now();
        let [_, _, high, low] = (self.opened % ADDRESSES).to_be_bytes();
        self.opened += 1;
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        bind(
            &socket,
            &SocketAddr::from((Ipv4Addr::new(127, 1 + high, low, 1), 0)),
        )?;
        // On the loopback the handshake is over when the call returns.
        connect(&socket, &self.server)?;
        let mut stream = TcpStream::from(socket);
        let data = epoll::EventData::new_u64(place as u64);
        epoll::add(&self.epoll, stream.as_fd(), data, epoll::EventFlags::IN)?;
        stream.write_all(&[7])?;
        self.places[place] = Some((stream, began));
        Ok(())
    }
}
