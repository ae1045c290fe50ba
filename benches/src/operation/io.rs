//! What sockets of other kinds and files cost, between tasks of one runtime.

use std::hint::black_box;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::{env, fs, io, net, process};

use crate::peer::Workers;

/// Files that are read one after another.
const FILES: usize = 1_000;

/// Bytes of the file that is copied.
pub const COPIED: usize = 16 << 20;

/// Sends 64 bytes to a task that sends them back, by UDP.
pub async fn udp_ping_pong<P: Workers>(n: u64) {
    let (near, far) = datagram_pair().expect("two sockets");
    let (near, far) = (P::datagram(near), P::datagram(far));
    let echo = P::spawn(async move {
        let mut buffer = [0; 64];
        loop {
            let length = P::receive_datagram(&far, &mut buffer).await;
            if length == 1 {
                return;
            }
            P::send_datagram(&far, &buffer[..length]).await;
        }
    });
    let mut buffer = [7; 64];
    for _ in 0..n {
        P::send_datagram(&near, &buffer).await;
        assert_eq!(P::receive_datagram(&near, &mut buffer).await, 64);
    }
    P::send_datagram(&near, &[0]).await;
    echo.await;
}

fn datagram_pair() -> io::Result<(net::UdpSocket, net::UdpSocket)> {
    let near = net::UdpSocket::bind("127.0.0.1:0")?;
    let far = net::UdpSocket::bind("127.0.0.1:0")?;
    near.connect(far.local_addr()?)?;
    far.connect(near.local_addr()?)?;
    near.set_nonblocking(true)?;
    far.set_nonblocking(true)?;
    Ok((near, far))
}

/// Sends 64 bytes to a task that sends them back, by a Unix stream.
pub async fn unix_echo<P: Workers>(n: u64) {
    let (near, far) = UnixStream::pair().expect("two sockets");
    for socket in [&near, &far] {
        socket.set_nonblocking(true).expect("a socket");
    }
    let (mut near, mut far) = (P::unix(near), P::unix(far));
    let echo = P::spawn(async move {
        let mut buffer = [0; 1024];
        while let Ok(length @ 1..) = P::read_unix(&mut far, &mut buffer).await {
            P::write_unix(&mut far, &buffer[..length])
                .await
                .expect("the near end reads");
        }
    });
    let mut buffer = [7; 1024];
    for _ in 0..n {
        P::write_unix(&mut near, &buffer[..64])
            .await
            .expect("the far end reads");
        let mut got = 0;
        while got < 64 {
            got += P::read_unix(&mut near, &mut buffer[got..])
                .await
                .expect("the far end echoes");
        }
    }
    drop(near);
    echo.await;
}

/// Reads `n` small files, one after another.
pub async fn small_files<P: Workers>(n: u64) {
    let folder = Folder::new("files");
    let paths: Vec<_> = (0..FILES)
        .map(|i| folder.file(&i.to_string(), 1_024))
        .collect();
    for path in paths.iter().cycle().take(n as usize) {
        let bytes = P::read_file(path.clone()).await.expect("it was written");
        assert_eq!(black_box(bytes).len(), 1_024);
    }
}

/// Copies a file of [`COPIED`] bytes through the runtime's reader and writer, `n` times.
pub async fn file_copy<P: Workers>(n: u64) {
    let folder = Folder::new("copy");
    let from = folder.file("from", COPIED);
    for _ in 0..n {
        let to = folder.0.join("to");
        let copied = P::copy_file(from.clone(), to).await.expect("there is room");
        assert_eq!(copied, COPIED as u64);
    }
}

/// A folder that is gone in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("tenter-benches-{name}-{}", process::id()));
        fs::create_dir_all(&folder).expect("the folder for temporary files");
        Self(folder)
    }

    fn file(&self, name: &str, length: usize) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, vec![7; length]).expect("there is room");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
