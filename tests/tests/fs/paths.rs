//! Operations on paths and whole files, and what their errors say.

use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use tenter::fs::{self, DirBuilder, File};
use tenter_tests::support::{alone, assert_says, foreign_block_on};

use crate::support::{Folder, everywhere, number, pattern};

#[test]
fn whole_files_are_read_written_and_copied() {
    everywhere(|folder| async move {
        let (from, to) = (folder.path("from"), folder.path("to"));
        let bytes = pattern(1_000_003);
        fs::write(&from, &bytes).await.unwrap();
        assert!(fs::read(&from).await.unwrap() == bytes);
        fs::set_permissions(&from, PermissionsExt::from_mode(0o640))
            .await
            .unwrap();
        assert_eq!(fs::copy(&from, &to).await.unwrap(), 1_000_003);
        assert!(fs::read(&to).await.unwrap() == bytes);
        let about = fs::metadata(&to).await.unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o640);
        fs::write(&to, "text").await.unwrap();
        assert_eq!(fs::read_to_string(&to).await.unwrap(), "text");
        fs::write(&to, [0xff]).await.unwrap();
        let error = fs::read_to_string(&to).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_says(&error.to_string(), &["cannot read file `", "/to`"]);
    });
}

#[test]
fn names_are_made_changed_and_removed() {
    everywhere(|folder| async move {
        let (a, b, c) = (folder.path("a"), folder.path("b"), folder.path("c"));
        fs::write(&a, "a").await.unwrap();
        fs::rename(&a, &b).await.unwrap();
        assert!(!fs::try_exists(&a).await.unwrap());
        fs::hard_link(&b, &a).await.unwrap();
        assert_eq!(fs::metadata(&a).await.unwrap().nlink(), 2);
        fs::symlink("b", &c).await.unwrap();
        assert_eq!(fs::read_link(&c).await.unwrap(), PathBuf::from("b"));
        assert_eq!(
            fs::canonicalize(&c).await.unwrap(),
            fs::canonicalize(&b).await.unwrap()
        );
        assert!(fs::symlink_metadata(&c).await.unwrap().is_symlink());
        fs::remove_file(&b).await.unwrap();
        assert!(!fs::try_exists(&c).await.unwrap(), "it leads nowhere");
        fs::create_dir(folder.path("d")).await.unwrap();
        fs::remove_dir(folder.path("d")).await.unwrap();
        fs::create_dir_all(folder.path("d/e/f")).await.unwrap();
        fs::create_dir_all(folder.path("d/e/f"))
            .await
            .expect("it is there");
        let mut private = DirBuilder::new();
        private.recursive(true).mode(0o700);
        private.create(folder.path("d/g/h")).await.unwrap();
        let mode = fs::metadata(folder.path("d/g/h"))
            .await
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        fs::remove_dir_all(folder.path("d")).await.unwrap();
        assert!(!fs::try_exists(folder.path("d")).await.unwrap());
    });
}

/// Goal: what tokio's users miss, "No such file or directory" of which file.
#[test]
fn every_error_names_what_was_tried_and_the_path() {
    everywhere(|folder| async move {
        let none = folder.path("none/such");
        let there = folder.file("there", b"");
        let name = format!("`{}`", none.display());
        let path = &none;
        let errors = [
            ("open file", File::open(path).await.map(drop)),
            ("open file", File::create(path).await.map(drop)),
            ("open file", File::create_new(path).await.map(drop)),
            ("read file", fs::read(path).await.map(drop)),
            ("read file", fs::read_to_string(path).await.map(drop)),
            ("write file", fs::write(path, "x").await),
            ("read folder", fs::read_dir(path).await.map(drop)),
            ("create folder", fs::create_dir(path).await),
            ("create folder", DirBuilder::new().create(path).await),
            ("remove folder", fs::remove_dir(path).await),
            ("remove folder", fs::remove_dir_all(path).await),
            ("remove file", fs::remove_file(path).await),
            ("resolve path", fs::canonicalize(path).await.map(drop)),
            ("read the metadata of", fs::metadata(path).await.map(drop)),
            (
                "read the metadata of",
                fs::symlink_metadata(path).await.map(drop),
            ),
            (
                "read the symbolic link",
                fs::read_link(path).await.map(drop),
            ),
            (
                "set the permissions of",
                fs::set_permissions(path, PermissionsExt::from_mode(0o600)).await,
            ),
            ("rename", fs::rename(&there, path).await),
            ("rename", fs::rename(path, &there).await),
            ("copy", fs::copy(path, &there).await.map(drop)),
            ("copy", fs::copy(&there, path).await.map(drop)),
            ("hard-link", fs::hard_link(path, &there).await),
            ("symlink", fs::symlink(&there, path).await),
        ];
        for (what, result) in errors {
            let error = result.expect_err(what);
            let text = error.to_string();
            assert_says(&text, &[&format!("cannot {what} "), &name, "os error 2"]);
            assert_eq!(error.kind(), ErrorKind::NotFound, "{text}");
            assert_eq!(number(&error), Some(2), "{text}");
        }
        let error = fs::try_exists(folder.path("there/x")).await;
        assert!(
            matches!(&error, Err(error) if error.kind() == ErrorKind::NotADirectory),
            "{error:?}"
        );
        let error = File::create_new(&there).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        let error = File::options().open(&there).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn want_of_permission_names_the_path() {
    if !alone("paths::want_of_permission_names_the_path") {
        return;
    }
    let folder = Folder::new();
    let path = folder.file("secret", b"x");
    let secret = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(&path, secret).unwrap();
    let root = rustix::process::geteuid().is_root();
    if root {
        // SAFETY: no pointers. The whole process gives up what root may do.
        assert_eq!(unsafe { libc::seteuid(65_534) }, 0);
    }
    foreign_block_on(async {
        let name = format!("`{}`", path.display());
        for error in [
            File::open(&path).await.unwrap_err(),
            fs::write(&path, "x").await.unwrap_err(),
            fs::copy(&path, folder.path("copy")).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            assert_says(&error.to_string(), &["cannot ", &name, "os error 13"]);
        }
    });
    if root {
        // SAFETY: no pointers.
        assert_eq!(unsafe { libc::seteuid(0) }, 0);
    }
}

#[test]
fn an_operation_begins_at_its_first_poll() {
    everywhere(|folder| async move {
        let path = folder.path("a");
        let write = fs::write(&path, "x");
        assert!(format!("{write:?}").contains("New"));
        drop(write);
        assert!(!path.exists());
        let from_a_task: fn(PathBuf) -> fs::Operation<Vec<u8>> = |path| fs::read(path);
        assert!(from_a_task(path).await.is_err());
    });
}

#[test]
fn options_reach_the_system() {
    everywhere(|folder| async move {
        let path = folder.path("a");
        let mut options = File::options();
        options
            .write(true)
            .create(true)
            .mode(0o600)
            .custom_flags(libc::O_EXCL);
        let file = options.open(&path).await.unwrap();
        assert_eq!(
            file.metadata().await.unwrap().permissions().mode() & 0o777,
            0o600
        );
        let error = options.open(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    });
}
