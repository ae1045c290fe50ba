//! The list of all waiting functions, read from the sources.
//!
//! A waiting function is public, and returns a future: it is `async`, or returns an `impl Future` or a type
//! that has an `impl Future for`. Its name is the file's, the type's and its own: `net::tcp::StreamSocket::connect`.
//! Macros that wait are those that the combinators export.
//!
//! This reads what rustfmt has written, so it need not know the language: headers begin a line.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A file of the sources, and how its functions are named.
struct Source {
    module: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for package in ["io", "timer", "runtime"] {
        let src = root.join(package).join("src");
        let mut folders = vec![src.clone()];
        while let Some(folder) = folders.pop() {
            let entries = std::fs::read_dir(&folder).expect("the sources are there");
            for path in entries.map(|entry| entry.expect("it is readable").path()) {
                match path.extension() {
                    None => folders.push(path),
                    Some(extension) if extension == "rs" => found.push(source(&src, &path)),
                    Some(_) => {}
                }
            }
        }
    }
    found
}

fn source(src: &Path, path: &PathBuf) -> Source {
    let text = std::fs::read_to_string(path).expect("it is readable");
    // What only the models see stands at the end of a file.
    let text = text
        .split("\npub mod model {")
        .next()
        .expect("a first part");
    let name = path
        .strip_prefix(src)
        .expect("it is in there")
        .with_extension("");
    let parts = name.iter().map(|part| part.to_string_lossy().into_owned());
    let parts: Vec<_> = parts
        .filter(|part| part != "mod" && part != "lib")
        .collect();
    Source {
        module: parts.join("::"),
        text: text.to_owned(),
    }
}

/// The identifier that `text` begins with.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$' && c != '!');
    &text[..end.unwrap_or(text.len())]
}

/// What stands behind `<…>`, if `text` begins with that.
fn past_generics(text: &str) -> &str {
    let mut depth = 0;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return if at == 0 { text } else { &text[at + 1..] };
        }
        before = c;
    }
    text
}

/// The type of an `impl`, or the name of a public trait.
fn header(line: &str) -> Option<&str> {
    if let Some(rest) = line.strip_prefix("pub trait ") {
        return Some(word(rest));
    }
    let rest = past_generics(line.strip_prefix("impl")?).trim_start();
    let of = rest.rsplit_once(" for ").map_or(rest, |(_, of)| of);
    let path = of.split(['<', ' ', '{']).next()?;
    Some(path.rsplit("::").next().unwrap_or(path))
}

/// Types that are futures.
fn futures(sources: &[Source]) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let mut by_macro = 0;
    for Source { text, .. } in sources {
        for (at, pattern) in text.match_indices(" Future for ") {
            match word(&text[at + pattern.len()..]) {
                name if name.starts_with('$') => by_macro += 1,
                name => drop(found.insert(name)),
            }
        }
    }
    // Those of `async_fd.rs`, made by its two macros.
    assert_eq!(by_macro, 2, "another macro makes futures: name them here");
    found.extend(["Readable", "Writable", "ReadWith", "WriteWith"]);
    found
}

/// What a signature that begins behind the name returns.
fn returned(signature: &str) -> Option<&str> {
    let arguments = past_generics(signature);
    let mut depth = 0;
    let end = arguments.char_indices().find_map(|(at, c)| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })?;
    Some(
        arguments[end + 1..]
            .trim_start()
            .strip_prefix("->")?
            .trim_start(),
    )
}

/// All names that a `pub use` makes public, or that stand in a public module themselves.
fn exported(sources: &[Source]) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for Source { text, .. } in sources {
        for line in text.split("\npub use ").skip(1) {
            let list = line.split(';').next().expect("a first part");
            found.extend(list.split(|c: char| !c.is_alphanumeric() && c != '_'));
        }
    }
    found
}

/// Modules whose functions are public where they stand.
const PUBLIC: [&str; 3] = ["", "signal", "from_thread"];

/// All waiting functions.
pub fn listed() -> BTreeSet<String> {
    let sources = sources();
    let (futures, exported) = (futures(&sources), exported(&sources));
    let mut found = BTreeSet::new();
    // The scripted children of the models are not in production.
    for Source { module, text } in sources
        .iter()
        .filter(|source| !source.module.ends_with("_script"))
    {
        let mut of = None;
        let mut is_trait = false;
        for line in text.match_indices('\n').map(|(at, _)| &text[at + 1..]) {
            let head = line.split('\n').next().expect("a first line");
            if let Some(name) = header(&line[..line.find('{').unwrap_or(line.len())]) {
                (of, is_trait) = (Some(name), head.starts_with("pub trait"));
            } else if head.starts_with('}') {
                (of, is_trait) = (None, false);
            }
            found.extend(exported_macro(module, line));
            let begins = head.trim_start();
            let begins = match begins.strip_prefix("pub ") {
                Some(rest) => rest,
                None if is_trait => begins,
                None => continue,
            };
            let (is_async, begins) = match begins.strip_prefix("async ") {
                Some(rest) => (true, rest),
                None => (false, begins),
            };
            let Some(rest) = begins.strip_prefix("fn ") else {
                continue;
            };
            let name = word(rest);
            let signature = &line[line.find(name).expect("it is there") + name.len()..];
            let output = returned(signature).unwrap_or_default();
            let waits =
                is_async || output.starts_with("impl Future") || futures.contains(word(output));
            let of = of.filter(|_| head.starts_with(' '));
            if !waits {
                continue;
            }
            for name in macro_names(name, text) {
                let stands_there = PUBLIC.contains(&module.as_str());
                if stands_there || exported.contains(of.unwrap_or(name)) {
                    let parts = [module.as_str(), of.unwrap_or_default(), name];
                    let parts = parts.into_iter().filter(|part| !part.is_empty());
                    found.insert(parts.collect::<Vec<_>>().join("::"));
                }
            }
        }
    }
    found
}

/// The name, or if a macro writes the function, those that it is given.
fn macro_names<'a>(name: &'a str, text: &'a str) -> Vec<&'a str> {
    if name != "$name" {
        return vec![name];
    }
    let lines = text.lines().filter_map(|line| line.strip_prefix("    "));
    lines
        .filter(|line| line.starts_with(char::is_alphabetic))
        .filter_map(|line| {
            line.split_once(" -> ")
                .filter(|(_, rest)| rest.contains(", \""))
        })
        .map(|(name, _)| name)
        .collect()
}

fn exported_macro(module: &str, line: &str) -> Option<String> {
    let line = line.strip_prefix("#[macro_export]\n")?;
    let (_, rest) = line.split_once("macro_rules! ")?;
    let name = word(rest);
    // Those with two underscores are parts of others.
    let waits = module.starts_with("combine") && !name.starts_with("__");
    waits.then(|| format!("{name}!"))
}
