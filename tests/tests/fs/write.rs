//! Writing behind: order, visibility, errors that come later, and files that are dropped.

use std::io::{ErrorKind, SeekFrom};
use std::process::Stdio;

use tenter::fs::{self, File};
use tenter::io::{AsyncReadExt, AsyncWriteExt};
use tenter_tests::support::{alone_with, assert_says, build, every, foreign_block_on};

use crate::read::seek;
use crate::support::{Folder, everywhere, number, pattern};

#[test]
fn small_writes_arrive_in_order_and_as_a_whole() {
    everywhere(|folder| async move {
        let path = folder.path("a");
        let mut file = File::create(&path).await.unwrap();
        let mut expected = Vec::new();
        for number in 0..20_000 {
            let line = format!("line {number}\n");
            file.write_all(line.as_bytes()).await.unwrap();
            expected.extend_from_slice(line.as_bytes());
        }
        file.close().await.unwrap();
        assert!(std::fs::read(&path).unwrap() == expected);
    });
}

#[test]
fn writes_larger_than_what_is_gathered_arrive_too() {
    everywhere(|folder| async move {
        let path = folder.path("a");
        let bytes = pattern(3_000_001);
        let mut file = File::create(&path).await.unwrap();
        file.write_all(&bytes).await.unwrap();
        file.write_all(b"end").await.unwrap();
        file.flush().await.unwrap();
        let written = std::fs::read(&path).unwrap();
        assert!(written[..3_000_001] == bytes[..] && &written[3_000_001..] == b"end");
    });
}

#[test]
fn what_was_written_is_seen_by_everything_else_that_is_done_with_the_file() {
    everywhere(|folder| async move {
        let path = folder.path("a");
        let mut file = File::create_new(&path).await.unwrap();
        let bytes = pattern(300_000);
        file.write_all(&bytes).await.unwrap();
        assert_eq!(file.metadata().await.unwrap().len(), 300_000);
        file.write_all(b"tail").await.unwrap();
        let mut tail = [0; 4];
        assert_eq!(file.read_at(&mut tail, 300_000).await.unwrap(), 4);
        assert_eq!(&tail, b"tail");
        file.write_all(b"more").await.unwrap();
        assert_eq!(file.read(&mut tail).await.unwrap(), 0, "the end");
        file.write_all(b"cut").await.unwrap();
        file.set_len(10).await.unwrap();
        file.sync_all().await.unwrap();
        file.sync_data().await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes[..10]);
        assert_eq!(file.write_at(b"XY", 8).await.unwrap(), 2);
        assert_eq!(seek(&mut file, SeekFrom::Start(6)).await.unwrap(), 6);
        file.read_exact(&mut tail).await.unwrap();
        assert_eq!(tail, [6, 7, b'X', b'Y']);
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        file.set_permissions(permissions).await.unwrap();
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&file.metadata().await.unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    });
}

#[test]
fn a_write_after_a_read_goes_to_where_the_program_is() {
    everywhere(|folder| async move {
        let bytes = pattern(50_000);
        let path = folder.file("a", &bytes);
        let mut file = File::options()
            .read(true)
            .write(true)
            .open(&path)
            .await
            .unwrap();
        let mut ten = [0; 10];
        for start in [0, 1_000, 2_000] {
            seek(&mut file, SeekFrom::Start(start)).await.unwrap();
            file.read_exact(&mut ten).await.unwrap();
            file.write_all(b"here").await.unwrap();
            file.write_all(b"there").await.unwrap();
            file.read_exact(&mut ten).await.unwrap();
            let next = start as usize + 19;
            assert_eq!(ten[..], bytes[next..next + 10]);
        }
        file.close().await.unwrap();
        let mut expected = bytes;
        for start in [0, 1_000, 2_000] {
            expected[start + 10..start + 19].copy_from_slice(b"herethere");
        }
        assert!(std::fs::read(&path).unwrap() == expected);
    });
}

#[test]
fn lines_that_are_appended_by_several_files_stay_whole() {
    everywhere(|folder| async move {
        let path = folder.path("log");
        let mut files = Vec::new();
        for _ in 0..3 {
            files.push(
                File::options()
                    .append(true)
                    .create(true)
                    .open(&path)
                    .await
                    .unwrap(),
            );
        }
        for round in 0..1_000 {
            for (number, file) in files.iter_mut().enumerate() {
                let line = format!("{number} {}\n", "x".repeat(round % 100));
                file.write_all(line.as_bytes()).await.unwrap();
            }
        }
        for file in &mut files {
            file.flush().await.unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let mut rounds = [0; 3];
        for line in text.lines() {
            let (number, rest) = line.split_once(' ').expect("a whole line");
            let round = &mut rounds[number.parse::<usize>().unwrap()];
            assert_eq!(rest, "x".repeat(*round % 100), "of file {number}");
            *round += 1;
        }
        assert_eq!(rounds, [1_000; 3]);
    });
}

/// Goal: the error of bytes that were accepted comes to the next flush, close, sync or write, once.
#[test]
fn a_full_disk_is_told_to_whoever_comes_next() {
    everywhere(|_| async move {
        for way in ["flush", "close", "sync", "write"] {
            let mut file = File::options().write(true).open("/dev/full").await.unwrap();
            file.write_all(b"lost").await.expect("it is accepted");
            // Lets the job end, and does not take its error.
            file.metadata().await.unwrap();
            let error = match way {
                "flush" => file.flush().await.unwrap_err(),
                "close" => file.close().await.unwrap_err(),
                "sync" => file.sync_all().await.unwrap_err(),
                _ => file.write(b"not accepted").await.unwrap_err(),
            };
            assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
            assert_eq!(number(&error), Some(28), "ENOSPC");
            assert_says(
                &error.to_string(),
                &[
                    "cannot write to file `/dev/full`",
                    "4 bytes",
                    "are lost",
                    "os error 28",
                ],
            );
            file.flush().await.expect("told once");
            file.write_all(b"again").await.expect("it is accepted");
            let error = file.flush().await.unwrap_err();
            assert_says(&error.to_string(), &["5 bytes"]);
        }
        let mut file = File::open("/dev/null").await.unwrap();
        file.write_all(b"x").await.expect("it is accepted");
        let error = file.flush().await.unwrap_err();
        assert_eq!(number(&error), Some(9), "EBADF: it is open for reading");
    });
}

#[test]
fn a_file_that_is_dropped_is_written_to_its_end() {
    every(|builder| {
        let folder = Folder::new();
        let path = folder.path("a");
        let bytes = pattern(1_000_000);
        let runtime = build(builder);
        runtime.block_on(async {
            let mut file = File::create(&path).await.unwrap();
            file.write_all(&bytes).await.unwrap();
        });
        drop(runtime);
        assert!(std::fs::read(&path).unwrap() == bytes);
    });
}

/// Goal: an error that nobody can be told any more is on standard error, whether the file was dropped
/// before its job has failed or after.
#[test]
fn an_error_of_a_file_that_was_dropped_is_one_line_on_standard_error() {
    let name = "write::an_error_of_a_file_that_was_dropped_is_one_line_on_standard_error";
    let piped = |command: &mut std::process::Command| {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
    };
    let is_child = alone_with(name, piped, |child| {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{text}");
        let told: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("/dev/full"))
            .collect();
        assert_eq!(told.len(), 3, "{text}");
        for line in told {
            assert_says(
                line,
                &["tenter: cannot write to file `/dev/full`", "flush or close"],
            );
        }
    });
    if !is_child {
        return;
    }
    let drop_one = async |settled: bool| {
        let mut file = File::options().write(true).open("/dev/full").await.unwrap();
        file.write_all(b"lost").await.unwrap();
        if settled {
            file.metadata().await.unwrap();
        }
    };
    tenter::run(drop_one(true));
    tenter::run(drop_one(false));
    foreign_block_on(drop_one(true));
}

#[test]
fn files_are_written_and_read_at_the_same_time_by_many_tasks() {
    every(|builder| {
        let folder = Folder::new();
        let runtime = build(builder);
        runtime.block_on(async {
            let tasks: Vec<_> = (0..40)
                .map(|number| {
                    let path = folder.path(&format!("file {number}"));
                    tenter::spawn(async move {
                        let bytes = pattern(10_000 + number);
                        let mut file = File::create(&path).await?;
                        for chunk in bytes.chunks(1_000 + number) {
                            file.write_all(chunk).await?;
                        }
                        file.close().await?;
                        assert_eq!(fs::read(&path).await?, bytes);
                        let mut text = Vec::new();
                        File::open(&path).await?.read_to_end(&mut text).await?;
                        assert_eq!(text, bytes);
                        std::io::Result::Ok(())
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("no panic").expect("no error");
            }
        });
    });
}
