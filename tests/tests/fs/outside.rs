//! Where there is no tenter runtime: on foreign executors, and on threads of any kind.

use std::sync::mpsc;

use tenter::fs::{self, File, OpenOptions, Operation, ReadDir};
use tenter::io::{AsyncReadExt, AsyncWriteExt};
use tenter_tests::support::foreign_block_on;

use crate::support::{Folder, pattern};

#[test]
fn a_file_may_move_between_executors() {
    let folder = Folder::new();
    let bytes = pattern(500_000);
    let path = folder.path("a");
    let mut file = foreign_block_on(File::create_new(&path)).unwrap();
    let (one, other) = bytes.split_at(200_000);
    foreign_block_on(file.write_all(one)).unwrap();
    let mut file = tenter::run(async {
        tenter::spawn(async move {
            file.write_all(&pattern(500_000)[200_000..]).await?;
            std::io::Result::Ok(file)
        })
        .await
        .expect("no panic")
    })
    .unwrap();
    foreign_block_on(async {
        file.flush().await.unwrap();
        crate::read::seek(&mut file, std::io::SeekFrom::Start(200_000))
            .await
            .unwrap();
        let mut rest = Vec::new();
        file.read_to_end(&mut rest).await.unwrap();
        assert!(rest == other);
    });
}

#[test]
fn the_thread_of_an_operation_says_what_it_does() {
    let folder = Folder::new();
    let path = folder.path("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .expect("a pipe with a name");
    let (opened, opens) = mpsc::channel();
    let reader = std::thread::spawn({
        let path = path.clone();
        move || {
            opened.send(()).unwrap();
            foreign_block_on(fs::read(path))
        }
    });
    opens.recv().unwrap();
    let is_named = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let mut names =
            tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.any(|name| name.trim_end() == "tenter-read")
    };
    while !is_named() {
        std::thread::yield_now();
    }
    std::fs::write(&path, "text").unwrap();
    assert_eq!(reader.join().unwrap().unwrap(), b"text");
}

#[test]
fn auto_traits() {
    fn send_sync_unpin<T: Send + Sync + Unpin>() {}
    fn send_unpin<T: Send + Unpin>() {}
    fn is_send<T: Send>(_: T) {}
    send_sync_unpin::<File>();
    send_sync_unpin::<OpenOptions>();
    send_sync_unpin::<fs::DirBuilder>();
    send_sync_unpin::<fs::DirEntry>();
    send_unpin::<ReadDir>();
    send_unpin::<Operation<Vec<u8>>>();
    send_unpin::<fs::NextEntry<'_>>();
    let folder = Folder::new();
    let mut file = foreign_block_on(File::create(folder.path("a"))).unwrap();
    is_send(file.read_at(&mut [], 0));
    is_send(file.write_at(&[], 0));
    is_send(file.sync_all());
    is_send(file.metadata());
    is_send(file.set_len(0));
    is_send(file.try_clone());
    is_send(file.into_std());
}
