//! Datagrams of Unix sockets.

mod rig;

use std::io;
use std::net::Shutdown;
use std::pin::{Pin, pin};

use rig::folder::Folder;
use rig::{Rig, join_all, poll_once};
use tenter_io::net::UnixDatagram;

on_every_backend! {
    datagrams_name_their_sender,
    a_connected_datagram_socket_waits_for_its_receiver,
    any_datagram_socket_waits_for_its_receiver,
}

fn datagrams_name_their_sender(rig: &mut Rig) {
    let folder = Folder::new();
    let (one_path, two_path) = (folder.path("one"), folder.path("two"));
    rig.block_on(async {
        let one = UnixDatagram::bind(&one_path)?;
        let two = UnixDatagram::bind(&two_path)?;
        let mut buffer = [0; 64];
        assert_eq!(one.send_to(b"named", &two_path).await?, 5);
        let (count, from) = two.recv_from(&mut buffer).await?;
        assert_eq!(&buffer[..count], b"named");
        assert_eq!(from.as_pathname(), Some(&*one_path));
        assert_eq!(two.try_send_to(b"back", &from)?, 4);
        one.connect(&two_path)?;
        assert_eq!(one.peer_addr()?.as_pathname(), Some(&*two_path));
        assert_eq!(one.recv(&mut buffer).await?, 4);
        // Empty ones are messages too, and one without a name has none to tell.
        let unnamed = UnixDatagram::unbound()?;
        unnamed.connect(&two_path)?;
        unnamed.send(b"").await?;
        let (count, from) = two.peek_from(&mut buffer).await?;
        assert!(count == 0 && from.is_unnamed());
        let (count, from) = two.recv_from(&mut buffer).await?;
        assert!(count == 0 && from.is_unnamed());
        let error = one
            .send_to(b"", folder.path("nobody"))
            .await
            .expect_err("no such file");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let error = one.send_to(b"", "a\0b").await.expect_err("no name");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let (here, there) = UnixDatagram::pair()?;
        here.send(b"pair").await?;
        assert_eq!(there.recv(&mut buffer).await?, 4);
        here.shutdown(Shutdown::Write)?;
        let error = here.send(b"more").await.expect_err("shut down");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        io::Result::Ok(())
    })
    .expect("datagrams");
}

/// Sends more than the receiver has room for, while it takes one after the other.
async fn floods(sent: Vec<Pin<Box<dyn Future<Output = usize> + '_>>>, receiver: &UnixDatagram) {
    let count = sent.len();
    let mut futures: Vec<Pin<Box<dyn Future<Output = usize> + '_>>> = Vec::new();
    futures.push(Box::pin(async {
        for future in sent {
            assert_eq!(future.await, 2);
        }
        0
    }));
    futures.push(Box::pin(async {
        for number in 0..count {
            let mut buffer = [0; 2];
            assert_eq!(receiver.recv(&mut buffer).await.expect("received"), 2);
            assert_eq!(usize::from(u16::from_be_bytes(buffer)), number);
        }
        0
    }));
    join_all(futures).await;
}

fn a_connected_datagram_socket_waits_for_its_receiver(rig: &mut Rig) {
    let bodies: Vec<[u8; 2]> = (0..2_000_u16).map(u16::to_be_bytes).collect();
    rig.block_on(async {
        let (one, two) = UnixDatagram::pair().expect("a pair");
        let one = &one;
        let sent = bodies
            .iter()
            .map(|body| -> Pin<Box<dyn Future<Output = usize> + '_>> {
                Box::pin(async move { one.send(body).await.expect("sent") })
            });
        floods(sent.collect(), &two).await;
    });
}

/// The two are not connected: the system does not tell when the receiver has room again.
fn any_datagram_socket_waits_for_its_receiver(rig: &mut Rig) {
    let folder = Folder::new();
    let path = &folder.path("busy");
    let bodies: Vec<[u8; 2]> = (0..100_u16).map(u16::to_be_bytes).collect();
    rig.block_on(async {
        let two = UnixDatagram::bind(path).expect("bound");
        let one = &UnixDatagram::unbound().expect("a socket");
        // It does fill up, and that is not taken for a lack of room on this side.
        let mut filled = 0;
        while one.try_send_to(b"full", path).is_ok() {
            filled += 1;
        }
        assert!(poll_once(pin!(one.writable())).is_ready());
        let mut buffer = [0; 4];
        for _ in 0..filled {
            two.recv(&mut buffer).await.expect("received");
        }
        let sent = bodies
            .iter()
            .map(|body| -> Pin<Box<dyn Future<Output = usize> + '_>> {
                Box::pin(async move { one.send_to(body, path).await.expect("sent") })
            });
        floods(sent.collect(), &two).await;
    });
}
