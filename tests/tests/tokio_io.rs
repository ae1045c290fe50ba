//! The traits of `tokio::io` on what is the runtime's own: a library that knows only those reads and writes
//! files and pipes. Sockets: `io/tests/tokio_io.rs`.

use tenter::Builder;
use tenter::fs::File;
use tenter::process::{Command, Stdio};
use tenter_tests::support::{build, every};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};

/// Goal: what tokio's helpers write, tokio's helpers read, through a file and through a child.
/// Method: lines to a file, the file to `cat` by `tokio::io::copy`, its output read to the end.
#[test]
fn tokios_helpers_work_on_files_and_pipes() {
    every(|builder: Builder| {
        let path = std::env::temp_dir().join(format!(
            "tenter-tokio-io-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        let text: String = (0..1_000).map(|line| format!("line {line}\n")).collect();
        let runtime = build(builder);
        runtime.block_on(async {
            let mut file = File::create(&path).await.expect("a folder to write to");
            file.write_all(text.as_bytes()).await.expect("room");
            file.shutdown().await.expect("written");

            let file = File::open(&path).await.expect("it was written");
            let mut lines = file.lines();
            let first = lines.next_line().await.expect("it can be read");
            assert_eq!(first.as_deref(), Some("line 0"));

            let mut child = Command::new("cat")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("cat");
            let mut stdin = child.stdin.take().expect("a pipe");
            let mut stdout = child.stdout.take().expect("a pipe");
            let mut file = File::open(&path).await.expect("it was written");
            let feed = tenter::spawn(async move {
                let copied = tokio::io::copy(&mut file, &mut stdin).await;
                stdin.shutdown().await.expect("the end is told");
                copied.expect("cat reads")
            });
            let mut read = String::new();
            stdout.read_to_string(&mut read).await.expect("cat writes");
            assert_eq!(read, text);
            assert_eq!(feed.await.expect("no panic"), text.len() as u64);
            assert!(child.wait().await.expect("cat ends").success());
        });
        std::fs::remove_file(&path).expect("it was there");
    });
}
