//! `docs/faults.md` has a row for every fault, and every test that it names is there.

use std::path::Path;

const FAULTS: usize = 52;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the root")
}

/// The rows: number, and the tests as (file, function).
fn rows(text: &str) -> Vec<(usize, Vec<(String, String)>)> {
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.split(" | ").collect();
        let number = cells[0].parse().ok()?;
        assert_eq!(cells.len(), 4, "row {number}");
        assert!(
            cells[1..3].iter().all(|cell| cell.len() > 5),
            "row {number}"
        );
        let tests = cells[3].trim_end_matches(" |").split(", ");
        let tests = tests.map(|test| {
            let test = test
                .strip_prefix('`')
                .and_then(|test| test.strip_suffix('`'));
            let test = test.unwrap_or_else(|| panic!("row {number}: a test in backticks"));
            let (file, name) = test.split_once("::").expect("file::test");
            (file.to_owned(), name.to_owned())
        });
        Some((number, tests.collect()))
    });
    rows.collect()
}

/// Whether `text` has the test: a function of this name, that is marked, or that a list of tests
/// names.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let function = format!("fn {name}(");
    let at = lines.iter().position(|line| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.starts_with(&function)
    });
    let Some(at) = at else { return false };
    let above = lines[..at].iter().rev();
    let marked = above
        .take_while(|line| line.starts_with("#[") || line.starts_with("//") || line.ends_with(")]"))
        .any(|line| line.starts_with("#[test]") || line.starts_with("#[tenter::test"));
    let entry = format!("{name},");
    let lists = ["on_every_backend!", "on_every_selector!"];
    let listed = lines.iter().any(|line| *line == entry)
        && lines
            .iter()
            .any(|line| lists.iter().any(|list| line.starts_with(list)));
    marked || listed
}

/// Goal: the table is complete and true.
#[test]
fn every_fault_is_listed_with_tests_that_exist() {
    let text = std::fs::read_to_string(root().join("docs/faults.md")).expect("the table");
    let rows = rows(&text);
    let numbers: Vec<usize> = rows.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=FAULTS).collect::<Vec<_>>());
    let mut missing = Vec::new();
    for (number, tests) in rows {
        assert!(!tests.is_empty(), "row {number}");
        for (file, name) in tests {
            let source = std::fs::read_to_string(root().join(&file)).unwrap_or_default();
            if !has_test(&source, &name) {
                missing.push(format!("row {number}: {file}::{name}"));
            }
        }
    }
    assert!(missing.is_empty(), "no such test: {missing:#?}");
}

/// Goal: every test that is called after a fault is in the table.
#[test]
fn every_test_of_a_fault_is_listed() {
    let text = std::fs::read_to_string(root().join("docs/faults.md")).expect("the table");
    let mut missing = Vec::new();
    for folder in ["io/tests", "timer/tests", "tests/tests/faults"] {
        for entry in std::fs::read_dir(root().join(folder)).expect("tests") {
            let path = entry.expect("an entry").path();
            let source = std::fs::read_to_string(&path).unwrap_or_default();
            for line in source
                .lines()
                .filter_map(|line| line.strip_prefix("fn fault_"))
            {
                let name = format!("fault_{}", line.split('(').next().expect("a name"));
                if !text.contains(&format!("::{name}`")) {
                    missing.push(format!("{}::{name}", path.display()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "not in docs/faults.md: {missing:#?}");
}

/// The check itself sees what is there and what is not.
#[test]
fn a_test_is_told_from_what_is_none() {
    let text = "on_every_backend! {\n    listed,\n}\nfn listed(rig: &mut Rig) {}\n\
                #[test]\n#[should_panic]\nfn marked() {}\nfn helper() {}\n";
    assert!(has_test(text, "listed") && has_test(text, "marked"));
    assert!(!has_test(text, "helper") && !has_test(text, "absent"));
}
