//! What is in a folder.

use std::collections::HashSet;
use std::sync::Arc;

use tenter::fs;
use tenter_tests::support::{alone, build, every, foreign_block_on};

use crate::support::{Folder, everywhere, polled_at_most};

fn fill(folder: &Folder, count: usize) {
    for number in 0..count {
        folder.file(&format!("{number}"), b"");
    }
}

async fn names(folder: &Folder) -> HashSet<usize> {
    let mut seen = HashSet::new();
    let mut entries = fs::read_dir(folder).await.expect("it is there");
    while let Some(entry) = entries.next_entry().await.expect("no error") {
        let name = entry.file_name().into_string().expect("a number");
        assert!(
            seen.insert(name.parse().expect("a number")),
            "{name} came twice"
        );
        assert_eq!(entry.path(), folder.path(&name));
    }
    assert!(
        entries.next_entry().await.expect("no error").is_none(),
        "the end stays"
    );
    seen
}

#[test]
fn ten_thousand_entries_come_once_each() {
    let folder = Arc::new(Folder::new());
    fill(&folder, 10_000);
    let all: HashSet<usize> = (0..10_000).collect();
    every({
        let (folder, all) = (Arc::clone(&folder), all.clone());
        move |builder| assert!(build(builder).block_on(names(&folder)) == all)
    });
    assert!(foreign_block_on(names(&folder)) == all);
}

#[test]
fn an_entry_knows_what_it_is() {
    everywhere(|folder| async move {
        folder.file("file", b"12345");
        std::fs::create_dir(folder.path("folder")).unwrap();
        std::os::unix::fs::symlink("file", folder.path("link")).unwrap();
        let mut entries = fs::read_dir(&folder).await.unwrap();
        let mut seen = 0;
        while let Some(entry) = entries.next_entry().await.unwrap() {
            let kind = entry.file_type().await.unwrap();
            let about = entry.metadata().await.unwrap();
            match entry.file_name().to_str().unwrap() {
                "file" => assert!(kind.is_file() && about.len() == 5),
                "folder" => assert!(kind.is_dir() && about.is_dir()),
                "link" => assert!(kind.is_symlink() && about.is_symlink()),
                other => panic!("{other}"),
            }
            seen += 1;
        }
        assert_eq!(seen, 3);
        folder.file("gone", b"");
        let mut entries = fs::read_dir(&folder).await.unwrap();
        let gone = loop {
            let entry = entries.next_entry().await.unwrap().expect("it is there");
            if entry.file_name() == "gone" {
                break entry;
            }
        };
        std::fs::remove_file(folder.path("gone")).unwrap();
        let error = gone.metadata().await.unwrap_err().to_string();
        assert!(error.contains("/gone`"), "{error}");
    });
}

#[test]
fn a_dropped_next_entry_loses_none() {
    everywhere(|folder| async move {
        fill(&folder, 1_000);
        for limit in 0..4 {
            let mut entries = fs::read_dir(&folder).await.unwrap();
            let mut seen = 0;
            loop {
                let next = match polled_at_most(limit, entries.next_entry()).await {
                    Some(next) => next,
                    None => entries.next_entry().await,
                };
                match next.unwrap() {
                    Some(_) => seen += 1,
                    None => break,
                }
            }
            assert_eq!(seen, 1_000, "limit {limit}");
        }
    });
}

/// Goal: no descriptor is left behind, by what ends and by what is dropped in the middle.
#[test]
fn descriptors_are_given_back() {
    if !alone("folders::descriptors_are_given_back") {
        return;
    }
    let descriptors = || {
        std::fs::read_dir("/proc/self/fd")
            .expect("this is Linux")
            .count()
    };
    let folder = Folder::new();
    fill(&folder, 300);
    let exercise = async || {
        assert_eq!(names(&folder).await.len(), 300);
        for limit in 0..6 {
            drop(polled_at_most(limit, fs::read_dir(&folder)).await);
            let path = folder.path("1");
            drop(polled_at_most(limit, fs::File::open(&path)).await);
            drop(polled_at_most(limit, fs::read(&path)).await);
            let mut file = fs::File::options()
                .write(true)
                .read(true)
                .open(&path)
                .await
                .unwrap();
            drop(polled_at_most(limit, file.try_clone()).await);
            drop(polled_at_most(limit, file.into_std()).await);
        }
    };
    let before = descriptors();
    for _ in 0..3 {
        let runtime = tenter::Runtime::new().expect("nothing is refused");
        runtime.block_on(exercise());
        drop(runtime);
        assert_eq!(descriptors(), before);
    }
    foreign_block_on(exercise());
    // The threads of futures that were dropped end by themselves.
    while descriptors() != before {
        std::thread::yield_now();
    }
}
