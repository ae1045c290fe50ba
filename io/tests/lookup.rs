//! Host names.

mod rig;

use std::io;
use std::task::Poll;

use rig::{Rig, poll_once};
use tenter_io::net::{TcpListener, TcpStream, lookup_host};

#[test]
fn a_name_is_looked_up_off_the_thread_and_found() {
    for mut rig in [Rig::new(tenter_io::Backend::Best), Rig::Fallback] {
        rig.block_on(async {
            let listener = TcpListener::bind("localhost:0").await?;
            let port = listener.local_addr()?.port();
            let by_text = TcpStream::connect(format!("localhost:{port}")).await?;
            let by_pair = TcpStream::connect(("localhost", port)).await?;
            assert_eq!(by_text.peer_addr()?, by_pair.peer_addr()?);
            io::Result::Ok(())
        })
        .expect("localhost");
    }
}

/// An address that holds only on one interface, whose name stands behind it (RFC 4007).
#[cfg(target_os = "linux")]
#[test]
fn the_name_of_a_zone_is_looked_up() {
    let mut rig = Rig::new(tenter_io::Backend::Best);
    rig.block_on(async {
        for found in [
            lookup_host("[fe80::1%lo]:80").await?,
            lookup_host(("fe80::1%lo", 80)).await?,
        ] {
            let [std::net::SocketAddr::V6(address)] = found[..] else {
                panic!("{found:?}");
            };
            assert_eq!((address.scope_id(), address.port()), (1, 80));
        }
        io::Result::Ok(())
    })
    .expect("every Linux has `lo`");
}

#[test]
fn a_name_that_does_not_exist_is_named_in_the_error() {
    let mut rig = Rig::new(tenter_io::Backend::Best);
    let connect = TcpStream::connect("no-such-host.invalid:80");
    let error = rig.block_on(connect).expect_err("reserved for this");
    assert!(
        error.to_string().contains("`no-such-host.invalid`"),
        "{error}"
    );
    let bind = TcpListener::bind("not an address");
    let error = rig.block_on(bind).expect_err("no port");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn a_lookup_that_is_dropped_leaves_nothing() {
    let rig = Rig::new(tenter_io::Backend::Best);
    let _entered = rig.enter();
    for _ in 0..20 {
        let mut connect = Box::pin(TcpStream::connect("localhost:1"));
        // Pending, unless the answer was very quick; nobody listens there either way.
        assert!(!matches!(poll_once(connect.as_mut()), Poll::Ready(Ok(_))));
    }
    assert_eq!(rig.handle().sources(), 0);
}

#[test]
fn hosts_are_looked_up_and_numeric_addresses_are_their_own_answer() {
    let mut rig = Rig::new(tenter_io::Backend::Best);
    rig.block_on(async {
        let addresses = lookup_host("localhost:80").await?;
        assert!(!addresses.is_empty());
        for address in addresses {
            assert!(address.ip().is_loopback() && address.port() == 80);
        }
        let several = [([127, 0, 0, 1], 1).into(), ([127, 0, 0, 2], 2).into()];
        let answer = poll_once(std::pin::pin!(lookup_host(&several)));
        assert!(matches!(answer, Poll::Ready(Ok(same)) if same == several));
        let error = lookup_host("no-such-host.invalid:1").await.expect_err("no");
        assert!(error.to_string().contains("no-such-host.invalid"));
        io::Result::Ok(())
    })
    .expect("localhost");
}
