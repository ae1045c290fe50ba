//! Files and folders: what was begun goes on in its thread, and happens once or not at all; no byte of a
//! stream is lost, and no file stays open.

use std::fs as there;
use std::io::SeekFrom;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use tenter::fs::{self, DirBuilder, File};
use tenter::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::harness::{Case, case};

/// A folder of its own, in memory where the system has such a place.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tenter-drops-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        there::create_dir(&path).expect("a folder for temporary files");
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file with these bytes.
    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        there::write(self.path(name), bytes).expect("the folder is ours");
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A job that was left may make a file while the folder is removed.
        while there::remove_dir_all(&self.0).is_err_and(|_| self.0.exists()) {}
    }
}

pub fn cases() -> Vec<Case> {
    let mut cases = looking();
    cases.extend(changing());
    cases.extend(folders());
    cases.extend(opening());
    cases.extend(handles());
    cases.extend(streams());
    cases.into_iter().map(Case::with_threads).collect()
}

const TEXT: &[u8] = b"some text";

/// Those without an effect.
fn looking() -> Vec<Case> {
    vec![case(
        "fs::whole::read fs::whole::read_to_string fs::path::canonicalize fs::path::metadata \
             fs::path::symlink_metadata fs::path::read_link fs::path::try_exists",
        1,
        |cut| async move {
            let folder = Folder::new();
            let path = folder.file("a", TEXT);
            let link = folder.path("link");
            std::os::unix::fs::symlink(&path, &link).unwrap();
            let bytes = cut.of(fs::read(&path)).await;
            assert!(bytes.is_none_or(|bytes| bytes.unwrap() == TEXT));
            let text = cut.of(fs::read_to_string(&path)).await;
            assert!(text.is_none_or(|text| text.unwrap().as_bytes() == TEXT));
            let real = cut.of(fs::canonicalize(&link)).await;
            assert!(real.is_none_or(|real| real.unwrap().ends_with("a")));
            let about = cut.of(fs::metadata(&link)).await;
            assert!(about.is_none_or(|about| about.unwrap().is_file()));
            let about = cut.of(fs::symlink_metadata(&link)).await;
            assert!(about.is_none_or(|about| about.unwrap().is_symlink()));
            let target = cut.of(fs::read_link(&link)).await;
            assert!(target.is_none_or(|target| target.unwrap() == path));
            let exists = cut.of(fs::try_exists(&link)).await;
            assert!(exists.is_none_or(|exists| exists.unwrap()));
        },
    )]
}

/// It has happened, happens later, or never: so each is given a place of its own, and is looked at.
fn changing() -> Vec<Case> {
    vec![
        case("fs::whole::write fs::whole::copy", 1, |cut| async move {
            let folder = Folder::new();
            let path = folder.path("a");
            let written = cut.of(fs::write(&path, TEXT)).await.transpose().unwrap();
            assert!(written.is_none() || there::read(&path).unwrap() == TEXT);
            let from = folder.file("b", TEXT);
            let copied = cut.of(fs::copy(&from, folder.path("c"))).await;
            assert!(copied.is_none_or(|count| count.unwrap() == TEXT.len() as u64));
        }),
        case(
            "fs::path::rename fs::path::hard_link fs::path::symlink fs::path::set_permissions \
             fs::path::remove_file",
            1,
            |cut| async move {
                let folder = Folder::new();
                let path = folder.file("a", TEXT);
                let renamed = cut.of(fs::rename(&path, folder.path("b"))).await;
                renamed.transpose().unwrap();
                let [old, new] = ["a", "b"].map(|name| there::read(folder.path(name)));
                // At one instant: never in both places, and never in none that a second look would miss.
                assert!(old.is_ok() || new.is_ok_and(|bytes| bytes == TEXT));
                let path = folder.file("c", TEXT);
                let linked = cut.of(fs::hard_link(&path, folder.path("d"))).await;
                assert!(linked.is_none() || folder.path("d").exists());
                let linked = cut.of(fs::symlink(&path, folder.path("e"))).await;
                assert!(linked.is_none() || folder.path("e").is_symlink());
                let permissions = there::metadata(&path).unwrap().permissions();
                let set = cut.of(fs::set_permissions(&path, permissions)).await;
                set.transpose().unwrap();
                let removed = cut.of(fs::remove_file(&path)).await.transpose().unwrap();
                assert!(removed.is_none() || !path.exists());
            },
        ),
        case(
            "fs::path::create_dir fs::path::create_dir_all fs::dir::DirBuilder::create \
             fs::path::remove_dir fs::path::remove_dir_all",
            1,
            |cut| async move {
                let folder = Folder::new();
                let made = cut.of(fs::create_dir(folder.path("a"))).await;
                assert!(made.is_none() || folder.path("a").is_dir());
                let made = cut.of(fs::create_dir_all(folder.path("b/c"))).await;
                assert!(made.is_none() || folder.path("b/c").is_dir());
                let made = cut.of(DirBuilder::new().create(folder.path("d"))).await;
                assert!(made.is_none() || folder.path("d").is_dir());
                there::create_dir_all(folder.path("e/f")).unwrap();
                there::create_dir(folder.path("g")).unwrap();
                let removed = cut.of(fs::remove_dir(folder.path("g"))).await;
                assert!(removed.is_none() || !folder.path("g").exists());
                let removed = cut.of(fs::remove_dir_all(folder.path("e"))).await;
                assert!(removed.is_none() || !folder.path("e").exists());
            },
        ),
    ]
}

fn folders() -> Vec<Case> {
    vec![
        case(
            "fs::dir::read_dir fs::dir::ReadDir::next_entry fs::dir::DirEntry::metadata",
            0,
            |cut| async move {
                let folder = Folder::new();
                for number in 0..5 {
                    folder.file(&number.to_string(), TEXT);
                }
                drop(cut.of(fs::read_dir(&folder.0)).await.transpose().unwrap());
                let mut entries = fs::read_dir(&folder.0).await.unwrap();
                let mut names = Vec::new();
                // No entry is lost, and none comes twice.
                loop {
                    let entry = match cut.of(entries.next_entry()).await {
                        Some(entry) => entry,
                        None => entries.next_entry().await,
                    };
                    let Some(entry) = entry.unwrap() else { break };
                    let about = cut.of(entry.metadata()).await.transpose().unwrap();
                    assert!(about.is_none_or(|about| about.len() == TEXT.len() as u64));
                    names.push(entry.file_name());
                }
                names.sort();
                assert_eq!(names, ["0", "1", "2", "3", "4"]);
            },
        ),
        // The system has told the type along with the name: there is nothing to wait for.
        case("fs::dir::DirEntry::file_type", 0, |cut| async move {
            let folder = Folder::new();
            folder.file("a", TEXT);
            let mut entries = fs::read_dir(&folder.0).await.unwrap();
            let entry = entries.next_entry().await.unwrap().unwrap();
            let kind = cut.of(entry.file_type()).await.transpose().unwrap();
            assert!(kind.is_none_or(|kind| kind.is_file()));
        }),
        case("fs::dir::read_dir", 1, |cut| async move {
            let folder = Folder::new();
            folder.file("a", TEXT);
            let entries = cut.of(fs::read_dir(&folder.0)).await.transpose().unwrap();
            if let Some(mut entries) = entries {
                assert!(entries.next_entry().await.unwrap().is_some());
            }
        }),
    ]
}

fn opening() -> Vec<Case> {
    vec![case(
        "fs::file::File::open fs::file::File::create fs::file::File::create_new \
             fs::open::OpenOptions::open",
        1,
        |cut| async move {
            let folder = Folder::new();
            let path = folder.file("a", TEXT);
            // The file of one that is dropped is closed: descriptors are counted.
            drop(cut.of(File::open(&path)).await.transpose().unwrap());
            let mut options = File::options();
            options.read(true).write(true);
            drop(cut.of(options.open(&path)).await.transpose().unwrap());
            let made = cut.of(File::create(folder.path("b"))).await;
            assert!(made.is_none() || folder.path("b").exists());
            let made = cut.of(File::create_new(folder.path("c"))).await;
            assert!(made.is_none() || folder.path("c").exists());
            assert_eq!(there::read(&path).unwrap(), TEXT);
        },
    )]
}

fn handles() -> Vec<Case> {
    vec![
        case(
            "fs::file::methods::File::read_at fs::file::methods::File::write_at \
             fs::file::methods::File::metadata fs::file::methods::File::set_permissions \
             fs::file::methods::File::sync_all fs::file::methods::File::sync_data",
            1,
            |cut| async move {
                let folder = Folder::new();
                let path = folder.file("a", TEXT);
                let mut options = File::options();
                let mut file = options.read(true).write(true).open(&path).await.unwrap();
                let mut four = [0; 4];
                let read = cut
                    .of(file.read_at(&mut four, 5))
                    .await
                    .transpose()
                    .unwrap();
                assert!(read.is_none_or(|count| count == 4 && &four == b"text"));
                // The same bytes as are there: it may happen or not.
                let wrote = cut.of(file.write_at(b"some", 0)).await.transpose().unwrap();
                assert!(wrote.is_none_or(|count| count == 4));
                let about = cut.of(file.metadata()).await.transpose().unwrap();
                assert!(about.as_ref().is_none_or(|about| about.is_file()));
                let permissions = there::metadata(&path).unwrap().permissions();
                let set = cut.of(file.set_permissions(permissions)).await;
                set.transpose().unwrap();
                cut.of(file.sync_all()).await.transpose().unwrap();
                cut.of(file.sync_data()).await.transpose().unwrap();
                let mut all = Vec::new();
                file.read_to_end(&mut all).await.unwrap();
                assert_eq!(all, TEXT);
            },
        ),
        case(
            "fs::file::methods::File::set_len fs::file::methods::File::try_clone \
             fs::file::methods::File::into_std",
            1,
            |cut| async move {
                let folder = Folder::new();
                let path = folder.file("a", TEXT);
                let mut options = File::options();
                let mut file = options.read(true).write(true).open(&path).await.unwrap();
                let mut four = [0; 4];
                file.read_exact(&mut four).await.unwrap();
                let length = TEXT.len() as u64;
                cut.of(file.set_len(length)).await.transpose().unwrap();
                let clone = cut.of(file.try_clone()).await.transpose().unwrap();
                // The place is kept, whatever became of the clone.
                file.read_exact(&mut four[..1]).await.unwrap();
                assert_eq!(four[0], TEXT[4]);
                drop(clone);
                file.write_all(b"T").await.unwrap();
                let std = cut.of(file.into_std()).await.transpose().unwrap();
                // What was accepted is written, also by a file that was dropped in the middle.
                if let Some(mut std) = std {
                    let place = std::io::Seek::stream_position(&mut std).unwrap();
                    assert_eq!(place, 6);
                    assert_eq!(there::read(&path).unwrap(), b"some Text");
                }
            },
        ),
    ]
}

fn streams() -> Vec<Case> {
    vec![
        case("ext::read::AsyncReadExt::read", 1, |cut| async move {
            let folder = Folder::new();
            let mut file = File::open(folder.file("a", TEXT)).await.unwrap();
            let (mut seen, mut four) = (Vec::new(), [0; 4]);
            let read = cut.of(file.read(&mut four)).await.transpose().unwrap();
            seen.extend(&four[..read.unwrap_or(0)]);
            file.read_to_end(&mut seen).await.unwrap();
            assert_eq!(seen, TEXT);
        }),
        // A write is accepted at once, and written behind: what waits is the flush.
        case(
            "ext::write::AsyncWriteExt::flush ext::write::AsyncWriteExt::close",
            1,
            |cut| async move {
                let folder = Folder::new();
                let mut file = File::create(folder.path("a")).await.unwrap();
                assert_eq!(file.write(b"some ").await.unwrap(), 5);
                cut.of(file.flush()).await.transpose().unwrap();
                assert_eq!(file.write(b"text").await.unwrap(), 4);
                cut.of(file.close()).await.transpose().unwrap();
                file.close().await.unwrap();
                assert_eq!(there::read(folder.path("a")).unwrap(), TEXT);
            },
        ),
        // Behind the first write that is on its way there is room for so much.
        case(
            "ext::write::AsyncWriteExt::write_all",
            1,
            |cut| async move {
                let folder = Folder::new();
                let data = (0..=250).collect::<Vec<u8>>().repeat(3_000);
                let mut file = File::create(folder.path("a")).await.unwrap();
                let written = cut.of(file.write_all(&data)).await.transpose().unwrap();
                file.close().await.unwrap();
                let came = there::read(folder.path("a")).unwrap();
                assert!(data.starts_with(&came) && (written.is_none() || came == data));
            },
        ),
        case("ext::seek::AsyncSeekExt::seek", 1, |cut| async move {
            let folder = Folder::new();
            let mut file = File::open(folder.file("a", TEXT)).await.unwrap();
            let mut two = [0; 2];
            file.read_exact(&mut two).await.unwrap();
            let sought = cut
                .of(file.seek(SeekFrom::End(-4)))
                .await
                .transpose()
                .unwrap();
            let place = file.stream_position().await.unwrap();
            assert!(place == 5 || place == 2 && sought.is_none(), "{place}");
            file.read_exact(&mut two).await.unwrap();
            let place = usize::try_from(place).unwrap();
            assert_eq!(two, TEXT[place..place + 2]);
            file.rewind().await.unwrap();
            assert_eq!(file.read(&mut two).await.unwrap(), 2);
            assert_eq!(two, TEXT[..2]);
        }),
    ]
}
