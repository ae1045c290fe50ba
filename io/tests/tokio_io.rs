//! The traits of `tokio::io` on the streams of tenter, used by what was written for tokio.
#![cfg(feature = "tokio-io")]

mod hostile;
mod rig;

use std::io::IoSlice;

use hostile::{Random, RoughReader, RoughWriter, both};
use rig::Rig;
use tenter_io::net::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, TcpStream, UnixStream, WriteHalf};
use tenter_io::{BufReader, Compat, DuplexStream, duplex, join, split};
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional,
};

on_every_backend! {
    sockets_are_streams_of_tokio,
    halves_are_streams_of_tokio,
    unix_sockets_are_streams_of_tokio,
}

fn sockets_are_streams_of_tokio(rig: &mut Rig) {
    let (mut client, mut near) = rig.pair();
    let (mut far, mut server) = rig.pair();
    let mut random = Random::new(3);
    let (there, back) = (random.bytes(1_000_000), random.bytes(1_000_000));
    rig.block_on(async {
        let proxy = copy_bidirectional(&mut near, &mut far);
        let (mut request, mut answer) = (Vec::new(), Vec::new());
        let client = async {
            let (mut reading, mut writing) = tokio::io::split(&mut client);
            let write = async {
                writing.write_all(&there).await?;
                writing.shutdown().await
            };
            both(write, reading.read_to_end(&mut answer)).await
        };
        let server = async {
            server.read_to_end(&mut request).await?;
            let parts = [IoSlice::new(&back[..7]), IoSlice::new(&back[7..])];
            assert!(server.is_write_vectored());
            let count = server.write_vectored(&parts).await?;
            assert!(count > 7, "one call for both");
            server.write_all(&back[count..]).await?;
            AsyncWriteExt::shutdown(&mut server).await
        };
        let (counts, ((sent, received), served)) = both(proxy, both(client, server)).await;
        sent.expect("sent");
        received.expect("received");
        served.expect("served");
        let lengths = (there.len() as u64, back.len() as u64);
        assert_eq!(counts.expect("both ended"), lengths);
        assert!(request == there && answer == back);
    });
}

fn halves_are_streams_of_tokio(rig: &mut Rig) {
    let (mut client, server) = rig.pair();
    rig.block_on(async {
        let (mut read, mut write) = server.into_split();
        let (mut client_read, mut client_write) = client.split();
        client_write.write_all(b"ping").await.expect("sent");
        // Into memory that nobody has initialised.
        let mut buffer = Vec::with_capacity(64);
        let count = read.read_buf(&mut buffer).await.expect("received");
        assert_eq!((count, &buffer[..]), (4, &b"ping"[..]));
        write.write_all(b"pong").await.expect("sent");
        write.shutdown().await.expect("closed");
        client_read
            .read_to_end(&mut buffer)
            .await
            .expect("and the end");
        assert_eq!(buffer, b"pingpong");
    });
}

fn unix_sockets_are_streams_of_tokio(rig: &mut Rig) {
    rig.block_on(async {
        let (mut near, mut far) = UnixStream::pair().expect("a pair");
        near.write_all(b"near").await.expect("sent");
        AsyncWriteExt::shutdown(&mut near).await.expect("closed");
        let mut received = String::new();
        far.read_to_string(&mut received)
            .await
            .expect("and the end");
        assert_eq!(received, "near");
    });
}

#[test]
fn streams_in_memory_are_streams_of_tokio() {
    Rig::Fallback.block_on(async {
        let (mut near, far) = duplex(5);
        let (mut read, mut write) = split(far);
        let data = Random::new(1).bytes(1000);
        let mut received = Vec::new();
        let sent = async {
            write.write_all(&data).await?;
            write.shutdown().await
        };
        let (sent, count) = both(sent, near.read_to_end(&mut received)).await;
        sent.expect("sent");
        assert_eq!(count.expect("received"), data.len());
        assert_eq!(received, data);
        near.write_all(b"back").await.expect("room");
        let mut buffer = [0; 4];
        read.read_exact(&mut buffer).await.expect("there");
        assert_eq!(&buffer, b"back");
    });
}

#[test]
fn any_stream_is_carried_over_in_both_directions() {
    Rig::Fallback.block_on(async {
        for seed in 0..100 {
            let data = Random::new(seed).letters(60, b"ab\n");
            // futures-io to tokio.
            let reader = BufReader::with_capacity(5, RoughReader::new(&data, seed));
            let mut reader = Compat::new(reader);
            let mut all = Vec::new();
            while reader.read_until(b'\n', &mut all).await.expect("read") > 0 {}
            assert_eq!(all, data);
            let mut stream = Compat::new(join(
                BufReader::new(&data[..]),
                tenter_io::BufWriter::new(RoughWriter::new(seed)),
            ));
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.expect("read");
            stream.write_all(&all).await.expect("written");
            stream.shutdown().await.expect("closed");
            assert_eq!(stream.get_ref().writer().get_ref().written, data);
            assert!(stream.into_inner().writer().get_ref().closed);

            // tokio to futures-io.
            let (near, far) = tokio::io::duplex(7);
            let (mut near, mut far) = (Compat::new(near), Compat::new(far));
            let mut received = Vec::new();
            let mut source = &data[..];
            let sent = async {
                tenter_io::copy(&mut source, &mut near).await?;
                tenter_io::AsyncWriteExt::close(&mut near).await
            };
            let read = tenter_io::AsyncReadExt::read_to_end(&mut far, &mut received);
            let (sent, read) = both(sent, read).await;
            sent.expect("sent");
            assert_eq!(read.expect("received"), data.len());
            assert_eq!(received, data);
            let mut buffered = Compat::new(tokio::io::BufReader::new(&data[..]));
            let mut line = Vec::new();
            let wait = tenter_io::AsyncBufReadExt::read_until(&mut buffered, b'\n', &mut line);
            wait.await.expect("a line");
            assert!(data.starts_with(&line));
        }
    });
}

#[test]
fn every_stream_has_the_traits() {
    fn reads<T: AsyncRead + Unpin>() {}
    fn writes<T: AsyncWrite + Unpin>() {}
    reads::<TcpStream>();
    writes::<TcpStream>();
    reads::<ReadHalf<'_>>();
    writes::<WriteHalf<'_>>();
    reads::<OwnedReadHalf>();
    writes::<OwnedWriteHalf>();
    reads::<UnixStream>();
    writes::<UnixStream>();
    reads::<OwnedReadHalf<std::os::unix::net::UnixStream>>();
    writes::<OwnedWriteHalf<std::os::unix::net::UnixStream>>();
    reads::<DuplexStream>();
    writes::<DuplexStream>();
    reads::<tenter_io::ReadHalf<DuplexStream>>();
    writes::<tenter_io::WriteHalf<DuplexStream>>();
}
