//! Sockets of other kinds, idle connections, and files.

use super::{Figure, How, RUNTIMES, Rounds, Row, TIME, Unit, row};
use crate::machine;
use crate::measure::{Sample, from_a_task, in_a_task};
use crate::operation::{connected_pair, io};
use crate::peer::Peer;

pub(in crate::row) const ROWS: &[Row] = &[
    row!(Child "mt_udp_ping_pong",
        "two tasks exchange 64 bytes by UDP; a round trip",
        TIME, RUNTIMES, P, size => from_a_task::<P, _>(size.of(20_000), io::udp_ping_pong::<P>)),
    row!(Child "mt_unix_echo",
        "two tasks exchange 64 bytes by a Unix stream; a round trip",
        TIME, RUNTIMES, P, size => from_a_task::<P, _>(size.of(20_000), io::unix_echo::<P>)),
    row!(FreshChild "mt_idle_connection",
        "5 000 connections, each with a task that waits to read into 64 bytes: memory of one",
        &[Figure::of("resident", Unit::Bytes)],
        RUNTIMES, P, _size => idle_connection::<P>()),
    row!(Child "mt_small_files",
        "a task reads files of 1 KiB, one after another; a file",
        TIME, RUNTIMES, P, size => from_a_task::<P, _>(size.of(8_000), io::small_files::<P>)),
    row!(Child "mt_file_copy",
        "a task copies a file of 16 MiB through reader and writer; a file",
        TIME, RUNTIMES, P, size => from_a_task::<P, _>(size.of(16), io::file_copy::<P>)),
];

/// The kernel's side of a connection is not counted.
fn idle_connection<P: Peer>() -> Sample {
    const CONNECTIONS: usize = 5_000;
    machine::raise_file_limit();
    let resident = || machine::resident_bytes().unwrap_or(0) as f64;
    in_a_task::<P, _>(async move {
        wait_on::<P>(&mut vec![connected_pair().0]).await;
        let (mut near, _far): (Vec<_>, Vec<_>) = (0..CONNECTIONS).map(|_| connected_pair()).unzip();
        let before = resident();
        wait_on::<P>(&mut near).await;
        vec![(resident() - before) / CONNECTIONS as f64]
    })
}

/// Gives each socket a task, and returns when all of them wait.
async fn wait_on<P: Peer>(sockets: &mut Vec<std::net::TcpStream>) {
    for socket in sockets.drain(..) {
        let mut stream = P::stream(socket);
        P::spawn_detached(async move {
            let mut buffer = [0; 64];
            // The other end is silent.
            let _ = P::read(&mut stream, &mut buffer).await;
        });
        P::spawn(async {}).await;
    }
}
