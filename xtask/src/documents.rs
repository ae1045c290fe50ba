//! The documents are read like code: tables are compared, names and links must exist.

use std::collections::BTreeSet;

use crate::lexer::reads;
use crate::source::{self, Source};
use crate::tidy::Report;

/// A row of a table in a document.
#[derive(Debug)]
pub struct Row {
    pub line: usize,
    /// The cells, without the backticks around them.
    pub cells: Vec<String>,
}

/// The rows of the tables under a heading whose first cell is in backticks.
pub fn table(file: &str, heading: &str) -> Result<Vec<Row>, String> {
    let text = source::read(file)?;
    let rows = rows_under(&text, heading);
    rows.ok_or_else(|| format!("{file}: the section \"{heading}\" is missing"))
}

fn rows_under(text: &str, heading: &str) -> Option<Vec<Row>> {
    let mut inside = false;
    let mut seen = false;
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('#') {
            inside = line.trim_start_matches('#').trim() == heading;
            seen |= inside;
        } else if inside && line.starts_with("| `") {
            let cells = line.trim_matches('|').split(" | ");
            let cells = cells
                .map(|cell| cell.trim().trim_matches('`').to_owned())
                .collect();
            rows.push(Row {
                line: index + 1,
                cells,
            });
        }
    }
    seen.then_some(rows)
}

pub fn check(sources: &[Source], report: &mut Report) -> Result<(), String> {
    let files = source::files()?;
    let known: BTreeSet<&str> = files.iter().map(String::as_str).collect();
    for file in &files {
        let readable = [".rs", ".toml", ".md", ".supp", ".lock", ".yml"]
            .iter()
            .any(|end| file.ends_with(end));
        if !readable && file != ".ci/run" {
            continue;
        }
        let text = source::read(file)?;
        check_words(file, &text, report);
        if file.ends_with(".md") {
            check_links(file, &text, &known, report);
        }
    }
    check_headers(sources, &known, report);
    check_models_are_named(sources, report);
    check_readme(report)?;
    check_changelog(report)?;
    check_bugs_of_others(sources, report)
}

/// The project speaks of itself alone: no path of one machine.
fn check_words(file: &str, text: &str, report: &mut Report) {
    // Put together here, so that this file does not find itself.
    let denied = ["root", "work", "tmp", "home"].map(|name| format!("/{name}/"));
    for (index, line) in text.lines().enumerate() {
        if let Some(word) = denied.iter().find(|word| line.contains(word.as_str())) {
            report.add(
                file,
                index + 1,
                format!("the machine path {word}"),
                "use a relative path, or std::env::temp_dir()",
            );
        }
    }
}

/// Relative links lead somewhere.
fn check_links(file: &str, text: &str, known: &BTreeSet<&str>, report: &mut Report) {
    for (index, line) in text.lines().enumerate() {
        for rest in line.split("](").skip(1) {
            let Some((target, _)) = rest.split_once(')') else {
                continue;
            };
            let target = target.split('#').next().unwrap_or_default();
            let foreign =
                target.is_empty() || target.contains("://") || target.starts_with("mailto:");
            if foreign {
                continue;
            }
            let path = resolve(file, target);
            let folder = format!("{}/", path.trim_end_matches('/'));
            let exists =
                known.contains(path.as_str()) || known.iter().any(|file| file.starts_with(&folder));
            if !exists {
                report.add(
                    file,
                    index + 1,
                    format!("the link to {target} leads nowhere"),
                    "correct it",
                );
            }
        }
    }
}

/// `target` seen from the folder of `file`.
fn resolve(file: &str, target: &str) -> String {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A header's "Tests:" line names files that exist.
fn check_headers(sources: &[Source], known: &BTreeSet<&str>, report: &mut Report) {
    for source in sources {
        let mut inside = false;
        for comment in source
            .comments
            .iter()
            .filter(|comment| comment.text.starts_with("//!"))
        {
            let text = comment.text.trim_start_matches("//!").trim();
            inside = text.starts_with("Tests:") || (inside && !text.is_empty());
            if !inside {
                continue;
            }
            for named in text.split('`').skip(1).step_by(2) {
                if !header_name_exists(sources, source, named, known) {
                    report.add(
                        &source.path,
                        comment.line,
                        format!("the header names {named}, which does not exist"),
                        "name a file, from the workspace or from the crate's folder, or a test",
                    );
                }
            }
        }
    }
}

/// Each protocol that is modelled says so in the header of its source.
fn check_models_are_named(sources: &[Source], report: &mut Report) {
    let models = sources
        .iter()
        .filter(|source| source.path.starts_with("loom-tests/tests/"));
    for model in models.filter(|model| !model.path.ends_with("/canary.rs")) {
        let mut headers = sources.iter().filter(|source| source.is_shipped());
        let named = headers.any(|source| {
            source.comments.iter().any(|comment| {
                comment.text.starts_with("//!") && comment.text.contains(&model.path)
            })
        });
        if !named {
            report.add(
                &model.path,
                1,
                "no source names this model",
                "name it in the \"Tests:\" line of its protocol's header",
            );
        }
    }
}

/// A file, or a test function; anything else in backticks is prose.
fn header_name_exists(
    sources: &[Source],
    source: &Source,
    named: &str,
    known: &BTreeSet<&str>,
) -> bool {
    if named.ends_with(".rs") {
        let folder = source.path.split('/').next().unwrap_or_default();
        let paths = [
            named.to_owned(),
            format!("{folder}/{named}"),
            format!("{folder}/src/{named}"),
            resolve(&source.path, named),
        ];
        return paths.iter().any(|path| known.contains(path.as_str()));
    }
    let test = named.contains('_')
        && named
            .chars()
            .all(|c| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit());
    !test || has_test(sources, named)
}

fn check_readme(report: &mut Report) -> Result<(), String> {
    let ours = source::rust_version()?;
    let text = source::read("README.md")?;
    let mut lines = text
        .lines()
        .enumerate()
        .skip_while(|(_, line)| !line.contains("Supported Rust versions"));
    let Some((index, _)) = lines.next() else {
        report.add(
            "README.md",
            1,
            "the section \"Supported Rust versions\" is missing",
            "write it",
        );
        return Ok(());
    };
    let section: String = lines
        .take_while(|(_, line)| !line.starts_with('#'))
        .map(|(_, line)| line)
        .collect();
    let said = section
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .map(|word| word.trim_matches('.'));
    if !said.clone().any(|word| word == ours) {
        report.add(
            "README.md",
            index + 1,
            format!("does not name Rust {ours}, the rust-version of Cargo.toml"),
            "say the same in both",
        );
    }
    Ok(())
}

fn check_changelog(report: &mut Report) -> Result<(), String> {
    let text = source::read("CHANGELOG.md")?;
    if !text.contains("## [Unreleased]") {
        report.add(
            "CHANGELOG.md",
            1,
            "there is no section \"## [Unreleased]\"",
            "add it at the top",
        );
    }
    Ok(())
}

/// The tests that docs/BUGS_OF_OTHERS.md names exist: `file.rs` or `test_name` in backticks in
/// the last column; a row whose last column holds none gives a reason instead.
fn check_bugs_of_others(sources: &[Source], report: &mut Report) -> Result<(), String> {
    let file = "docs/BUGS_OF_OTHERS.md";
    let text = source::read(file)?;
    for (index, line) in text.lines().enumerate() {
        let Some(row) = line
            .strip_prefix("| ")
            .filter(|row| row.starts_with(|c: char| c.is_ascii_digit()))
        else {
            continue;
        };
        let last = row
            .trim_end()
            .trim_end_matches('|')
            .rsplit(" | ")
            .next()
            .unwrap_or_default();
        // The other rows give a reason, in prose.
        if row.split(" | ").nth(2).unwrap_or_default().trim() != "yes" {
            continue;
        }
        let mut names = last.split('`').skip(1).step_by(2).peekable();
        if names.peek().is_none() {
            report.add(
                file,
                index + 1,
                "a bug that applies names no test",
                "name the test in the last column",
            );
        }
        for name in names.filter(|name| !has_test(sources, name)) {
            report.add(
                file,
                index + 1,
                format!("there is no test {name}"),
                "name a test function",
            );
        }
    }
    Ok(())
}

/// A test function `name`, `file::name`, or `path::to::name`.
fn has_test(sources: &[Source], name: &str) -> bool {
    let (file, test) = name.rsplit_once("::").unwrap_or(("", name));
    let file = file.split("::").next().unwrap_or_default();
    sources
        .iter()
        .filter(|source| file.is_empty() || source.path.contains(file))
        .any(|source| (0..source.tokens.len()).any(|at| reads(&source.tokens, at, &["fn", test])))
}

#[cfg(test)]
mod tests {
    use super::{check_words, resolve, rows_under};
    use crate::tidy::Report;

    #[test]
    fn a_table_is_read_under_its_heading_only() {
        let text = "## A\n| `x` | y |\n## Statics\n| name | file |\n|---|---|\n| `X` | `a/b.rs` | why |\n## B\n| `z` | |\n";
        let rows = rows_under(text, "Statics").unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].cells, ["X", "a/b.rs", "why"]);
        assert!(rows_under(text, "C").is_none());
    }

    #[test]
    fn links_resolve_from_their_file() {
        assert_eq!(resolve("docs/a.md", "../b.md"), "b.md");
        assert_eq!(resolve("docs/a.md", "adr/b.md"), "docs/adr/b.md");
    }

    #[test]
    fn a_machine_path_is_found() {
        let mut report = Report::default();
        check_words("a.md", &format!("see {}{}", "/ro", "ot/x"), &mut report);
        assert!(format!("{report:?}").contains("machine path"));
    }
}
