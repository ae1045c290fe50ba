//! The one file that builds compiler tokens.
//!
//! Generated code is written as a template of plain Rust in which words in capitals, such as
//! `ROOT`, are holes. Holes are filled with trees, so what came from the user keeps its spans.
//!
//! If there are mistakes, the output is one `compile_error!` for each, and the function in a shape
//! that compiles whatever its head was. So the compiler still checks the body, and adds no
//! complaint of its own about a missing function.
//!
//! Tests: `tests/tests/macros.rs` and the programs in `tests/ui`.

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

use crate::args::{self, Args, Flavor, Kind};
use crate::function::{self, Function};
use crate::token::{self, Problem, Problems, Token};

/// Expands `#[tenter::main]` and `#[tenter::test]`.
pub(crate) fn attribute(kind: Kind, args: TokenStream, item: TokenStream) -> TokenStream {
    let mut problems = Problems::new();
    let args = args::read(kind, &token::read(args), &mut problems);
    let view = token::read(item.clone());
    let function = function::read(kind, &view, Span::call_site(), &mut problems);
    let trees: Vec<TokenTree> = item.into_iter().collect();
    let mut output: TokenStream = problems.0.iter().flat_map(compile_error).collect();
    output.extend(match function {
        None => trees.into_iter().collect(),
        Some(parts) if problems.0.is_empty() => working(kind, &args, &trees, &parts),
        Some(parts) => placeholder(&trees, &parts),
    });
    output
}

/// The function that runs the user's.
fn working(kind: Kind, args: &Args<Span>, trees: &[TokenTree], parts: &Function) -> TokenStream {
    let is_seeded = args.seed.is_some() || args.schedules.is_some();
    let (runner, prefix) = match kind {
        Kind::Main => (MAIN, ""),
        Kind::Test if is_seeded => (SCHEDULES, "#[::core::prelude::v1::test]"),
        Kind::Test => (TEST, "#[::core::prelude::v1::test]"),
    };
    let flavor = match args.flavor.unwrap_or(kind.default_flavor()) {
        Flavor::MultiThread => "MultiThread",
        Flavor::CurrentThread => "CurrentThread",
        Flavor::Deterministic => "Deterministic",
    };
    let root = match &args.root {
        Some(path) => path.iter().map(to_tree).collect(),
        None => fill("::tenter", &[]),
    };
    let mut output = fill(prefix, &[]);
    output.extend(outer_head(trees, parts));
    output.extend(fill(
        runner,
        &[
            ("FUNCTION", inner_function(trees, parts)),
            ("NAME", trees[parts.name].clone().into()),
            ("ROOT", root),
            ("FLAVOR", fill(flavor, &[])),
            (
                "WORKERS",
                option(args.workers.map(|n| Literal::u64_unsuffixed(n).into())),
            ),
            ("LABEL", option(args.name.as_ref().map(to_tree))),
            (
                "CTRL_C",
                fill(
                    if args.ctrl_c.unwrap_or(true) {
                        "true"
                    } else {
                        "false"
                    },
                    &[],
                ),
            ),
            ("SEED", integer(args.seed.unwrap_or(0))),
            ("COUNT", integer(args.schedules.unwrap_or(1))),
            ("TIMEOUT", timeout(args.timeout_nanos)),
        ],
    ));
    output
}

const MAIN: &str = "{
    FUNCTION
    ROOT::__private::run_main(
        ROOT::__private::MainConfig {
            flavor: ROOT::__private::Flavor::FLAVOR,
            workers: WORKERS,
            name: LABEL,
            ctrl_c: CTRL_C,
        },
        NAME(),
    )
}";

const TEST: &str = "{
    FUNCTION
    ROOT::__private::run_test(
        ROOT::__private::TestConfig {
            flavor: ROOT::__private::Flavor::FLAVOR,
            workers: WORKERS,
            seed: SEED,
            timeout: TIMEOUT,
            name: ::core::concat!(::core::module_path!(), \"::\", ::core::stringify!(NAME)),
        },
        NAME(),
    )
}";

/// The function itself is passed, and called once for each schedule.
const SCHEDULES: &str = "{
    FUNCTION
    ROOT::__private::run_schedules(
        ROOT::__private::TestConfig {
            flavor: ROOT::__private::Flavor::FLAVOR,
            workers: WORKERS,
            seed: SEED,
            timeout: TIMEOUT,
            name: ::core::concat!(::core::module_path!(), \"::\", ::core::stringify!(NAME)),
        },
        COUNT,
        NAME,
    )
}";

/// Everything before the body but `async`.
fn outer_head(trees: &[TokenTree], parts: &Function) -> impl Iterator<Item = TokenTree> {
    let asyncness = parts.asyncness.ok();
    let head = trees[..parts.body].iter().enumerate();
    head.filter(move |(index, _)| Some(*index) != asyncness)
        .map(|(_, tree)| tree.clone())
}

/// The user's function from `async` on: attributes and visibility belong to the outer one.
fn inner_function(trees: &[TokenTree], parts: &Function) -> TokenStream {
    match parts.asyncness {
        Ok(start) => trees[start..].iter().cloned().collect(),
        Err(start) => {
            let mut function = fill("async", &[]);
            function.extend(trees[start..].iter().cloned());
            function
        }
    }
}

/// A function that stands in for one with mistakes.
fn placeholder(trees: &[TokenTree], parts: &Function) -> TokenStream {
    let result = match parts.arguments == parts.name + 1 {
        true => trees[parts.arguments + 1..parts.body]
            .iter()
            .cloned()
            .collect(),
        // The type may name a generic parameter, and the stand-in has none.
        false => TokenStream::new(),
    };
    fill(
        "#[allow(dead_code)]
        fn NAME() RESULT { #[allow(dead_code)] FUNCTION ::core::unimplemented!() }",
        &[
            ("NAME", trees[parts.name].clone().into()),
            ("RESULT", result),
            ("FUNCTION", inner_function(trees, parts)),
        ],
    )
}

/// `compile_error!` that underlines the mistake from its first to its last token.
fn compile_error(problem: &Problem<Span>) -> TokenStream {
    let mut message = TokenTree::from(Literal::string(&problem.message));
    message.set_span(problem.last);
    let mut arguments = Group::new(Delimiter::Brace, message.into());
    arguments.set_span(problem.last);
    // The compiler underlines from the path's first token to the closing brace.
    let mut output: TokenStream = fill("::core::compile_error!", &[])
        .into_iter()
        .map(|mut tree| {
            tree.set_span(problem.first);
            tree
        })
        .collect();
    output.extend([TokenTree::from(arguments)]);
    output
}

fn integer(value: u64) -> TokenStream {
    TokenTree::from(Literal::u64_unsuffixed(value)).into()
}

fn option(tree: Option<TokenTree>) -> TokenStream {
    match tree {
        None => fill("::core::option::Option::None", &[]),
        Some(tree) => fill(
            "::core::option::Option::Some(VALUE)",
            &[("VALUE", tree.into())],
        ),
    }
}

fn timeout(nanos: Option<u64>) -> TokenStream {
    match nanos {
        None => option(None),
        Some(nanos) => fill(
            "::core::option::Option::Some(::core::time::Duration::from_nanos(NANOS))",
            &[("NANOS", integer(nanos))],
        ),
    }
}

/// A token of an argument, back in the compiler's form and at its own place.
fn to_tree(token: &Token<Span>) -> TokenTree {
    let mut tree: TokenTree = match token {
        Token::Ident(text, span) => match text.strip_prefix("r#") {
            Some(raw) => Ident::new_raw(raw, *span).into(),
            None => Ident::new(text, *span).into(),
        },
        // All punctuation in arguments is that of `::`, where each sign may join the next.
        Token::Punct(sign, _) => Punct::new(*sign, Spacing::Joint).into(),
        Token::Literal(text, _) => match text.parse::<Literal>() {
            Ok(literal) => literal.into(),
            Err(_) => unreachable!("`{text}` came from the compiler as a literal"),
        },
        Token::Group(delimiter, inner, _) => {
            Group::new(*delimiter, inner.iter().map(to_tree).collect()).into()
        }
    };
    tree.set_span(token.span());
    tree
}

/// Parses a template and puts trees into its holes.
fn fill(template: &str, holes: &[(&str, TokenStream)]) -> TokenStream {
    match template.parse() {
        Ok(stream) => fill_stream(stream, holes),
        Err(error) => unreachable!("a template is no Rust: {error}: {template}"),
    }
}

fn fill_stream(stream: TokenStream, holes: &[(&str, TokenStream)]) -> TokenStream {
    stream
        .into_iter()
        .flat_map(|tree| match tree {
            TokenTree::Ident(word) => {
                let text = word.to_string();
                match holes.iter().find(|(name, _)| *name == text) {
                    Some((_, filling)) => filling.clone(),
                    None => TokenTree::from(word).into(),
                }
            }
            TokenTree::Group(group) => {
                let mut filled = Group::new(group.delimiter(), fill_stream(group.stream(), holes));
                filled.set_span(group.span());
                TokenTree::from(filled).into()
            }
            other => other.into(),
        })
        .collect()
}
