//! Splits Rust text into tokens and comments, so that a rule about code is not fooled by prose.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ident,
    Lifetime,
    /// A string, character or number; a string without its quotes.
    Literal,
    Punct,
}

/// A token and the line it begins on, counted from one.
#[derive(Clone, Debug)]
pub struct Token {
    pub line: usize,
    pub kind: Kind,
    pub text: String,
    /// Inside an item under `#[cfg(test)]`.
    pub test: bool,
}

/// One line of a comment.
#[derive(Clone, Debug)]
pub struct Comment {
    pub line: usize,
    pub text: String,
}

/// Splits a source text.
pub fn lex(text: &str) -> (Vec<Token>, Vec<Comment>) {
    let mut lexer = Lexer {
        text: text.chars().collect(),
        at: 0,
        line: 1,
        tokens: Vec::new(),
        comments: Vec::new(),
    };
    while lexer.step() {}
    mark_tests(&mut lexer.tokens);
    (lexer.tokens, lexer.comments)
}

struct Lexer {
    text: Vec<char>,
    at: usize,
    line: usize,
    tokens: Vec<Token>,
    comments: Vec<Comment>,
}

fn begins_word(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn continues_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

impl Lexer {
    fn peek(&self, ahead: usize) -> char {
        self.text.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn advance(&mut self) -> char {
        let c = self.peek(0);
        self.at += 1;
        self.line += usize::from(c == '\n');
        c
    }

    fn push(&mut self, line: usize, kind: Kind, text: String) {
        self.tokens.push(Token {
            line,
            kind,
            text,
            test: false,
        });
    }

    fn step(&mut self) -> bool {
        if self.at >= self.text.len() {
            return false;
        }
        let line = self.line;
        match self.peek(0) {
            c if c.is_whitespace() => {
                self.advance();
            }
            '/' if self.peek(1) == '/' => self.line_comment(),
            '/' if self.peek(1) == '*' => self.block_comment(),
            '"' => self.string(line),
            'r' | 'b' | 'c' if self.prefixed_string(line) => {}
            '\'' => self.quote(line),
            c if begins_word(c) => {
                let word = self.word();
                self.push(line, Kind::Ident, word);
            }
            c if c.is_ascii_digit() => {
                let number = self.word();
                self.push(line, Kind::Literal, number);
            }
            c => {
                self.advance();
                self.push(line, Kind::Punct, c.to_string());
            }
        }
        true
    }

    fn word(&mut self) -> String {
        let begin = self.at;
        while continues_word(self.peek(0)) {
            self.at += 1;
        }
        self.text[begin..self.at].iter().collect()
    }

    fn line_comment(&mut self) {
        let begin = self.at;
        while self.at < self.text.len() && self.peek(0) != '\n' {
            self.at += 1;
        }
        let text = self.text[begin..self.at].iter().collect();
        self.comments.push(Comment {
            line: self.line,
            text,
        });
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        let mut text = String::new();
        while self.at < self.text.len() {
            let line = self.line;
            if self.peek(0) == '/' && self.peek(1) == '*' {
                depth += 1;
                text.push(self.advance());
            } else if self.peek(0) == '*' && self.peek(1) == '/' {
                depth -= 1;
                text.push(self.advance());
            }
            text.push(self.advance());
            if self.line != line || depth == 0 {
                self.comments.push(Comment {
                    line,
                    text: std::mem::take(&mut text),
                });
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// `r"…"`, `r#"…"#`, `b"…"`, `br"…"`, `c"…"`, `b'…'`; false if it is only a word.
    fn prefixed_string(&mut self, line: usize) -> bool {
        let mut length = 1;
        if matches!(self.peek(0), 'b' | 'c') && self.peek(1) == 'r' {
            length = 2;
        }
        let raw = self.peek(length - 1) == 'r';
        let mut hashes = 0;
        while raw && self.peek(length + hashes) == '#' {
            hashes += 1;
        }
        match self.peek(length + hashes) {
            '"' if raw => {
                self.at += length + hashes + 1;
                self.raw_string(line, hashes);
                true
            }
            '"' => {
                self.at += length;
                self.string(line);
                true
            }
            '\'' if self.peek(0) == 'b' && !raw => {
                self.at += 1;
                self.quote(line);
                true
            }
            _ => false,
        }
    }

    fn raw_string(&mut self, line: usize, hashes: usize) {
        let mut text = String::new();
        while self.at < self.text.len() {
            let closes = self.peek(0) == '"' && (1..=hashes).all(|ahead| self.peek(ahead) == '#');
            if closes {
                self.at += 1 + hashes;
                break;
            }
            text.push(self.advance());
        }
        self.push(line, Kind::Literal, text);
    }

    fn string(&mut self, line: usize) {
        self.advance();
        let mut text = String::new();
        while self.at < self.text.len() && self.peek(0) != '"' {
            if self.peek(0) == '\\' {
                text.push(self.advance());
            }
            text.push(self.advance());
        }
        self.advance();
        self.push(line, Kind::Literal, text);
    }

    /// A character or a lifetime.
    fn quote(&mut self, line: usize) {
        let is_char = self.peek(1) == '\\' || self.peek(2) == '\'';
        self.advance();
        if !is_char {
            let name = self.word();
            self.push(line, Kind::Lifetime, name);
            return;
        }
        let mut text = String::new();
        while self.at < self.text.len() && self.peek(0) != '\'' {
            if self.peek(0) == '\\' {
                text.push(self.advance());
            }
            text.push(self.advance());
        }
        self.advance();
        self.push(line, Kind::Literal, text);
    }
}

/// The index just after the group that opens at `open`.
pub fn after_group(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        if token.kind != Kind::Punct {
            continue;
        }
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return index + 1;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

/// Whether the tokens from `at` read exactly like this.
pub fn reads(tokens: &[Token], at: usize, words: &[&str]) -> bool {
    words.iter().enumerate().all(|(offset, word)| {
        tokens
            .get(at + offset)
            .is_some_and(|token| token.kind != Kind::Literal && token.text == *word)
    })
}

fn mark_tests(tokens: &mut [Token]) {
    let mut at = 0;
    while at < tokens.len() {
        if !reads(tokens, at, &["#", "[", "cfg", "("]) {
            at += 1;
            continue;
        }
        let end = after_group(tokens, at + 1);
        let about_tests =
            reads(tokens, at + 4, &["test"]) || reads(tokens, at + 4, &["all", "(", "test"]);
        if !about_tests {
            at = end;
            continue;
        }
        let end = after_item(tokens, end);
        for token in &mut tokens[at..end] {
            token.test = true;
        }
        at = end;
    }
}

/// The index just after the item at `at`: past its attributes, up to `;` or its braces.
fn after_item(tokens: &[Token], mut at: usize) -> usize {
    while reads(tokens, at, &["#", "["]) {
        at = after_group(tokens, at + 1);
    }
    while at < tokens.len() {
        if reads(tokens, at, &["{"]) {
            return after_group(tokens, at);
        }
        if reads(tokens, at, &[";"]) {
            return at + 1;
        }
        at = if reads(tokens, at, &["("]) || reads(tokens, at, &["["]) {
            after_group(tokens, at)
        } else {
            at + 1
        };
    }
    at
}

#[cfg(test)]
mod tests {
    use super::{Kind, lex};

    fn words(text: &str) -> Vec<String> {
        let (tokens, _) = lex(text);
        tokens
            .into_iter()
            .filter(|t| t.kind == Kind::Ident)
            .map(|t| t.text)
            .collect()
    }

    #[test]
    fn prose_is_not_code() {
        let text =
            "a // unsafe\n /* unsafe /* unsafe */ */ b \"unsafe\" r#\"unsafe \" x\"# 'u' b'\\'' c";
        assert_eq!(words(text), ["a", "b", "c"]);
    }

    #[test]
    fn lifetimes_are_not_characters() {
        let (tokens, _) = lex("&'static str; 'a'; '\\n'; b\"x\"");
        let kinds: Vec<Kind> = tokens.iter().map(|token| token.kind).collect();
        assert_eq!(kinds[1], Kind::Lifetime);
        assert_eq!(
            kinds.iter().filter(|kind| **kind == Kind::Literal).count(),
            3
        );
    }

    #[test]
    fn lines_are_counted_through_strings_and_comments() {
        let (tokens, comments) = lex("\"a\nb\" /* c\nd */ e // f");
        assert_eq!(tokens.last().unwrap().line, 3);
        assert_eq!(
            comments
                .iter()
                .map(|comment| comment.line)
                .collect::<Vec<_>>(),
            [2, 3, 3]
        );
    }

    #[test]
    fn items_under_cfg_test_are_marked() {
        let (tokens, _) = lex(
            "fn a() {} #[cfg(test)] #[x(y)] mod tests { fn b() {} } fn c() {} #[cfg(test)] mod d; fn e() {}",
        );
        let live: Vec<&str> = tokens
            .iter()
            .filter(|t| !t.test && t.kind == Kind::Ident && t.text != "fn")
            .map(|t| t.text.as_str())
            .collect();
        assert_eq!(live, ["a", "c", "e"]);
    }
}
