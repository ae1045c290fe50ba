//! The guide's table of rows against the tests that there are.
//!
//! Each row names tests that exist, begin with the row's number, and run: nothing is ignored. Each row of
//! asyncio and trio is in the table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, iter};

/// The rows of the two tables of features, A01 to A104 and X01 to X24; the numbers have gaps.
fn all_rows() -> Vec<String> {
    let asyncio = [1..=4, 10..=18, 20..=27, 30..=33, 40..=44, 50..=55, 60..=66]
        .into_iter()
        .flatten()
        .chain([70, 75, 80, 85, 86])
        .chain(90..=97)
        .chain(100..=104)
        .map(|number| format!("A{number:02}"));
    asyncio
        .chain((1..=24).map(|number| format!("X{number:02}")))
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            rust_files(&path, files);
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
}

/// The functions with a test attribute right above them, and whether something keeps them from running.
fn tests() -> BTreeMap<String, bool> {
    let mut files = Vec::new();
    for crate_folder in ["sync", "timer", "io", "runtime", "http", "tests"] {
        rust_files(&root().join(crate_folder), &mut files);
    }
    let mut tests = BTreeMap::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("the file can be read");
        let mut attributes: Vec<&str> = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[") {
                attributes.push(line);
                continue;
            }
            let function = line.trim_start_matches("async ").strip_prefix("fn ");
            if let Some(name) = function.and_then(|rest| rest.split('(').next()) {
                let is_test = attributes.iter().any(|it| it.contains("test"));
                if is_test {
                    let ignored = attributes.iter().any(|it| it.starts_with("#[ignore"));
                    tests.insert(name.to_owned(), ignored);
                }
            }
            if !line.starts_with("//") && !line.ends_with(',') && !line.starts_with(')') {
                attributes.clear();
            }
        }
    }
    tests
}

/// The cells of each row of the tables in `rows.md`.
fn table() -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join("docs/guide/rows.md")).expect("the guide is there");
    let rows = text.lines().filter_map(|line| {
        let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let cells: Vec<String> = cells.split(" | ").map(str::to_owned).collect();
        let number = cells.first()?.strip_prefix(['A', 'X'])?;
        number.parse::<u32>().is_ok().then_some(cells)
    });
    rows.collect()
}

#[test]
fn every_row_names_tests_that_run() {
    let tests = tests();
    assert!(tests.len() > 1_000, "the tests are found: {}", tests.len());
    let mut problems = Vec::new();
    for cells in &table() {
        assert_eq!(cells.len(), 4, "{cells:?}");
        let prefix = format!("{}_", cells[0].to_lowercase());
        let names: Vec<&str> = cells[3]
            .split(", ")
            .map(|name| name.trim_matches('`'))
            .collect();
        if names.iter().all(|name| name.is_empty()) {
            problems.push(format!("{} names no test", cells[0]));
            continue;
        }
        for name in names {
            match tests.get(name) {
                None => problems.push(format!("{}: there is no test {name}", cells[0])),
                Some(true) => problems.push(format!("{}: {name} is ignored", cells[0])),
                Some(false) if !name.starts_with(&prefix) => {
                    problems.push(format!("{}: {name} is the test of another row", cells[0]));
                }
                Some(false) => {}
            }
        }
    }
    assert!(
        problems.is_empty(),
        "docs/guide/rows.md:\n{}",
        problems.join("\n")
    );
}

#[test]
fn every_row_is_in_the_guide() {
    let listed: Vec<String> = table().into_iter().map(|cells| cells[0].clone()).collect();
    for row in all_rows() {
        let times = listed.iter().filter(|listed| **listed == row).count();
        assert_eq!(
            times, 1,
            "row {row} stands in docs/guide/rows.md {times} times"
        );
    }
    assert_eq!(listed.len(), all_rows().len());
    assert!(iter::zip(&listed, listed.iter().skip(1)).all(|(one, next)| one != next));
}
