//! The files of the workspace, read once.

use std::fs;
use std::path::{Path, PathBuf};

use crate::lexer::{Comment, Kind, Token, after_group, lex, reads};

/// The folder of the workspace.
pub fn root() -> PathBuf {
    // `cargo run` says where it found this package; a binary that was moved knows where it was built.
    let here = std::env::var_os("CARGO_MANIFEST_DIR");
    let here = here.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map_or_else(|| here.clone(), Path::to_owned)
}

/// A Rust file.
#[derive(Debug)]
pub struct Source {
    /// Relative to the workspace, with `/`.
    pub path: String,
    pub text: String,
    pub tokens: Vec<Token>,
    pub comments: Vec<Comment>,
}

/// The crates whose `src` is shipped.
pub const SHIPPED: [&str; 6] = ["sync", "timer", "io", "macros", "runtime", "http"];

impl Source {
    fn read(path: String) -> Result<Self, String> {
        let text = read(&path)?;
        Ok(Self::parse(path, text))
    }

    pub fn parse(path: String, text: String) -> Self {
        let (tokens, comments) = lex(&text);
        Self {
            path,
            text,
            tokens,
            comments,
        }
    }

    /// Code that a user of the crates runs: under `src` of a shipped crate, and no test file.
    pub fn is_shipped(&self) -> bool {
        let shipped = SHIPPED
            .iter()
            .any(|folder| self.path.starts_with(&format!("{folder}/src/")));
        shipped && !self.is_test()
    }

    /// A file that holds only tests.
    pub fn is_test(&self) -> bool {
        self.path.contains("/tests/")
            || self.path.starts_with("tests/")
            || self.path.ends_with("/tests.rs")
    }

    /// Tokens outside `#[cfg(test)]`.
    pub fn live(&self) -> impl Iterator<Item = (usize, &Token)> {
        self.tokens
            .iter()
            .enumerate()
            .filter(|(_, token)| !token.test)
    }

    /// Whether a comment on one of the `above` lines before `line`, or on it, holds the text.
    pub fn comment_near(&self, line: usize, above: usize, text: &str) -> bool {
        self.comments.iter().any(|comment| {
            comment.line <= line && comment.line + above >= line && comment.text.contains(text)
        })
    }

    /// Every path that the live code names, `use` groups written out: (line, path).
    ///
    /// `core` and `alloc` read as `std`; a macro call ends in `!`, a glob in `*`.
    pub fn paths(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let token = &self.tokens[at];
            if token.test || token.kind != Kind::Ident {
                at += 1;
                continue;
            }
            at = self.path_at(at, String::new(), &mut found);
        }
        for (_, path) in &mut found {
            for other in ["core::", "alloc::"] {
                if let Some(rest) = path.strip_prefix(other) {
                    *path = format!("std::{rest}");
                }
            }
        }
        found
    }

    /// Reads one path after `prefix`; returns the index after it.
    fn path_at(&self, mut at: usize, mut path: String, found: &mut Vec<(usize, String)>) -> usize {
        let tokens = &self.tokens;
        let line = tokens[at].line;
        loop {
            path += &tokens[at].text;
            at += 1;
            if reads(tokens, at, &["!"]) && !reads(tokens, at + 1, &["="]) {
                path += "!";
            }
            if !reads(tokens, at, &[":", ":"]) {
                break;
            }
            match tokens.get(at + 2) {
                Some(next) if next.kind == Kind::Ident || next.text == "*" => {
                    path += "::";
                    at += 2;
                }
                Some(next) if next.text == "{" => return self.group_at(at + 2, &path, found),
                _ => break,
            }
        }
        found.push((line, path));
        at
    }

    fn group_at(&self, open: usize, prefix: &str, found: &mut Vec<(usize, String)>) -> usize {
        let end = after_group(&self.tokens, open);
        let mut at = open + 1;
        while at + 1 < end {
            let token = &self.tokens[at];
            if token.kind == Kind::Ident || token.text == "*" {
                at = self.path_at(at, format!("{prefix}::"), found);
                if reads(&self.tokens, at, &["as"]) {
                    at += 2;
                }
            } else {
                at += 1;
            }
        }
        end
    }
}

/// Reads a file of the workspace.
pub fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(root().join(path)).map_err(|error| format!("cannot read {path}: {error}"))
}

/// Every file of the workspace, sorted; build output and hidden folders of tools left out.
pub fn files() -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    walk(&root(), "", &mut found)?;
    found.sort();
    Ok(found)
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) -> Result<(), String> {
    let complain = |error: std::io::Error| format!("cannot list {}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(complain)? {
        let entry = entry.map_err(complain)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == ".git" || name.starts_with("target") {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.file_type().map_err(complain)?.is_dir() {
            walk(&entry.path(), &format!("{path}/"), found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

/// `rust-version` of the workspace.
pub fn rust_version() -> Result<String, String> {
    let manifest = read("Cargo.toml")?;
    let line = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \""));
    let version = line.and_then(|line| line.split('"').next());
    version
        .map(str::to_owned)
        .ok_or_else(|| "Cargo.toml: there is no rust-version".to_owned())
}

/// A version as numbers, for comparison.
pub fn version(text: &str) -> Vec<u32> {
    text.split('.')
        .map(|part| part.parse().unwrap_or(0))
        .collect()
}

/// Every Rust file of the workspace.
pub fn sources() -> Result<Vec<Source>, String> {
    files()?
        .into_iter()
        .filter(|path| path.ends_with(".rs"))
        .map(Source::read)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn use_groups_are_written_out() {
        let text = "use std::{fmt, sync::{Arc, atomic::{AtomicU8 as A, Ordering}}}; fn f() { core::mem::drop::<u8>(1); x!(); }";
        let source = Source::parse("a.rs".into(), text.into());
        let paths: Vec<String> = source.paths().into_iter().map(|(_, path)| path).collect();
        for expected in [
            "std::fmt",
            "std::sync::Arc",
            "std::sync::atomic::AtomicU8",
            "std::sync::atomic::Ordering",
            "std::mem::drop",
            "x!",
        ] {
            assert!(
                paths.iter().any(|path| path == expected),
                "{expected} in {paths:?}"
            );
        }
    }

    #[test]
    fn a_note_counts_only_above_and_near() {
        let source = Source::parse(
            "a.rs".into(),
            "// ORDERING: x\n\n\nf();\n// ORDERING: y".into(),
        );
        assert!(source.comment_near(4, 8, "ORDERING:"));
        assert!(!source.comment_near(4, 2, "ORDERING:"));
    }
}
