//! An echo server without a runtime: one thread, one epoll, level-triggered. What a runtime adds is what
//! it is slower than this.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use rustix::event::epoll;

/// The key of the listener; connections have their place.
const LISTENER: u64 = u64::MAX;

/// Echoes on every connection of `listener`, for ever.
pub fn echo(listener: TcpListener, buffer: usize) -> io::Result<()> {
    let poller = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let data = epoll::EventData::new_u64(LISTENER);
    epoll::add(&poller, &listener, data, epoll::EventFlags::IN)?;
    let mut connections: Vec<Option<TcpStream>> = Vec::new();
    let mut free = Vec::new();
    let mut buffer = vec![0; buffer];
    let mut events = Vec::with_capacity(1024);
    loop {
        events.clear();
        epoll::wait(&poller, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in &events {
            if event.data.u64() == LISTENER {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                let place = free.pop().unwrap_or(connections.len());
                let data = epoll::EventData::new_u64(place as u64);
                epoll::add(&poller, &stream, data, epoll::EventFlags::IN)?;
                if place == connections.len() {
                    connections.push(None);
                }
                connections[place] = Some(stream);
                continue;
            }
            let place = event.data.u64() as usize;
            let Some(stream) = &mut connections[place] else {
                continue;
            };
            match stream.read(&mut buffer) {
                Ok(count @ 1..) => stream.write_all(&buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => {
                    connections[place] = None;
                    free.push(place);
                }
            }
        }
    }
}
