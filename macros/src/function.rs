//! The head of the function under an attribute.
//!
//! ```text
//! #[attribute]* pub(crate) async fn name < .. > ( .. ) -> Type where .. { body }
//!               ^start                  ^generics ^arguments             ^body
//! ```
//!
//! Only positions are kept: the expansion moves the compiler's own trees about, and never prints
//! and parses them again, so every span of the user's survives.
//!
//! Tests: below.

use proc_macro::Delimiter;

use crate::args::Kind;
use crate::token::{Problems, Token};

/// Indices of the parts among the item's token trees.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// `async`; without it, where it belongs.
    pub(crate) asyncness: Result<usize, usize>,
    /// The name.
    pub(crate) name: usize,
    /// `(..)`; with what stands between it and the name being the generics.
    pub(crate) arguments: usize,
    /// `{..}`, always the last tree.
    pub(crate) body: usize,
}

/// Finds the parts of `item` and notes what an entry point may not have. `None` if `item` is no
/// function with a body; then that is noted.
pub(crate) fn read<S: Copy>(
    kind: Kind,
    item: &[Token<S>],
    place: S,
    problems: &mut Problems<S>,
) -> Option<Function> {
    let shown = kind.shown();
    let start = skip_attributes(kind, item, problems);
    let Some(keyword) = find_keyword(item, start) else {
        let at = item.get(start).map_or(place, Token::span);
        problems.at(
            at,
            format!("`{shown}` belongs on a function: write `async fn`"),
        );
        return None;
    };
    let (Some(Token::Ident(name, _)), Some(body)) =
        (item.get(keyword + 1), item.len().checked_sub(1))
    else {
        problems.at(
            item[keyword].span(),
            format!("`{shown}` needs a function with a name"),
        );
        return None;
    };
    if !item[body].unwrapped().is_group(Delimiter::Brace) {
        problems.at(
            item[body].span(),
            format!("`{shown}` needs a function with a body `{{ .. }}`"),
        );
        return None;
    }
    let after_name = keyword + 2;
    let Some(arguments) = find_arguments(&item[..body], after_name) else {
        problems.at(
            item[keyword].span(),
            format!("`{shown}` needs a function: `async fn {name}()`"),
        );
        return None;
    };
    let asyncness = read_qualifiers(kind, &item[..keyword], start, name, problems).ok_or(keyword);
    if asyncness.is_err() {
        let message = format!(
            "the `async` keyword is missing: `{shown}` runs a future, write `async fn {name}`"
        );
        problems.at(item[keyword].span(), message);
    }
    if arguments > after_name {
        let message = format!("`{shown}` functions are not generic: nobody could name the types");
        problems.over(&item[after_name..arguments], message);
    }
    match &item[arguments] {
        Token::Group(_, inner, span) if !inner.is_empty() => {
            let message = format!("`{shown}` functions take no arguments: nobody could pass them");
            problems.at(*span, message);
        }
        _ => {}
    }
    Some(Function {
        asyncness,
        name: keyword + 1,
        arguments,
        body,
    })
}

/// Steps over `#[..]`, noting those that would run the function a second time.
fn skip_attributes<S: Copy>(kind: Kind, item: &[Token<S>], problems: &mut Problems<S>) -> usize {
    let mut start = 0;
    while let [hash, Token::Group(Delimiter::Bracket, path, _), ..] = &item[start..] {
        if !hash.is_punct('#') {
            break;
        }
        let words = path
            .iter()
            .take_while(|t| matches!(t, Token::Ident(..)) || t.is_punct(':'));
        match words.last() {
            Some(last) if last.is_ident("test") || last.is_ident("main") => {
                problems.over(&item[start..start + 2], second_attribute(kind, last));
            }
            _ => {}
        }
        start += 2;
    }
    start
}

fn second_attribute<S: Copy>(kind: Kind, last: &Token<S>) -> String {
    match (kind, last.is_ident("test")) {
        (Kind::Test, true) => {
            "a second test attribute: `#[tenter::test]` adds `#[test]` itself, remove this one"
        }
        (Kind::Main, true) => {
            "`#[tenter::main]` is for programs: for a test, write `#[tenter::test]` alone"
        }
        (Kind::Test, false) => {
            "`#[tenter::test]` is for tests: for a program, write `#[tenter::main]` alone"
        }
        (Kind::Main, false) => "a second main attribute: remove this one",
    }
    .into()
}

/// The index of `fn`, which only visibility and qualifiers may precede.
fn find_keyword<S: Copy>(item: &[Token<S>], start: usize) -> Option<usize> {
    let head = item.iter().skip(start).take_while(|token| {
        matches!(token, Token::Literal(..))
            || token.is_group(Delimiter::Parenthesis)
            || token.is_group(Delimiter::None)
            || [
                "pub", "crate", "default", "const", "async", "safe", "unsafe", "extern",
            ]
            .iter()
            .any(|word| token.is_ident(word))
    });
    let keyword = start + head.count();
    item.get(keyword)?.is_ident("fn").then_some(keyword)
}

/// The index of `(..)`, behind the generics if there are any; those may hold `Fn(..) -> ..`.
fn find_arguments<S: Copy>(item: &[Token<S>], after_name: usize) -> Option<usize> {
    let mut depth = 0;
    for index in after_name..item.len() {
        let arrow = index > 0 && item[index - 1].is_punct('-');
        match &item[index] {
            Token::Punct('<', _) => depth += 1,
            Token::Punct('>', _) if !arrow => depth -= 1,
            token if depth == 0 && token.is_group(Delimiter::Parenthesis) => return Some(index),
            _ => {}
        }
    }
    None
}

/// Finds `async` and notes the qualifiers that the generated function could not honour.
fn read_qualifiers<S: Copy>(
    kind: Kind,
    head: &[Token<S>],
    start: usize,
    name: &str,
    problems: &mut Problems<S>,
) -> Option<usize> {
    let mut asyncness = None;
    for (index, token) in head.iter().enumerate().skip(start) {
        let Token::Ident(word, span) = token else {
            continue;
        };
        match word.as_str() {
            "async" => asyncness = Some(index),
            "const" | "unsafe" | "extern" => problems.at(
                *span,
                format!(
                    "`{}` functions cannot be `{word}`: write `async fn {name}`",
                    kind.shown()
                ),
            ),
            _ => {}
        }
    }
    asyncness
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::lexer::lex;

    fn read_text(kind: Kind, source: &str) -> (Option<Function>, Vec<(usize, String)>) {
        let mut problems = Problems::new();
        let function = read(kind, &lex(source), usize::MAX, &mut problems);
        (
            function,
            problems
                .0
                .into_iter()
                .map(|p| (p.first, p.message))
                .collect(),
        )
    }

    #[test]
    fn the_parts_are_found_whatever_surrounds_them() {
        for (source, asyncness, name, arguments, body) in [
            ("async fn main() {}", 0, 2, 3, 4),
            (
                "pub(crate) async fn main() -> io::Result<()> { Ok(()) }",
                2,
                4,
                5,
                15,
            ),
            (
                "#[doc = \"d\"] #[should_panic(expected = \"x\")] async fn t() {}",
                4,
                6,
                7,
                8,
            ),
            ("«» async fn main() -> «A» where «A»: B «{}»", 1, 3, 4, 12),
            ("«pub(crate)» async fn main() {}", 1, 3, 4, 5),
        ] {
            let (function, problems) = read_text(Kind::Test, source);
            assert_eq!(problems, [], "{source}");
            let expected = Function {
                asyncness: Ok(asyncness),
                name,
                arguments,
                body,
            };
            assert_eq!(function, Some(expected), "{source}");
        }
    }

    #[test]
    fn each_mistake_is_named_at_its_place_with_the_fix() {
        for (kind, source, at, part) in [
            (Kind::Main, "fn main() {}", 0, "write `async fn main`"),
            (
                Kind::Main,
                "pub fn main() {}",
                4,
                "`async` keyword is missing",
            ),
            (
                Kind::Main,
                "async fn main(a: u8) {}",
                13,
                "take no arguments",
            ),
            (Kind::Main, "async fn main<T>() {}", 13, "not generic"),
            (
                Kind::Main,
                "async fn main<F: Fn(u8) -> T>() {}",
                13,
                "not generic",
            ),
            (
                Kind::Main,
                "async unsafe fn main() {}",
                6,
                "cannot be `unsafe`",
            ),
            (
                Kind::Main,
                "async extern \"C\" fn main() {}",
                6,
                "cannot be `extern`",
            ),
            (Kind::Main, "async fn main();", 15, "with a body"),
            (Kind::Main, "struct Main {}", 0, "belongs on a function"),
            (
                Kind::Main,
                "#[a] struct Main {}",
                5,
                "belongs on a function",
            ),
            (Kind::Main, "", usize::MAX, "belongs on a function"),
            (Kind::Main, "async fn {}", 6, "a name"),
            (
                Kind::Test,
                "#[test] async fn t() {}",
                0,
                "adds `#[test]` itself",
            ),
            (
                Kind::Test,
                "#[core::prelude::v1::test] async fn t() {}",
                0,
                "remove this one",
            ),
            (
                Kind::Test,
                "#[tenter::main] async fn t() {}",
                0,
                "`#[tenter::main]` alone",
            ),
            (
                Kind::Main,
                "#[a] #[tenter::main] async fn t() {}",
                5,
                "second main attribute",
            ),
            (
                Kind::Main,
                "#[tenter::test] async fn t() {}",
                0,
                "`#[tenter::test]` alone",
            ),
        ] {
            let (_, problems) = read_text(kind, source);
            assert_eq!(problems.len(), 1, "{source}: {problems:?}");
            assert_eq!(problems[0].0, at, "{source}: {problems:?}");
            assert!(problems[0].1.contains(part), "{source}: {problems:?}");
        }
    }

    #[test]
    fn all_mistakes_are_reported_in_one_go() {
        let (function, problems) = read_text(Kind::Main, "unsafe fn main<T>(a: T) {}");
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert_eq!(function.map(|f| f.asyncness), Some(Err(1)));
    }
}
