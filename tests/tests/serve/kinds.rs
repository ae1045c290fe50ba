//! Listeners of other kinds: several sockets at one address, and Unix sockets.

use std::io::ErrorKind;

use tenter::io::{AsyncReadExt, AsyncWriteExt};
use tenter::net::{
    Connection, ServeOptions, TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream, serve,
    serve_shards,
};
use tenter_tests::support::{assert_says, settle};

use crate::support::{converse, echo, listener, on_every, patient, refused, until};

/// A listener whose address may be shared.
fn shared_listener() -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuse_port(true).expect("Linux");
    let any = "127.0.0.1:0".parse().expect("an address");
    socket.bind(any).expect("a port");
    socket.listen(1024).expect("a listener")
}

/// Goal: all shards serve, count together, and end together.
#[test]
fn shards_are_one_server() {
    on_every(|| async {
        let listener = shared_listener();
        let address = listener.local_addr().expect("bound");
        let server = serve_shards(listener, 4, echo, patient()).expect("the port is shared");
        let mut clients = Vec::new();
        for number in 0..100 {
            let mut client = TcpStream::connect(address).await.expect("listens");
            converse(&mut client, &format!("number {number}")).await;
            clients.push(client);
        }
        assert_eq!(server.open_connections(), 100);
        server.close();
        refused(address).await;
        settle().await;
        assert!(!server.is_closed());
        for client in &mut clients {
            converse(client, "finishing").await;
        }
        drop(clients);
        let report = server.closed().await.expect("closed on request");
        assert_eq!((report.accepted, report.drained), (100, 100));
        TcpListener::bind(address)
            .await
            .expect("all shards are closed");
    });
}

/// Goal: the limit is dealt out, and never exceeded.
#[test]
fn shards_share_the_limit() {
    on_every(|| async {
        let listener = shared_listener();
        let address = listener.local_addr().expect("bound");
        let options = patient().max_connections(5);
        let server = serve_shards(listener, 2, echo, options).expect("the port is shared");
        let mut clients = Vec::new();
        for _ in 0..60 {
            clients.push(TcpStream::connect(address).await.expect("listens"));
        }
        // Of sixty clients each shard has more than its share, but for a chance of 2^-50.
        until("both are full", || server.open_connections() == 5).await;
        settle().await;
        assert_eq!(server.report().accepted, 5);
        drop(clients);
        until("the rest comes and goes", || {
            server.report().completed == 60
        })
        .await;
        server.close();
        assert_eq!(
            server.closed().await.expect("closed on request").accepted,
            60
        );
    });
}

#[test]
fn shards_that_cannot_be_are_refused() {
    on_every(|| async {
        let (unshared, address) = listener().await;
        let error = serve_shards(unshared, 3, echo, patient()).expect_err("not shared");
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let parts = [
            "cannot open shard 2 of 3 at",
            &address.to_string(),
            "set_reuse_port",
        ];
        assert_says(&error.to_string(), &parts);
        TcpListener::bind(address)
            .await
            .expect("the listener was closed");
        let none = serve_shards(shared_listener(), 0, echo, patient()).expect_err("nobody");
        assert_eq!(none.kind(), ErrorKind::InvalidInput);
        let options = ServeOptions::new().max_connections(2);
        let few = serve_shards(shared_listener(), 3, echo, options).expect_err("too few");
        assert_says(&few.to_string(), &["2 connections", "3 shards"]);
    });
}

/// Goal: what is true of TCP is true of Unix sockets; the path is free again.
#[test]
fn a_unix_socket_is_served() {
    on_every(|| async {
        let folder = std::env::temp_dir();
        let path = folder.join(format!("tenter-serve-{}.socket", std::process::id()));
        for _ in 0..2 {
            let listener = UnixListener::bind(&path).expect("the path is free");
            let handler = |mut connection: Connection<UnixStream, _>| async move {
                let mut text = String::new();
                let stream = &mut connection.stream;
                stream.read_to_string(&mut text).await.expect("text");
                stream
                    .write_all(text.as_bytes())
                    .await
                    .expect("the client is there");
            };
            let server = serve(listener, handler, patient().max_connections(2));
            for number in 0..5 {
                let mut client = UnixStream::connect(&path).await.expect("listens");
                let text = format!("number {number}");
                client.write_all(text.as_bytes()).await.expect("sent");
                client
                    .shutdown(std::net::Shutdown::Write)
                    .expect("connected");
                let mut answer = String::new();
                client.read_to_string(&mut answer).await.expect("text");
                assert_eq!(answer, text);
            }
            let debug = format!("{server:?}");
            assert_says(&debug, &[&path.display().to_string()]);
            server.close();
            let report = server.closed().await.expect("closed on request");
            assert_eq!((report.accepted, report.completed), (5, 5));
        }
    });
}
