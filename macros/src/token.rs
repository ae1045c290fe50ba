//! Tokens as the readers see them, and the mistakes they find.
//!
//! [`Token`] mirrors the compiler's token tree but is generic over the span: `proc_macro::Span`
//! during expansion, a byte offset in tests, where the compiler's types cannot be made.
//!
//! Tests: below, and through every test of `args`, `value` and `function`.

use proc_macro::{Delimiter, TokenStream, TokenTree};

/// A token tree with the place it came from.
#[derive(Clone, Debug)]
pub(crate) enum Token<S> {
    /// A word; raw ones keep their `r#`.
    Ident(String, S),
    /// One character of punctuation.
    Punct(char, S),
    /// A literal, as it is written in the source.
    Literal(String, S),
    /// Tokens between delimiters.
    Group(Delimiter, Vec<Token<S>>, S),
}

impl<S: Copy> Token<S> {
    /// Where the token stands.
    pub(crate) fn span(&self) -> S {
        match self {
            Token::Ident(_, span)
            | Token::Punct(_, span)
            | Token::Literal(_, span)
            | Token::Group(_, _, span) => *span,
        }
    }

    /// Is this the word `word`?
    pub(crate) fn is_ident(&self, word: &str) -> bool {
        matches!(self, Token::Ident(text, _) if text == word)
    }

    /// Is this the character `sign`?
    pub(crate) fn is_punct(&self, sign: char) -> bool {
        matches!(self, Token::Punct(found, _) if *found == sign)
    }

    /// Is this a group between such delimiters?
    pub(crate) fn is_group(&self, delimiter: Delimiter) -> bool {
        matches!(self, Token::Group(found, _, _) if *found == delimiter)
    }

    /// The only token of an invisible group, which is how a fragment of `macro_rules!` arrives;
    /// else the token itself.
    pub(crate) fn unwrapped(&self) -> &Token<S> {
        match self {
            Token::Group(Delimiter::None, inner, _) if inner.len() == 1 => inner[0].unwrapped(),
            other => other,
        }
    }

    /// How a message quotes the token.
    pub(crate) fn shown(&self) -> String {
        match self {
            Token::Ident(text, _) | Token::Literal(text, _) => text.clone(),
            Token::Punct(sign, _) => sign.to_string(),
            Token::Group(Delimiter::Parenthesis, ..) => "(..)".into(),
            Token::Group(Delimiter::Bracket, ..) => "[..]".into(),
            Token::Group(Delimiter::Brace, ..) => "{..}".into(),
            Token::Group(Delimiter::None, inner, _) => {
                inner.iter().map(Token::shown).collect::<Vec<_>>().join(" ")
            }
        }
    }
}

/// Reads the compiler's tokens; the result has the same length and order as the top level.
/// What stands in braces is left out: no reader looks there, and a body can be long.
pub(crate) fn read(stream: TokenStream) -> Vec<Token<proc_macro::Span>> {
    stream
        .into_iter()
        .map(|tree| match tree {
            TokenTree::Ident(ident) => Token::Ident(ident.to_string(), ident.span()),
            TokenTree::Punct(punct) => Token::Punct(punct.as_char(), punct.span()),
            TokenTree::Literal(literal) => Token::Literal(literal.to_string(), literal.span()),
            TokenTree::Group(group) => {
                let inner = match group.delimiter() {
                    Delimiter::Brace => Vec::new(),
                    _ => read(group.stream()),
                };
                Token::Group(group.delimiter(), inner, group.span())
            }
        })
        .collect()
}

/// A mistake of the user: what is wrong and what to do, from the first to the last token of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem<S> {
    pub(crate) first: S,
    pub(crate) last: S,
    pub(crate) message: String,
}

/// The mistakes found so far. Readers go on after a mistake, so that all are reported at once.
#[derive(Debug)]
pub(crate) struct Problems<S>(pub(crate) Vec<Problem<S>>);

impl<S: Copy> Problems<S> {
    pub(crate) fn new() -> Self {
        Problems(Vec::new())
    }

    /// Notes a mistake at one token.
    pub(crate) fn at(&mut self, span: S, message: impl Into<String>) {
        self.0.push(Problem {
            first: span,
            last: span,
            message: message.into(),
        });
    }

    /// Notes a mistake that covers `tokens`, which must not be empty.
    pub(crate) fn over(&mut self, tokens: &[Token<S>], message: impl Into<String>) {
        debug_assert!(!tokens.is_empty(), "a mistake stands somewhere");
        let (first, last) = (tokens[0].span(), tokens[tokens.len() - 1].span());
        self.0.push(Problem {
            first,
            last,
            message: message.into(),
        });
    }
}

#[cfg(test)]
pub(crate) mod lexer {
    //! Enough of a lexer to write the input of a test as text. The span is the byte offset.

    use super::{Delimiter, Token};

    /// The tokens of `source`.
    pub(crate) fn lex(source: &str) -> Vec<Token<usize>> {
        let mut at = 0;
        let tokens = group(source, &mut at, None);
        assert_eq!(at, source.len(), "unbalanced test input: {source}");
        tokens
    }

    fn group(source: &str, at: &mut usize, close: Option<char>) -> Vec<Token<usize>> {
        let mut tokens = Vec::new();
        while let Some(next) = source[*at..].chars().next() {
            let start = *at;
            if Some(next) == close {
                break;
            }
            *at += match next {
                c if c.is_whitespace() => c.len_utf8(),
                '(' | '[' | '{' | '«' => {
                    *at += next.len_utf8();
                    let (close, delimiter) = match next {
                        '(' => (')', Delimiter::Parenthesis),
                        '[' => (']', Delimiter::Bracket),
                        '{' => ('}', Delimiter::Brace),
                        _ => ('»', Delimiter::None),
                    };
                    let inner = group(source, at, Some(close));
                    tokens.push(Token::Group(delimiter, inner, start));
                    close.len_utf8()
                }
                '"' => {
                    let end = source[start + 1..].find('"').expect("closing quote") + 2;
                    tokens.push(Token::Literal(source[start..start + end].into(), start));
                    end
                }
                c if c.is_alphanumeric() || c == '_' => {
                    let rest = &source[start..];
                    let word = |c: char| !(c.is_alphanumeric() || c == '_');
                    let end = rest.find(word).unwrap_or(rest.len());
                    let text = rest[..end].to_string();
                    tokens.push(match c.is_ascii_digit() {
                        true => Token::Literal(text, start),
                        false => Token::Ident(text, start),
                    });
                    end
                }
                sign => {
                    tokens.push(Token::Punct(sign, start));
                    sign.len_utf8()
                }
            };
        }
        tokens
    }

    #[test]
    fn the_test_lexer_keeps_shape_and_offsets() {
        let tokens = lex("a = \"b c\", «(7)»");
        assert!(tokens[0].is_ident("a") && tokens[1].is_punct('='));
        assert!(matches!(&tokens[2], Token::Literal(text, 4) if text == "\"b c\""));
        assert!(tokens[4].unwrapped().is_group(Delimiter::Parenthesis));
        assert_eq!(tokens[4].shown(), "(..)");
    }
}
