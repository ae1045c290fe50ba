//! The planted bugs: `planted!("name")` in the sources, `[[planted]]` in `loom-tests/planted/`.

use std::collections::BTreeMap;

use crate::lexer::{Kind, reads};
use crate::source::{self, Source};

/// One planted bug and the model that must catch it.
#[derive(Clone, Debug)]
pub struct Planted {
    pub name: String,
    /// `file::test` under `loom-tests/tests`.
    pub model: String,
    pub what: String,
    /// Where the entry stands.
    pub file: String,
    pub line: usize,
}

/// A site in the sources.
#[derive(Clone, Debug)]
pub struct Site {
    pub file: String,
    pub line: usize,
}

/// Reads every list.
pub fn lists() -> Result<Vec<Planted>, String> {
    let mut found = Vec::new();
    for file in source::files()? {
        if file.starts_with("loom-tests/planted/") && file.ends_with(".toml") {
            found.extend(parse(&file, &source::read(&file)?)?);
        }
    }
    Ok(found)
}

/// Reads one list: tables `[[planted]]` of `key = "value"`.
fn parse(file: &str, text: &str) -> Result<Vec<Planted>, String> {
    let mut found: Vec<Planted> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let number = index + 1;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line == "[[planted]]" {
            found.push(Planted {
                name: String::new(),
                model: String::new(),
                what: String::new(),
                file: file.to_owned(),
                line: number,
            });
            continue;
        }
        let malformed = || format!("{file}:{number}: expected `[[planted]]` or `key = \"value\"`");
        let (key, value) = line.split_once('=').ok_or_else(malformed)?;
        let value = value
            .trim()
            .strip_prefix('"')
            .and_then(|rest| rest.rsplit_once('"'));
        let (value, rest) = value.ok_or_else(malformed)?;
        let rest = rest.trim();
        let entry = found.last_mut().ok_or_else(malformed)?;
        if !rest.is_empty() && !rest.starts_with('#') {
            return Err(malformed());
        }
        match key.trim() {
            "name" => entry.name = value.to_owned(),
            "model" => entry.model = value.to_owned(),
            "what" => entry.what = value.to_owned(),
            other => {
                return Err(format!(
                    "{file}:{number}: unknown key {other:?}; use name, model, what"
                ));
            }
        }
    }
    for entry in &found {
        if entry.name.is_empty() || entry.model.is_empty() || entry.what.is_empty() {
            return Err(format!(
                "{file}:{}: an entry needs name, model and what",
                entry.line
            ));
        }
    }
    Ok(found)
}

/// Every `planted!("name")` outside unit tests; a name may stand at several places.
pub fn sites(sources: &[Source]) -> BTreeMap<String, Vec<Site>> {
    let mut found: BTreeMap<String, Vec<Site>> = BTreeMap::new();
    for source in sources
        .iter()
        .filter(|source| !source.path.starts_with("xtask/"))
    {
        for (at, token) in source.live() {
            if !reads(&source.tokens, at, &["planted", "!", "("]) {
                continue;
            }
            if let Some(name) = source
                .tokens
                .get(at + 3)
                .filter(|next| next.kind == Kind::Literal)
            {
                let site = Site {
                    file: source.path.clone(),
                    line: token.line,
                };
                found.entry(name.text.clone()).or_default().push(site);
            }
        }
    }
    found
}

/// What does not match between sites, lists and models: (file, line, what, fix).
pub fn mismatches(sources: &[Source], lists: &[Planted]) -> Vec<(String, usize, String, String)> {
    let sites = sites(sources);
    let mut wrong = Vec::new();
    for (name, places) in &sites {
        if !lists.iter().any(|entry| entry.name == *name) {
            wrong.push((
                places[0].file.clone(),
                places[0].line,
                format!(
                    "the planted bug {name:?} is in no list, so nothing proves that a model sees it"
                ),
                "add a [[planted]] entry to loom-tests/planted/".to_owned(),
            ));
        }
    }
    for entry in lists {
        if !sites.contains_key(&entry.name) {
            wrong.push((
                entry.file.clone(),
                entry.line,
                format!("no source holds planted!({:?})", entry.name),
                "remove the entry, or plant the bug".to_owned(),
            ));
        }
        if !has_model(sources, &entry.model) {
            wrong.push((
                entry.file.clone(),
                entry.line,
                format!("there is no model {}", entry.model),
                "write file::test of a test under loom-tests/tests".to_owned(),
            ));
        }
    }
    wrong
}

fn has_model(sources: &[Source], model: &str) -> bool {
    let Some((file, test)) = model.split_once("::") else {
        return false;
    };
    let path = format!("loom-tests/tests/{file}.rs");
    let test = test.rsplit("::").next().unwrap_or(test);
    sources
        .iter()
        .filter(|source| source.path == path)
        .any(|source| (0..source.tokens.len()).any(|at| reads(&source.tokens, at, &["fn", test])))
}

#[cfg(test)]
mod tests {
    use super::{mismatches, parse, sites};
    use crate::source::Source;

    const LIST: &str =
        "# c\n[[planted]]\nname = \"a.b\"\nmodel = \"a::t\"\nwhat = \"forgets \\\"x\\\"\" # why\n";

    #[test]
    fn a_list_is_read() {
        let list = parse("l.toml", LIST).unwrap();
        assert_eq!(
            (list[0].name.as_str(), list[0].model.as_str(), list[0].line),
            ("a.b", "a::t", 2)
        );
        for bad in [
            "name = \"x\"",
            "[[planted]]\nname = \"x\"",
            "[[planted]]\nnam = \"x\"",
            "[[planted]]\nname = x",
        ] {
            assert!(parse("l.toml", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_side_misses_the_other() {
        let list = parse("l.toml", LIST).unwrap();
        let text = "fn f() { if planted!(\"c.d\") {} } // planted!(\"a.b\")";
        let sources = [Source::parse("sync/src/a.rs".into(), text.into())];
        assert_eq!(sites(&sources).len(), 1);
        assert_eq!(mismatches(&sources, &list).len(), 3);
    }
}
