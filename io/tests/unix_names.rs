//! Names of Unix sockets, and the files that they leave.

mod rig;

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net as std_unix;

use rig::Rig;
use rig::folder::Folder;
use tenter_io::AsyncWriteExt;
use tenter_io::net::{UnixDatagram, UnixListener, UnixStream};

on_every_backend! {
    abstract_names_are_in_no_file_system,
    a_peer_whose_path_fills_the_address_is_accepted,
}

#[cfg(target_os = "linux")]
fn abstract_names_are_in_no_file_system(rig: &mut Rig) {
    use std::os::linux::net::SocketAddrExt;
    rig.block_on(async {
        let folder = Folder::new();
        let name = folder.path("abstract").display().to_string();
        let listener = UnixListener::bind(format!("\0{name}"))?;
        let address = listener.local_addr()?;
        assert_eq!(address.as_abstract_name(), Some(name.as_bytes()));
        let client = UnixStream::connect(&address).await?;
        let (server, _) = listener.accept().await?;
        assert_eq!(
            server.local_addr()?.as_abstract_name(),
            Some(name.as_bytes())
        );
        // It is gone with its socket.
        drop((listener, client, server));
        let error = UnixStream::connect(address).await.expect_err("gone");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(error.to_string().contains(&name), "{error}");
        io::Result::Ok(())
    })
    .expect("abstract");
}

#[cfg(not(target_os = "linux"))]
fn abstract_names_are_in_no_file_system(_rig: &mut Rig) {
    let error = UnixListener::bind("\0name").expect_err("only on Linux");
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
}

/// A path of 108 bytes leaves no room for the zero byte that ends it. The system takes it all the
/// same, and says then that the address is one byte longer than any address is.
fn a_peer_whose_path_fills_the_address_is_accepted(rig: &mut Rig) {
    let folder = Folder::new();
    let full = |first: char| {
        let mut path = folder.path(&first.to_string()).into_os_string();
        path.push("x".repeat(108 - path.len()));
        path
    };
    let bound = |socket: &OwnedFd, path: std::ffi::OsString| {
        // SAFETY: zeros are a valid address.
        let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
        address.sun_family = libc::AF_UNIX as libc::sa_family_t;
        let bytes = std::os::unix::ffi::OsStrExt::as_bytes(&*path);
        for (place, byte) in address.sun_path.iter_mut().zip(bytes) {
            *place = *byte as libc::c_char;
        }
        let length = size_of_val(&address) as libc::socklen_t;
        // SAFETY: the address is as long as is said.
        let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
        assert_eq!(bound, 0, "{}", io::Error::last_os_error());
    };
    let path = folder.path("listener");
    rig.block_on(async {
        let listener = UnixListener::bind(&path)?;
        let client = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
        let client = OwnedFd::from(client);
        bound(&client, full('a'));
        let client = socket2::Socket::from(client);
        client.connect(&socket2::SockAddr::unix(&path)?)?;
        let (mut server, peer) = listener.accept().await?;
        assert!(peer.is_unnamed(), "the standard library has no such name");
        assert!(server.peer_addr()?.is_unnamed());
        let mut client = std_unix::UnixStream::from(OwnedFd::from(client));
        assert!(
            UnixStream::from_std(client.try_clone()?)?
                .local_addr()?
                .is_unnamed()
        );
        server.write_all(b"welcome").await?;
        let mut word = [0; 7];
        client.set_nonblocking(false)?;
        io::Read::read_exact(&mut client, &mut word)?;
        assert_eq!(&word, b"welcome");

        let receiver = UnixDatagram::bind(folder.path("receiver"))?;
        let sender = OwnedFd::from(std_unix::UnixDatagram::unbound()?);
        bound(&sender, full('b'));
        std_unix::UnixDatagram::from(sender).send_to(b"hello", folder.path("receiver"))?;
        let (count, from) = receiver.recv_from(&mut word).await?;
        assert_eq!(&word[..count], b"hello");
        assert!(from.is_unnamed());
        io::Result::Ok(())
    })
    .expect("no error");
}

/// What a server that has ended left behind is replaced, what is in use is not, and the end of a
/// listener takes away its own file alone.
#[test]
fn the_file_of_a_socket_comes_and_goes_with_it() {
    let folder = Folder::new();
    let path = folder.path("file");
    let mut rig = Rig::new(tenter_io::Backend::Best);
    let _inside = rig.enter();
    // Dead: the standard library leaves its file.
    drop(std_unix::UnixListener::bind(&path).expect("bound"));
    assert!(path.exists());
    let listener = UnixListener::bind(&path).expect("the dead one is replaced");
    // In use, and nobody disturbs it: no connection was made to find out.
    let error = UnixListener::bind(&path).expect_err("in use");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains("file"), "{error}");
    assert_eq!(
        listener.try_accept().expect_err("nobody").kind(),
        io::ErrorKind::WouldBlock
    );
    let error = UnixDatagram::bind(&path).expect_err("in use");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    drop(listener);
    assert!(!path.exists());
    // Another's file is left alone.
    let listener = UnixListener::bind(&path).expect("bound");
    std::fs::remove_file(&path).expect("removed");
    std::fs::write(&path, "mine").expect("written");
    drop(listener);
    assert_eq!(std::fs::read(&path).expect("it is there"), b"mine");
    let error = UnixListener::bind(&path).expect_err("no socket");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    std::fs::remove_file(&path).expect("removed");
    // Given away, the file stays.
    drop(UnixListener::bind(&path).expect("bound").into_std());
    assert!(path.exists());
    // The same for datagrams.
    let socket = UnixDatagram::bind(&path).expect("the dead one is replaced");
    UnixDatagram::bind(&path).expect_err("in use");
    drop(socket.into_std());
    assert!(path.exists());
    drop(UnixDatagram::bind(&path).expect("replaced"));
    assert!(!path.exists());
    let nowhere = folder.path("no/such/folder");
    let error = UnixListener::bind(&nowhere).expect_err("no folder");
    assert!(error.to_string().contains("no/such/folder"), "{error}");
    let error = rig
        .block_on(UnixStream::connect(&path))
        .expect_err("nobody");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().contains("file"), "{error}");
}
