//! Run: `cargo run --release --example echo -- 7000`; try: `nc 127.0.0.1 7000`, and type
//!
//! Sends back whatever it receives, to any number of clients.

use std::process::ExitCode;

use tenter::io::{AsyncReadExt, AsyncWriteExt};
use tenter::net::TcpStream;

#[tenter::main]
async fn main() -> ExitCode {
    let listener = match tenter_examples::listen().await {
        Ok(listener) => listener,
        Err(refusal) => {
            eprintln!("echo: {refusal}");
            return ExitCode::from(2);
        }
    };
    if let Ok(address) = listener.local_addr() {
        println!("{address}");
    }
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => drop(tenter::spawn(async move {
                if let Err(error) = echo(stream).await {
                    eprintln!("echo: {peer}: {error}");
                }
            })),
            Err(error) => eprintln!("echo: accept: {error}"),
        }
    }
}

async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count]).await?,
        }
    }
}
