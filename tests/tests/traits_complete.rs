//! The table of `tests/tests/traits.rs` has a row for every public type.

use std::collections::BTreeSet;
use std::path::Path;

/// The names that a source file exports with `pub use`, and the types that it declares, but for what is
/// hidden from the documentation, only there for the models, or the standard library's.
fn exports(root: &Path, file: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root.join(file)).expect("the sources are next to the tests");
    let text = text.split("#[cfg(tenter_loom)]").next().unwrap_or_default();
    let mut names = BTreeSet::new();
    let mut hidden = false;
    for statement in text.split_inclusive([';', '{', '}']) {
        let code: String = statement
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join(" ");
        hidden |= code.contains("#[doc(hidden)]");
        let exported = ["pub use ", "pub struct ", "pub enum "]
            .iter()
            .find_map(|word| code.split(word).nth(1).map(|rest| (*word, rest)));
        let Some((word, rest)) = exported else {
            hidden &= code.trim_end().ends_with('{');
            continue;
        };
        let list = if word == "pub use " && rest.contains('{') {
            // The names follow in the braces.
            let at = text.find(statement).expect("it is a part") + statement.len();
            text[at..].split('}').next().unwrap_or_default().to_owned()
        } else if word == "pub use " {
            rest.rsplit("::").next().unwrap_or_default().to_owned()
        } else {
            rest.to_owned()
        };
        let words = list.split(|c: char| !c.is_alphanumeric() && c != '_');
        let words = words.filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase()));
        let from_std =
            word == "pub use " && (rest.starts_with("std::") || rest.starts_with("core::"));
        let count = match word {
            _ if from_std => 0,
            "pub use " => usize::MAX,
            _ => 1,
        };
        if !core::mem::replace(&mut hidden, false) {
            names.extend(words.take(count).map(str::to_owned));
        }
    }
    names
}

/// Goal: no public type is missing from the table.
/// Method: the sources are read, and every name that they export is looked for in the table.
#[test]
fn no_public_type_is_missing_from_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = [
        "runtime/src/lib.rs",
        "runtime/src/instrument/mod.rs",
        "runtime/src/task/mod.rs",
        "runtime/src/signal.rs",
        "runtime/src/fs/mod.rs",
        "runtime/src/process/mod.rs",
        "runtime/src/serve/mod.rs",
        "runtime/src/stdio.rs",
        "runtime/src/stream/mod.rs",
        "runtime/src/testing/mod.rs",
        "sync/src/lib.rs",
        "sync/src/channel/mod.rs",
        "sync/src/oneshot/mod.rs",
        "sync/src/watch/mod.rs",
        "sync/src/broadcast/mod.rs",
        "timer/src/lib.rs",
        "io/src/lib.rs",
        "io/src/net/mod.rs",
        "io/src/ext/mod.rs",
    ];
    let traits = "AsyncBufRead AsyncBufReadExt AsyncPeek AsyncRead AsyncReadExt AsyncSeek \
                  AsyncSeekExt AsyncWrite AsyncWriteExt Listener Separator StdDatagram StdListener \
                  StdStream ToSocketAddrs ToUnixAddr FusedStream Stream StreamExt";
    // A feature that is off here: `io/tests/auto_traits.rs` has its row.
    let elsewhere = "Compat";
    let table = concat!(
        include_str!("traits.rs"),
        include_str!("traits_table/runtime.rs"),
        include_str!("traits_table/streams.rs")
    );
    let table: String = table.lines().filter(|line| line.contains(" => ")).collect();
    let table: BTreeSet<&str> = table.split(|c: char| !c.is_alphanumeric()).collect();
    let mut seen = 0;
    for file in files {
        let names = exports(&root, file);
        assert!(
            !names.is_empty(),
            "{file} exports nothing: is it read right?"
        );
        for name in names {
            if name == elsewhere || traits.split(' ').any(|one| one == name) {
                continue;
            }
            seen += 1;
            assert!(table.contains(name.as_str()), "{name} of {file} has no row");
        }
    }
    assert!(seen > 170, "only {seen} types were found");
}
