//! Taking connections.

mod rig;

use std::io;
use std::pin::Pin;

use rig::{Rig, join_all, poll_once};
use tenter_io::net::{TcpListener, TcpStream};
use tenter_io::{AsyncReadExt, AsyncWriteExt};

on_every_backend! {
    several_tasks_accept_from_one_listener,
    incoming_goes_on_for_ever,
    a_connection_that_was_reset_before_it_is_accepted_stops_nobody,
    a_dropped_accept_loses_no_connection,
    a_listener_goes_to_the_standard_library_and_back,
}

fn several_tasks_accept_from_one_listener(rig: &mut Rig) {
    rig.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let mut futures: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> = Vec::new();
        for _ in 0..10 {
            futures.push(Box::pin(async {
                let (mut stream, _) = listener.accept().await.expect("accepted");
                stream.write_all(b"!").await.expect("written");
            }));
        }
        for _ in 0..10 {
            futures.push(Box::pin(async move {
                let mut stream = TcpStream::connect(address).await.expect("connected");
                stream.read_exact(&mut [0]).await.expect("served");
            }));
        }
        join_all(futures).await;
    });
}

fn incoming_goes_on_for_ever(rig: &mut Rig) {
    rig.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut incoming = listener.incoming();
        assert!(poll_once(Box::pin(incoming.next()).as_mut()).is_pending());
        for _ in 0..5 {
            let client = std::net::TcpStream::connect(address)?;
            let server = incoming.next().await?;
            assert_eq!(server.peer_addr()?, client.local_addr()?);
        }
        io::Result::Ok(())
    })
    .expect("no error");
}

/// Fault 26, as far as this system shows it: the connection is accepted, its first read says it.
fn a_connection_that_was_reset_before_it_is_accepted_stops_nobody(rig: &mut Rig) {
    rig.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        for _ in 0..10 {
            let reset = std::net::TcpStream::connect(address)?;
            socket2::SockRef::from(&reset).set_linger(Some(std::time::Duration::ZERO))?;
            drop(reset);
        }
        let mut well = TcpStream::connect(address).await?;
        let marker = well.local_addr()?;
        loop {
            let (mut stream, peer) = listener.accept().await?;
            if peer == marker {
                stream.write_all(b"!").await?;
                well.read_exact(&mut [0]).await?;
                break;
            }
            let error = stream.read(&mut [0]).await.expect_err("it was reset");
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
        assert_eq!(listener.aborted_count(), 0);
        io::Result::Ok(())
    })
    .expect("no error");
}

fn a_dropped_accept_loses_no_connection(rig: &mut Rig) {
    rig.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = std::net::TcpStream::connect(listener.local_addr()?)?;
        // Created, never polled; and polled by a task that then gives up.
        drop(listener.accept());
        let other = TcpListener::bind("127.0.0.1:0").await?;
        assert!(poll_once(Box::pin(other.accept()).as_mut()).is_pending());
        let (_, peer) = listener.accept().await?;
        assert_eq!(peer, client.local_addr()?);
        let client = std::net::TcpStream::connect(other.local_addr()?)?;
        let (_, peer) = other.accept().await?;
        assert_eq!(peer, client.local_addr()?);
        io::Result::Ok(())
    })
    .expect("no error");
}

fn a_listener_goes_to_the_standard_library_and_back(rig: &mut Rig) {
    let listener = rig
        .block_on(TcpListener::bind(("127.0.0.1", 0)))
        .expect("a port");
    listener.set_ttl(40).expect("set");
    assert_eq!(listener.ttl().expect("get"), 40);
    assert!(listener.take_error().expect("get").is_none());
    assert!(format!("{listener:?}").contains("TcpListener"));
    let address = listener.local_addr().expect("bound");
    let listener = std::net::TcpListener::from(listener);
    assert_eq!(listener.local_addr().expect("bound"), address);
    let error = listener.accept().expect_err("it stays non-blocking");
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    let _entered = rig.enter();
    let listener = TcpListener::try_from(listener).expect("back");
    let _client = std::net::TcpStream::connect(address).expect("connected");
    rig.block_on(listener.accept()).expect("accepted");
}

#[test]
fn an_address_can_be_bound_again_while_old_connections_time_out() {
    let mut rig = Rig::new(tenter_io::Backend::Best);
    rig.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let client = TcpStream::connect(address).await?;
        let (server, _) = listener.accept().await?;
        // The side that closes first is the one that keeps the port.
        drop(server);
        drop((client, listener));
        TcpListener::bind(address).await?;
        io::Result::Ok(())
    })
    .expect("no error");
}
