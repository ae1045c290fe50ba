//! Dependency direction, count and age, compared with the table of the design.

use std::collections::{BTreeMap, BTreeSet};

use crate::Outcome;
use crate::json::Json;
use crate::process::{capture, cargo};
use crate::source;

/// The target for which the count is promised.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Third-party crates that `tenter` may need with default features.
const COUNT_MAX: usize = 20;

/// A shipped package, what it may use inside the workspace and what outside.
struct Wall {
    package: &'static str,
    inside: &'static [&'static str],
    outside: &'static [&'static str],
}

/// Dependencies point one way: sync ← timer ← io ← runtime ← http.
const WALLS: [Wall; 6] = [
    Wall {
        package: "tenter-sync",
        inside: &[],
        outside: &[
            "crossbeam-utils",
            "futures-core",
            "loom",
            "parking_lot",
            "rustix",
        ],
    },
    Wall {
        package: "tenter-timer",
        inside: &["tenter-sync"],
        outside: &[],
    },
    Wall {
        package: "tenter-io",
        inside: &["tenter-sync", "tenter-timer"],
        outside: &[
            "futures-core",
            "futures-io",
            "polling",
            "rustix",
            "socket2",
            "tokio",
        ],
    },
    Wall {
        package: "tenter-macros",
        inside: &[],
        outside: &[],
    },
    Wall {
        package: "tenter",
        inside: &["tenter-io", "tenter-macros", "tenter-sync", "tenter-timer"],
        outside: &[
            "crossbeam-deque",
            "futures-core",
            "futures-io",
            "libc",
            "rustix",
            "signal-hook-registry",
            "tokio",
        ],
    },
    Wall {
        package: "tenter-http",
        inside: &["tenter"],
        outside: &[
            "axum",
            "axum-core",
            "bytes",
            "http",
            "http-body",
            "http-body-util",
            "hyper",
            "hyper-util",
            "rustls",
            "rustls-pki-types",
            "tower",
            "tower-layer",
            "tower-service",
        ],
    },
];

pub fn check() -> Outcome {
    let text = capture(cargo().args([
        "metadata",
        "--locked",
        "--format-version=1",
        "--filter-platform",
        TARGET,
    ]))?;
    let metadata = Json::parse(&text)?;
    let mut wrong = Vec::new();
    let workspace = workspace_packages(&metadata);
    check_direction(&workspace, &mut wrong);
    let core = check_count(&mut wrong)?;
    check_languages(&metadata, &core, &mut wrong);
    check_ages(&metadata, &mut wrong)?;
    for line in &wrong {
        println!("{line}");
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("{} findings", wrong.len()))
    }
}

fn name(package: &Json) -> &str {
    package.get("name").text().unwrap_or_default()
}

/// The members of the workspace by name.
fn workspace_packages(metadata: &Json) -> BTreeMap<&str, &Json> {
    let members: BTreeSet<&str> = metadata
        .get("workspace_members")
        .list()
        .iter()
        .filter_map(Json::text)
        .collect();
    metadata
        .get("packages")
        .list()
        .iter()
        .filter(|package| {
            package
                .get("id")
                .text()
                .is_some_and(|id| members.contains(id))
        })
        .map(|package| (name(package), package))
        .collect()
}

fn check_direction(workspace: &BTreeMap<&str, &Json>, wrong: &mut Vec<String>) {
    for wall in &WALLS {
        let Some(package) = workspace.get(wall.package) else {
            wrong.push(format!(
                "Cargo.toml:1: the package {} is missing",
                wall.package
            ));
            continue;
        };
        for dependency in package.get("dependencies").list() {
            // Development dependencies do not reach a user; they may point anywhere.
            if dependency.get("kind").text() == Some("dev") {
                continue;
            }
            let used = name(dependency);
            let allowed = if workspace.contains_key(used) {
                wall.inside
            } else {
                wall.outside
            };
            if !allowed.contains(&used) {
                wrong.push(format!(
                    "{}: {} must not use {used}\n    fix: move the code down a crate, or change \
                     the walls in ARCHITECTURE.md and xtask/src/dependencies.rs together",
                    manifest(package),
                    wall.package,
                ));
            }
        }
    }
    for member in workspace.keys() {
        let published = workspace[member].get("publish") == &Json::Null;
        if published && !WALLS.iter().any(|wall| wall.package == *member) {
            wrong.push(format!(
                "{}: {member} would be published but has no row in the table of walls\n    fix: \
                 `publish = false`, or a row in xtask/src/dependencies.rs",
                manifest(workspace[member]),
            ));
        }
    }
}

fn manifest(package: &Json) -> String {
    let path = package.get("manifest_path").text().unwrap_or_default();
    let root = format!("{}/", source::root().display());
    path.strip_prefix(&root).unwrap_or(path).to_owned() + ":1"
}

/// The third-party crates of a package's normal and build dependencies: `name version`.
fn tree(package: &str) -> Result<BTreeSet<(String, String)>, String> {
    let text = capture(cargo().args([
        "tree",
        "--package",
        package,
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--target",
        TARGET,
        "--format",
        "{p}",
    ]))?;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(name), Some(version)) = (words.next(), words.next()) else {
            continue;
        };
        let local = words.any(|word| word.starts_with("(/") || word.contains(":\\"));
        if !local {
            found.insert((name.to_owned(), version.trim_start_matches('v').to_owned()));
        }
    }
    Ok(found)
}

fn check_count(wrong: &mut Vec<String>) -> Result<BTreeSet<(String, String)>, String> {
    let core = tree("tenter")?;
    let names: Vec<&str> = core.iter().map(|(name, _)| name.as_str()).collect();
    println!(
        "tenter needs {} third-party crates of at most {COUNT_MAX}: {}",
        core.len(),
        names.join(", ")
    );
    if core.len() > COUNT_MAX {
        wrong.push(format!(
            "runtime/Cargo.toml:1: tenter needs {} third-party crates, {COUNT_MAX} are allowed\n    \
             fix: drop a dependency or one of its features; `cargo tree -p tenter -e normal,build`",
            core.len(),
        ));
    }
    Ok(core)
}

/// No crate of the core builds or links C.
fn check_languages(metadata: &Json, core: &BTreeSet<(String, String)>, wrong: &mut Vec<String>) {
    for builder in ["cc", "cmake", "bindgen", "pkg-config"] {
        if core.iter().any(|(name, _)| name == builder) {
            wrong.push(format!(
                "runtime/Cargo.toml:1: tenter needs `{builder}`, so a C compiler or a C library\n    \
                 fix: `cargo tree -p tenter -i {builder}` shows who asks for it"
            ));
        }
    }
    for package in metadata.get("packages").list() {
        let links = package.get("links").text();
        if let (Some(library), true) = (links, core.contains(&identity(package))) {
            wrong.push(format!(
                "runtime/Cargo.toml:1: {} links the C library {library}\n    fix: do without it",
                name(package),
            ));
        }
    }
}

fn identity(package: &Json) -> (String, String) {
    let version = package.get("version").text().unwrap_or_default();
    (name(package).to_owned(), version.to_owned())
}

/// `rust-version` of everything that a user builds is not newer than ours.
fn check_ages(metadata: &Json, wrong: &mut Vec<String>) -> Outcome {
    let ours = source::rust_version()?;
    let mut shipped = BTreeSet::new();
    for wall in &WALLS {
        shipped.extend(tree(wall.package)?);
    }
    let mut silent = Vec::new();
    for package in metadata.get("packages").list() {
        if !shipped.contains(&identity(package)) {
            continue;
        }
        match package.get("rust_version").text() {
            None => silent.push(name(package)),
            Some(theirs) if source::version(theirs) > source::version(&ours) => wrong.push(format!(
                "Cargo.lock:1: {} {} needs Rust {theirs}, we promise {ours}\n    fix: `cargo update \
                 --package {} --precise <an older version>`",
                name(package),
                identity(package).1,
                name(package),
            )),
            Some(_) => {}
        }
    }
    println!(
        "rust-version: {} dependencies of the shipped crates, none newer than {ours} allowed; silent: {}",
        shipped.len(),
        if silent.is_empty() {
            "none".to_owned()
        } else {
            silent.join(", ")
        },
    );
    Ok(())
}
