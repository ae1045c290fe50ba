//! Run: `cargo run --release --example file_copy -- FROM TO`
//!
//! Copies a file and shows how far it is. What cannot be copied as a whole is not left in parts, also
//! if ctrl-c ends it.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tenter::defer_async;
use tenter::fs::{self, File};
use tenter::io::{AsyncReadExt, AsyncWriteExt, Stderr, stderr, stdout};

#[tenter::main]
async fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [from, to] = &arguments[..] else {
        eprintln!(
            "file_copy: two paths are needed, and {} were given: file_copy FROM TO",
            arguments.len()
        );
        return ExitCode::from(2);
    };
    match copy(from, to).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("file_copy: {error}{}", advice(&error));
            ExitCode::FAILURE
        }
    }
}

/// What to do about it, where that is not plain.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AlreadyExists => ": remove it, or give another name",
        io::ErrorKind::IsADirectory => ": give a file",
        _ => "",
    }
}

async fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from).await?;
    let about = source.metadata().await?;
    let mut target = File::create_new(to).await?;
    // From here on, whatever ends this function: an error, a panic, or ctrl-c, which cancels main. The
    // program waits for it before it ends.
    let path = to.to_owned();
    let remove = defer_async(async move {
        if let Err(error) = fs::remove_file(&path).await {
            eprintln!("file_copy: {error}");
        }
    });
    let count = transfer(&mut source, &mut target, about.len()).await?;
    target.set_permissions(about.permissions()).await?;
    // Whatever was accepted is in the system then, or its error is here.
    target.close().await?;
    remove.disarm();
    let mut out = stdout();
    let line = format!("{count} bytes copied to {}\n", to.display());
    out.write_all(line.as_bytes()).await?;
    out.flush().await
}

/// Copies all bytes; returns how many. `expected` is only for the display: the file may grow.
async fn transfer(source: &mut File, target: &mut File, expected: u64) -> io::Result<u64> {
    let mut progress = Progress::new(expected);
    let mut buffer = vec![0; 256 * 1024];
    let mut copied = 0;
    loop {
        let count = source.read(&mut buffer).await?;
        if count == 0 {
            return Ok(copied);
        }
        target.write_all(&buffer[..count]).await?;
        copied += count as u64;
        progress.show(copied).await;
    }
}

/// Percents on standard error: one line that changes on a terminal, else a line every ten percent.
struct Progress {
    expected: u64,
    shown: u64,
    err: Stderr,
}

impl Progress {
    fn new(expected: u64) -> Self {
        Self {
            expected: expected.max(1),
            shown: 0,
            err: stderr(),
        }
    }

    async fn show(&mut self, copied: u64) {
        let (step, end) = if self.err.is_terminal() {
            (1, '\r')
        } else {
            (10, '\n')
        };
        let percent = (copied.min(self.expected) * 100 / self.expected) / step * step;
        if percent == self.shown {
            return;
        }
        self.shown = percent;
        // That nobody can see how far it is, is no reason to stop.
        let _ = self
            .err
            .write_all(format!("{percent:3} %{end}").as_bytes())
            .await;
    }
}
