//! Echo servers of runtimes that wait for completions (io_uring) and keep each task on its thread. They are
//! peers for orientation, behind the feature `completion`: their model is another one, and the crates that
//! they need are many.

use std::io;
use std::net::TcpListener;

/// Echoes on every connection of `listener`, for ever, by compio.
pub fn compio(listener: TcpListener, buffer: usize) -> io::Result<()> {
    use compio::BufResult;
    use compio::io::{AsyncRead, AsyncWriteExt};

    compio::runtime::Runtime::new()?.block_on(async {
        let listener = compio::net::TcpListener::from_std(listener)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let echo = async move {
                let mut space = Vec::with_capacity(buffer);
                loop {
                    let BufResult(read, read_into) = stream.read(space).await;
                    if !matches!(read, Ok(1..)) {
                        return;
                    }
                    let BufResult(written, back) = stream.write_all(read_into).await;
                    if written.is_err() {
                        return;
                    }
                    space = back;
                    space.clear();
                }
            };
            compio::runtime::spawn(echo).detach();
        }
    })
}

/// Echoes on every connection of `listener`, for ever, by monoio.
pub fn monoio(listener: TcpListener, buffer: usize) -> io::Result<()> {
    use monoio::io::{AsyncReadRent, AsyncWriteRentExt};

    monoio::start::<monoio::IoUringDriver, _>(async {
        let listener = monoio::net::TcpListener::from_std(listener)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            monoio::spawn(async move {
                let mut space = Vec::with_capacity(buffer);
                loop {
                    let (read, read_into) = stream.read(space).await;
                    if !matches!(read, Ok(1..)) {
                        return;
                    }
                    let (written, back) = stream.write_all(read_into).await;
                    if written.is_err() {
                        return;
                    }
                    space = back;
                    space.clear();
                }
            });
        }
    })
}
