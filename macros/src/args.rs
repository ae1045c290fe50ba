//! The arguments of an attribute: `name = value`, separated by commas.
//!
//! | | `flavor` | `workers` | `name` | `ctrl_c` | `seed` | `schedules` | `timeout` | `crate` |
//! |---|---|---|---|---|---|---|---|---|
//! | main | yes | yes | yes | yes | | | | yes |
//! | test | yes | yes | | | yes | yes | yes | yes |
//!
//! A wrong argument is noted and left at its default, so that the rest is still read.
//!
//! Tests: below.

use crate::token::{Problems, Token};
use crate::value;

/// Which attribute is being expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Main,
    Test,
}

impl Kind {
    /// The attribute as a user writes it.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Kind::Main => "#[tenter::main]",
            Kind::Test => "#[tenter::test]",
        }
    }

    /// The scheduler, when the arguments leave it out.
    pub(crate) fn default_flavor(self) -> Flavor {
        match self {
            Kind::Main => Flavor::MultiThread,
            Kind::Test => Flavor::Deterministic,
        }
    }

    fn expected(self) -> &'static [&'static str] {
        match self {
            Kind::Main => &["flavor", "workers", "name", "ctrl_c", "crate"],
            Kind::Test => &["flavor", "workers", "seed", "schedules", "timeout", "crate"],
        }
    }
}

/// The scheduler that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    MultiThread,
    CurrentThread,
    Deterministic,
}

/// What the arguments say; what they leave out is `None`.
#[derive(Debug)]
pub(crate) struct Args<S> {
    pub(crate) flavor: Option<Flavor>,
    pub(crate) workers: Option<u64>,
    /// A string literal as written.
    pub(crate) name: Option<Token<S>>,
    pub(crate) ctrl_c: Option<bool>,
    pub(crate) seed: Option<u64>,
    pub(crate) schedules: Option<u64>,
    pub(crate) timeout_nanos: Option<u64>,
    /// A path to the crate `tenter`.
    pub(crate) root: Option<Vec<Token<S>>>,
}

impl<S> Default for Args<S> {
    fn default() -> Self {
        Args {
            flavor: None,
            workers: None,
            name: None,
            ctrl_c: None,
            seed: None,
            schedules: None,
            timeout_nanos: None,
            root: None,
        }
    }
}

/// Reads the arguments of `kind`.
pub(crate) fn read<S: Copy>(
    kind: Kind,
    tokens: &[Token<S>],
    problems: &mut Problems<S>,
) -> Args<S> {
    let mut args = Args::default();
    let mut given: Vec<&Argument<'_, S>> = Vec::new();
    let list = split(kind, tokens, problems);
    for argument in &list {
        if given.iter().any(|earlier| earlier.name == argument.name) {
            let name = argument.name;
            problems.at(
                argument.at,
                format!("`{name}` is given twice: remove one of them"),
            );
            continue;
        }
        given.push(argument);
        if let Err(message) = argument.apply(kind, &mut args) {
            match argument.value {
                [] => problems.at(argument.at, message),
                value => problems.over(value, message),
            }
        }
    }
    check_together(kind, &args, &given, problems);
    args
}

/// One `name = value`. The value of a nameless mistake never gets here.
struct Argument<'t, S> {
    name: &'t str,
    at: S,
    value: &'t [Token<S>],
}

/// Cuts the list at its commas and finds the names that mean something to `kind`.
fn split<'t, S: Copy>(
    kind: Kind,
    tokens: &'t [Token<S>],
    problems: &mut Problems<S>,
) -> Vec<Argument<'t, S>> {
    let mut list = Vec::new();
    let mut rest = tokens;
    while !rest.is_empty() {
        let end = rest
            .iter()
            .position(|t| t.is_punct(','))
            .unwrap_or(rest.len());
        let (part, tail) = rest.split_at(end);
        if part.is_empty() {
            problems.at(rest[0].span(), "this comma follows no argument: remove it");
        } else {
            list.extend(one(kind, part, problems));
        }
        rest = tail.get(1..).unwrap_or_default();
    }
    list
}

/// Reads what stands between two commas, at least one token.
fn one<'t, S: Copy>(
    kind: Kind,
    part: &'t [Token<S>],
    problems: &mut Problems<S>,
) -> Option<Argument<'t, S>> {
    let (Token::Ident(name, at), after) = (&part[0], &part[1..]) else {
        let (found, example) = (part[0].shown(), example(kind.expected()[0]));
        let message =
            format!("expected `name = value` instead of `{found}`, for example `{example}`");
        problems.over(part, message);
        return None;
    };
    if let Some(message) = refuse_name(kind, name) {
        problems.at(*at, message);
        return None;
    }
    match after {
        [] => problems.at(*at, format!("`{name}` needs a value: {}", example(name))),
        [sign, value @ ..] if sign.is_punct('=') && !value.is_empty() => {
            return Some(Argument {
                name,
                at: *at,
                value,
            });
        }
        wrong => {
            let message = format!("`{name}` takes its value after `=`: {}", example(name));
            problems.over(wrong, message);
        }
    }
    None
}

/// Why `name` is no argument of `kind`, and what to write instead.
fn refuse_name(kind: Kind, name: &str) -> Option<String> {
    if kind.expected().contains(&name) {
        return None;
    }
    let hint = match (kind, name) {
        (_, "worker_threads") => "write `workers`".into(),
        (_, "start_paused") => {
            "remove it: the clock of flavor \"deterministic\" is virtual from the start".into()
        }
        (Kind::Test, "name") => "remove it: a test goes by its path".into(),
        (Kind::Test, "ctrl_c") => "remove it: ctrl-c ends a test run, whatever it runs".into(),
        (Kind::Main, "seed" | "schedules") => {
            "only `#[tenter::test]` has a deterministic scheduler".into()
        }
        (Kind::Main, "timeout") => {
            "only `#[tenter::test]` has it: in a program use `tenter::time::timeout`".into()
        }
        _ => format!("expected one of: `{}`", kind.expected().join("`, `")),
    };
    Some(format!(
        "unknown argument `{name}` of `{}`: {hint}",
        kind.shown()
    ))
}

fn example(name: &str) -> &'static str {
    match name {
        "flavor" => "flavor = \"current_thread\"",
        "workers" => "workers = 2",
        "name" => "name = \"api\"",
        "ctrl_c" => "ctrl_c = false",
        "seed" => "seed = 7",
        "schedules" => "schedules = 1000",
        "timeout" => "timeout = \"5s\"",
        _ => "crate = my_crate::tenter",
    }
}

impl<S: Copy> Argument<'_, S> {
    /// Takes the value into `args`, or says what it should have been.
    fn apply(&self, kind: Kind, args: &mut Args<S>) -> Result<(), String> {
        let wanted = |what: &str| format!("`{}` takes {what}: {}", self.name, example(self.name));
        let a_string = || value::string(self.value).ok_or_else(|| wanted("a string"));
        let an_integer =
            || value::integer(self.value).ok_or_else(|| wanted("an integer from 0 to 2^64 - 1"));
        match self.name {
            "flavor" => args.flavor = Some(flavor(kind, a_string()?)?),
            "workers" => match an_integer()? {
                0 => {
                    return Err("`workers` may not be 0, nobody would run the tasks: \
                                write 1, or remove it"
                        .into());
                }
                count => args.workers = Some(count),
            },
            "name" => match a_string()? {
                "" => return Err("`name` may not be empty: write one, or remove it".into()),
                text if text.contains('\0') || text.contains("\\0") => {
                    return Err("`name` may not contain a NUL: threads are named after it".into());
                }
                _ => args.name = Some(self.value[0].unwrapped().clone()),
            },
            "ctrl_c" => match self.value {
                [Token::Ident(word, _)] if word == "true" || word == "false" => {
                    args.ctrl_c = Some(word == "true");
                }
                _ => return Err(wanted("`true` or `false`")),
            },
            "seed" => args.seed = Some(an_integer()?),
            "schedules" => match an_integer()? {
                0 => {
                    return Err("`schedules` may not be 0, nothing would be tested: \
                                write 1, or remove it"
                        .into());
                }
                count => args.schedules = Some(count),
            },
            "timeout" => args.timeout_nanos = Some(value::duration(a_string()?)?),
            _ if value::is_path(self.value) => args.root = Some(self.value.to_vec()),
            _ => return Err(wanted("a path")),
        }
        Ok(())
    }
}

fn flavor(kind: Kind, text: &str) -> Result<Flavor, String> {
    match (kind, text) {
        (_, "multi_thread") => Ok(Flavor::MultiThread),
        (_, "current_thread") => Ok(Flavor::CurrentThread),
        (Kind::Test, "deterministic") => Ok(Flavor::Deterministic),
        (Kind::Main, "deterministic") => {
            Err("flavor \"deterministic\" has a virtual clock and is \
             for `#[tenter::test]`: write \"multi_thread\" or \"current_thread\""
                .into())
        }
        (Kind::Main, _) => Err(format!(
            "no flavor `{text}`: write \"multi_thread\" or \"current_thread\""
        )),
        (Kind::Test, _) => Err(format!(
            "no flavor `{text}`: write \"deterministic\", \"multi_thread\" or \"current_thread\""
        )),
    }
}

/// Refuses arguments that are right alone and wrong together.
fn check_together<S: Copy>(
    kind: Kind,
    args: &Args<S>,
    given: &[&Argument<'_, S>],
    problems: &mut Problems<S>,
) {
    let mut refuse = |name: &str, message: &str| {
        if let Some(argument) = given.iter().find(|argument| argument.name == name) {
            problems.over(argument.value, message);
        }
    };
    // What was written but could not be read has been refused already.
    let flavor_is_unknown = args.flavor.is_none() && given.iter().any(|a| a.name == "flavor");
    let flavor = args.flavor.unwrap_or(kind.default_flavor());
    if !flavor_is_unknown && args.workers.is_some_and(|count| count > 1) {
        match flavor {
            Flavor::MultiThread => {}
            Flavor::CurrentThread => refuse(
                "workers",
                "flavor \"current_thread\" has exactly one worker: write 1, or \
                 flavor = \"multi_thread\"",
            ),
            Flavor::Deterministic => refuse(
                "workers",
                "flavor \"deterministic\", the default of a test, has exactly one worker: write 1, \
                 or flavor = \"multi_thread\"",
            ),
        }
    }
    let seeded = [
        ("seed", args.seed.is_some()),
        ("schedules", args.schedules.is_some()),
    ];
    for (name, is_given) in seeded {
        if flavor_is_unknown || !is_given {
            continue;
        }
        match flavor {
            Flavor::Deterministic => {}
            Flavor::CurrentThread => refuse(
                name,
                &format!(
                    "flavor \"current_thread\" makes no choice that a seed could decide: remove \
                     `{name}`, or write flavor = \"deterministic\""
                ),
            ),
            Flavor::MultiThread => refuse(
                name,
                &format!(
                    "flavor \"multi_thread\" runs as the system lets its threads run, which no seed \
                     decides: remove `{name}`, or write flavor = \"deterministic\""
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::lexer::lex;

    fn read_text(kind: Kind, source: &str) -> (Args<usize>, Vec<(usize, String)>) {
        let mut problems = Problems::new();
        let args = read(kind, &lex(source), &mut problems);
        (
            args,
            problems
                .0
                .into_iter()
                .map(|p| (p.first, p.message))
                .collect(),
        )
    }

    #[test]
    fn every_argument_is_read_and_a_trailing_comma_is_allowed() {
        let source = "flavor = \"multi_thread\", workers = 3, name = \"api\", crate = a::b,";
        let (args, problems) = read_text(Kind::Main, source);
        assert_eq!(problems, []);
        assert_eq!(
            (args.flavor, args.workers),
            (Some(Flavor::MultiThread), Some(3))
        );
        assert_eq!(args.name.unwrap().shown(), "\"api\"");
        assert_eq!(args.root.unwrap().len(), 4);

        let (args, problems) = read_text(
            Kind::Test,
            "flavor = \"deterministic\", seed = 0x10, schedules = 1_000, timeout = \"2m\"",
        );
        assert_eq!(problems, []);
        assert_eq!(args.schedules, Some(1_000));
        assert_eq!(
            (args.flavor, args.seed),
            (Some(Flavor::Deterministic), Some(16))
        );
        assert_eq!(args.timeout_nanos, Some(120_000_000_000));

        for source in [
            "flavor = \"multi_thread\", workers = 2",
            "flavor = \"current_thread\", workers = 1",
            "workers = 1",
        ] {
            let (args, problems) = read_text(Kind::Test, source);
            assert_eq!(problems, [], "{source}");
            assert!(args.workers.is_some(), "{source}");
        }
        let (args, problems) = read_text(Kind::Main, "workers = 8");
        assert_eq!((problems, args.workers), (vec![], Some(8)));

        let (args, problems) = read_text(Kind::Test, "");
        assert_eq!(problems, []);
        assert!(args.flavor.is_none() && args.seed.is_none() && args.root.is_none());
    }

    #[test]
    fn each_mistake_is_named_at_its_place_with_the_fix() {
        for (kind, source, at, part) in [
            (
                Kind::Main,
                "worker = 2",
                0,
                "expected one of: `flavor`, `workers`, `name`, `ctrl_c`, `crate`",
            ),
            (Kind::Main, "worker_threads = 2", 0, "write `workers`"),
            (Kind::Main, "seed = 2", 0, "only `#[tenter::test]`"),
            (
                Kind::Test,
                "start_paused = true",
                0,
                "virtual from the start",
            ),
            (Kind::Test, "schedules = 0", 12, "nothing would be tested"),
            (Kind::Test, "schedules = \"9\"", 12, "takes an integer"),
            (Kind::Main, "schedules = 9", 0, "only `#[tenter::test]`"),
            (
                Kind::Test,
                "schedules = 9, flavor = \"current_thread\"",
                12,
                "remove `schedules`",
            ),
            (Kind::Main, "workers = 0", 10, "may not be 0"),
            (
                Kind::Main,
                "workers = 2, flavor = \"current_thread\"",
                10,
                "exactly one worker",
            ),
            (Kind::Test, "workers = 2", 10, "flavor = \"multi_thread\""),
            (
                Kind::Test,
                "flavor = \"current_thread\", workers = 2",
                37,
                "exactly one worker",
            ),
            (
                Kind::Test,
                "flavor = \"multi_thread\", seed = 7",
                32,
                "no seed decides",
            ),
            // One mistake, one report: the flavor may have been meant to have two.
            (
                Kind::Test,
                "flavor = \"mutli_thread\", workers = 2, seed = 7",
                9,
                "no flavor",
            ),
            (Kind::Main, "workers", 0, "needs a value: workers = 2"),
            (Kind::Main, "workers(3)", 7, "after `=`"),
            (Kind::Main, "workers =", 8, "after `=`"),
            (Kind::Main, "workers = \"two\"", 10, "takes an integer"),
            (Kind::Main, "workers = -1", 10, "takes an integer"),
            (Kind::Main, "flavor = 7", 9, "takes a string"),
            (
                Kind::Main,
                "flavor = \"deterministic\"",
                9,
                "for `#[tenter::test]`",
            ),
            (Kind::Main, "flavor = \"fast\"", 9, "no flavor `fast`"),
            (
                Kind::Test,
                "flavor = \"fast\"",
                9,
                "\"deterministic\", \"multi_thread\" or \"current_thread\"",
            ),
            (Kind::Main, "name = \"\"", 7, "may not be empty"),
            (Kind::Main, "name = \"a\\0\"", 7, "NUL"),
            (Kind::Main, "crate = \"a::b\"", 8, "takes a path"),
            (Kind::Test, "seed = \"7\"", 7, "takes an integer"),
            (Kind::Test, "timeout = \"5\"", 10, "whole number"),
            (Kind::Test, "timeout = 5", 10, "takes a string"),
            (
                Kind::Test,
                "seed = 7, flavor = \"current_thread\"",
                7,
                "remove `seed`",
            ),
            (
                Kind::Main,
                "\"current_thread\"",
                0,
                "expected `name = value`",
            ),
            (Kind::Main, "workers = 1,, name = \"a\"", 12, "remove it"),
            (Kind::Main, "name = \"a\", name = \"b\"", 12, "given twice"),
        ] {
            let (_, problems) = read_text(kind, source);
            assert_eq!(problems.len(), 1, "{source}: {problems:?}");
            assert_eq!(problems[0].0, at, "{source}: {problems:?}");
            assert!(problems[0].1.contains(part), "{source}: {problems:?}");
        }
    }

    #[test]
    fn all_mistakes_are_reported_in_one_go() {
        let (args, problems) = read_text(Kind::Main, "workers = 0, nmae = \"a\", name = \"ok\"");
        assert_eq!(problems.len(), 2);
        assert!(args.name.is_some(), "what is right is still read");
    }
}
