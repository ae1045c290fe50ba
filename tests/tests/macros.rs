//! `#[tenter::main]` and `#[tenter::test]`: what they generate runs, and what they refuse is
//! refused at the right place with the right words.
//!
//! The programs in `tests/ui` say in comments what the compiler must report, and where:
//! `//~ ERROR part of the message`, at the end of the line it is reported on. A program without
//! such comments must compile without any warning. Both directions are checked: a report that no
//! comment expects fails as well.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Goal: an outer function keeps its return type, and its body runs on a runtime.
/// Method: call functions that carry the attribute.
#[test]
fn a_main_function_returns_what_its_body_returns() {
    #[tenter::main(flavor = "current_thread", workers = 1, name = "named")]
    async fn answer() -> Result<u32, std::num::ParseIntError> {
        let value = tenter::spawn(async { "42".parse::<u32>() });
        value.await.expect("the task is not cancelled")
    }
    assert_eq!(answer(), Ok(42));
}

/// Goal: a program has many workers unless it says otherwise, and as many as it says.
/// Method: ask the runtime from inside.
#[test]
fn a_main_function_runs_on_many_workers() {
    #[tenter::main(workers = 3)]
    async fn three() -> usize {
        tenter::spawn(async { tenter::Handle::current().metrics().workers })
            .await
            .expect("no panic")
    }
    #[tenter::main(flavor = "multi_thread")]
    async fn default() -> usize {
        tenter::Handle::current().metrics().workers
    }
    assert_eq!(three(), 3);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    assert_eq!(default(), cores);
}

/// Goal: a test may run on many workers, on the real clock.
/// Method: two tasks that wait for each other on their threads need two.
#[tenter::test(flavor = "multi_thread", workers = 2, timeout = "2m")]
async fn a_test_may_run_on_many_workers() {
    let both = std::sync::Arc::new(std::sync::Barrier::new(2));
    let meet = |both: std::sync::Arc<std::sync::Barrier>| async move { both.wait().is_leader() };
    let one = tenter::spawn(meet(std::sync::Arc::clone(&both)));
    let other = tenter::spawn(meet(both));
    let leaders = (one.await.expect("no panic"), other.await.expect("no panic"));
    assert!(leaders.0 != leaders.1);
}

/// Goal: a test is deterministic by default: its clock is virtual.
/// Method: let an hour pass; only a virtual clock is exact to the nanosecond.
#[tenter::test]
async fn an_hour_passes_at_once_and_exactly() {
    let start = tenter::time::now();
    tenter::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(
        tenter::time::now().duration_since(start),
        Duration::from_secs(3_600)
    );
}

/// Goal: a test may return a `Result` and take every argument.
#[tenter::test(flavor = "deterministic", seed = 7, timeout = "2m", crate = ::tenter)]
async fn a_test_may_return_a_result() -> Result<(), tenter::time::Elapsed> {
    let minute = tenter::time::sleep(Duration::from_secs(60));
    tenter::time::timeout(Duration::from_secs(61), minute).await
}

/// Goal: the timeout of a test fails it instead of letting it hang.
#[tenter::test(timeout = "5s")]
#[should_panic(expected = "5s")]
async fn a_timeout_fails_the_test_in_virtual_time() {
    tenter::time::sleep(Duration::from_secs(6)).await;
}

/// Goal: other attributes stay on the test.
#[tenter::test(flavor = "current_thread")]
#[should_panic(expected = "on purpose")]
async fn a_panic_reaches_should_panic() {
    panic!("on purpose");
}

/// Goal: every diagnostic of the attributes stands where the user's mistake is, and no other is
/// reported. Method: compile `tests/ui/*.rs` and compare with the comments in them.
#[test]
fn mistakes_are_reported_where_they_were_made() {
    let compiler = Compiler::find();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
    let mut programs: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    programs.sort();
    assert!(
        programs.len() >= 6,
        "the programs are in {}",
        folder.display()
    );
    let failures: Vec<String> = programs
        .iter()
        .flat_map(|program| compare(&compiler, program))
        .collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// What differs between the reports on one program and the comments in it.
fn compare(compiler: &Compiler, program: &Path) -> Vec<String> {
    let source = std::fs::read_to_string(program).unwrap();
    let mut expected: Vec<(usize, &str)> = Vec::new();
    for (index, line) in source.lines().enumerate() {
        for part in line.split("//~ ERROR ").skip(1) {
            expected.push((index + 1, part.trim()));
        }
    }
    let mut failures = Vec::new();
    // A function under `#[test]` exists only with `--test`, `fn main` only counts without.
    let mut reports = compiler.check(program, &[]);
    reports.extend(compiler.check(program, &["--test"]));
    for (line, part) in &expected {
        if !reports
            .iter()
            .any(|(at, message)| at == line && message.contains(part))
        {
            failures.push(format!(
                "{}:{line}: not reported: {part}",
                program.display()
            ));
        }
    }
    for (line, message) in &reports {
        if !expected
            .iter()
            .any(|(at, part)| at == line && message.contains(part))
        {
            failures.push(format!(
                "{}:{line}: not expected: {message}",
                program.display()
            ));
        }
    }
    failures
}

/// `rustc`, with the libraries this very test was linked with.
struct Compiler {
    libraries: Vec<PathBuf>,
    tenter: PathBuf,
    output: PathBuf,
}

impl Compiler {
    /// Finds a library `tenter` beside this test that the compiler accepts, newest first: a target
    /// folder keeps those of earlier builds.
    fn find() -> Compiler {
        let program = std::env::current_exe().unwrap();
        let beside = program.parent().unwrap().to_path_buf();
        let libraries = vec![beside.clone(), host_libraries(&beside)];
        let mut candidates: Vec<_> = std::fs::read_dir(&beside)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| {
                let name = entry.file_name().into_string().unwrap_or_default();
                name.starts_with("libtenter-") && name.ends_with(".rlib")
            })
            .collect();
        candidates
            .sort_by_key(|entry| std::cmp::Reverse(entry.metadata().unwrap().modified().unwrap()));
        let probe = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/valid.rs");
        let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join("macros_ui.rmeta");
        let compilers = candidates.iter().map(|tenter| Compiler {
            libraries: libraries.clone(),
            tenter: tenter.path(),
            output: output.clone(),
        });
        let mut reasons = Vec::new();
        for compiler in compilers {
            match compiler.check(&probe, &[]) {
                reports if reports.is_empty() => return compiler,
                reports => reasons.push(format!("{}: {reports:?}", compiler.tenter.display())),
            }
        }
        panic!(
            "no library `tenter` in {} compiles ui/valid.rs: {reasons:#?}",
            beside.display()
        );
    }

    /// The reports on `program`: line and message.
    fn check(&self, program: &Path, flags: &[&str]) -> Vec<(usize, String)> {
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args([
            "--edition",
            "2024",
            "--emit",
            "metadata",
            "--error-format",
            "short",
        ]);
        rustc.args(flags).arg("-o").arg(&self.output);
        rustc
            .arg("--extern")
            .arg(format!("tenter={}", self.tenter.display()));
        for folder in &self.libraries {
            rustc
                .arg("-L")
                .arg(format!("dependency={}", folder.display()));
        }
        let answer = rustc.arg(program).output().expect("rustc runs");
        let text = String::from_utf8_lossy(&answer.stderr).into_owned();
        let place = format!("{}:", program.display());
        let mut reports = Vec::new();
        for line in text.lines() {
            match line
                .strip_prefix(&place)
                .and_then(|rest| rest.split_once(':'))
            {
                Some((at, message)) => reports.push((at.parse().unwrap(), message.to_string())),
                // The closing summary names no place; an error that names none is a surprise.
                None if line.starts_with("error: aborting") || line.contains("emitted") => {}
                None => reports.push((0, line.to_string())),
            }
        }
        assert!(
            answer.status.success() || !reports.is_empty(),
            "no report, and yet: {text}"
        );
        reports
    }
}

/// Where procedural macros are when the target is named (`--target`): `target/debug/deps` beside
/// `target/<triple>/debug/deps`.
fn host_libraries(beside: &Path) -> PathBuf {
    let profile = beside
        .parent()
        .and_then(Path::file_name)
        .unwrap_or_default();
    beside.join("../../..").join(profile).join("deps")
}
