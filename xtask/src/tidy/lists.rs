//! The lists of ARCHITECTURE.md, compared both ways: files with unsafe, statics.

use std::collections::BTreeSet;

use super::Report;
use crate::lexer::{Kind, Token, after_group, reads};
use crate::source::{SHIPPED, Source};
use crate::{Outcome, documents};

pub fn check_crate_roots(sources: &[Source], report: &mut Report) {
    for folder in SHIPPED {
        let path = format!("{folder}/src/lib.rs");
        let Some(root) = sources.iter().find(|source| source.path == path) else {
            report.add(&path, 1, "the crate has no root", "write it");
            continue;
        };
        let guarded = (0..root.tokens.len()).any(|at| {
            ["deny", "forbid"]
                .iter()
                .any(|word| reads(&root.tokens, at, &["#", "!", "[", word, "(", "unsafe_code"]))
        });
        if !guarded {
            report.add(
                &path,
                1,
                "the crate does not deny unsafe code",
                "add `#![deny(unsafe_code)]`",
            );
        }
    }
}

/// `unsafe` stands only in the files that ARCHITECTURE.md lists, and each listed file needs it.
pub fn check_unsafe_list(sources: &[Source], report: &mut Report) -> Outcome {
    let listed = documents::table("ARCHITECTURE.md", "Files with unsafe")?;
    let mut used = BTreeSet::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        let first = source
            .live()
            .find(|(_, token)| token.kind == Kind::Ident && token.text == "unsafe");
        let Some((_, token)) = first else { continue };
        used.insert(source.path.as_str());
        if !listed.iter().any(|row| row.cells[0] == source.path) {
            report.add(
                &source.path,
                token.line,
                "unsafe code in a file that may not hold any",
                "write it safely, or add a row with the reason to ARCHITECTURE.md, \"Files with unsafe\"",
            );
        }
    }
    for row in &listed {
        if !used.contains(row.cells[0].as_str()) {
            report.add(
                "ARCHITECTURE.md",
                row.line,
                format!("{} is listed but holds no unsafe code", row.cells[0]),
                "remove the row",
            );
        }
    }
    Ok(())
}

/// The statics are a list: two runtimes in one process share nothing else.
pub fn check_statics_list(sources: &[Source], report: &mut Report) -> Outcome {
    let listed = documents::table("ARCHITECTURE.md", "Statics")?;
    let mut found = BTreeSet::new();
    for source in sources.iter().filter(|source| source.is_shipped()) {
        for (name, line) in statics(&source.tokens) {
            let is_listed = listed.iter().any(|row| {
                row.cells[0] == name && row.cells.get(1).is_some_and(|file| *file == source.path)
            });
            if !is_listed {
                report.add(
                    &source.path,
                    line,
                    format!("the static {name} is not in the list"),
                    "put the state into the runtime, or add a row to ARCHITECTURE.md, \"Statics\"",
                );
            }
            found.insert((name, source.path.clone()));
        }
    }
    for row in &listed {
        let file = row.cells.get(1).cloned().unwrap_or_default();
        if !found.contains(&(row.cells[0].clone(), file.clone())) {
            report.add(
                "ARCHITECTURE.md",
                row.line,
                format!("there is no static {} in {file}", row.cells[0]),
                "remove the row",
            );
        }
    }
    Ok(())
}

/// Statics outside tests and outside thread-local declarations: (name, line).
fn statics(tokens: &[Token]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let thread_local = ["thread_local", "local", "loom_thread_local"]
            .iter()
            .any(|name| reads(tokens, at, &[name, "!"]));
        if thread_local {
            at = after_group(tokens, at + 2);
            continue;
        }
        let is_static =
            tokens[at].kind == Kind::Ident && tokens[at].text == "static" && !tokens[at].test;
        let name_at = if reads(tokens, at + 1, &["mut"]) {
            at + 2
        } else {
            at + 1
        };
        if let (true, Some(name)) = (is_static, tokens.get(name_at)) {
            if name.kind == Kind::Ident && reads(tokens, name_at + 1, &[":"]) {
                found.push((name.text.clone(), name.line));
            }
        }
        at += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::statics;
    use crate::source::Source;

    #[test]
    fn statics_are_told_from_lifetimes_and_thread_locals() {
        let text = "static A: u8 = 0; fn f(x: &'static str) {} local! { static B: u8 = 0; } fn g() { static mut C: u8 = 0; }";
        let source = Source::parse("a.rs".into(), text.into());
        let names: Vec<String> = statics(&source.tokens)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["A", "C"]);
    }
}
