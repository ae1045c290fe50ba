//! Values of arguments: strings, integers, durations and paths, read from tokens.
//!
//! Each reader answers with what was meant, or with a sentence that says what it should have been.
//!
//! Tests: below.

use crate::token::Token;

/// The text of a string literal, without its quotes. Escapes stay as written: nothing that is
/// compared with this text contains one.
pub(crate) fn string<S: Copy>(value: &[Token<S>]) -> Option<&str> {
    let text = literal(value)?;
    let (hashes, quoted) = match text.strip_prefix('r') {
        Some(raw) => {
            let quoted = raw.trim_start_matches('#');
            (raw.len() - quoted.len(), quoted)
        }
        None => (0, text),
    };
    let body = quoted.strip_prefix('"')?;
    let end = body.len().checked_sub(hashes)?;
    let (body, tail) = body.split_at_checked(end)?;
    tail.bytes().all(|byte| byte == b'#').then_some(())?;
    body.strip_suffix('"')
}

/// The value of an unsigned integer literal of at most 64 bits.
pub(crate) fn integer<S: Copy>(value: &[Token<S>]) -> Option<u64> {
    let text: String = literal(value)?.chars().filter(|c| *c != '_').collect();
    let (radix, digits) = match text.get(..2) {
        Some("0x") => (16, &text[2..]),
        Some("0o") => (8, &text[2..]),
        Some("0b") => (2, &text[2..]),
        _ => (10, &text[..]),
    };
    let digits = ["u64", "usize"]
        .iter()
        .find_map(|s| digits.strip_suffix(s))
        .unwrap_or(digits);
    u64::from_str_radix(digits, radix).ok()
}

/// The nanoseconds of a duration such as `250ms`, `5s` or `2m`.
pub(crate) fn duration(text: &str) -> Result<u64, String> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit_nanos: Option<u64> = match unit {
        "ms" => Some(1_000_000),
        "s" => Some(1_000_000_000),
        "m" => Some(60_000_000_000),
        _ => None,
    };
    let (Ok(number), Some(unit_nanos)) = (number.parse::<u64>(), unit_nanos) else {
        return Err(format!(
            "`{text}` is no duration: write a whole number and `ms`, `s` or `m`, for example \"5s\""
        ));
    };
    if number == 0 {
        return Err("a timeout of zero would fail every test: give it time, or remove it".into());
    }
    number
        .checked_mul(unit_nanos)
        .ok_or_else(|| format!("`{text}` is longer than 584 years: remove it to wait for ever"))
}

/// Are these tokens a path without generic arguments?
pub(crate) fn is_path<S: Copy>(value: &[Token<S>]) -> bool {
    let mut rest = match value {
        [a, b, tail @ ..] if a.is_punct(':') && b.is_punct(':') => tail,
        all => all,
    };
    loop {
        match rest {
            [Token::Ident(..)] => return true,
            [Token::Ident(..), a, b, tail @ ..] if a.is_punct(':') && b.is_punct(':') => {
                rest = tail;
            }
            _ => return false,
        }
    }
}

fn literal<S: Copy>(value: &[Token<S>]) -> Option<&str> {
    match value {
        [only] => match only.unwrapped() {
            Token::Literal(text, _) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::lexer::lex;

    fn string_of(text: &str) -> Option<String> {
        string(&[Token::Literal(text.into(), ())]).map(String::from)
    }

    #[test]
    fn strings_plain_and_raw_lose_their_quotes_and_others_are_refused() {
        assert_eq!(string_of("\"api\"").as_deref(), Some("api"));
        assert_eq!(string_of("\"\"").as_deref(), Some(""));
        assert_eq!(string_of("r\"api\"").as_deref(), Some("api"));
        assert_eq!(string_of("r##\"a\"#b\"##").as_deref(), Some("a\"#b"));
        for other in [
            "b\"api\"",
            "c\"api\"",
            "'a'",
            "7",
            "\"api\"suffix",
            "\"",
            "r#\"a\"",
        ] {
            assert_eq!(string_of(other), None, "{other}");
        }
    }

    #[test]
    fn integers_in_every_radix_up_to_64_bits() {
        for (text, value) in [
            ("7", Some(7)),
            ("1_000u64", Some(1_000)),
            ("0xff", Some(255)),
            ("0b101usize", Some(5)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("7i32", None),
            ("\"7\"", None),
            ("-7", None),
            ("seven", None),
            ("«7»", Some(7)),
        ] {
            assert_eq!(integer(&lex(text)), value, "{text}");
        }
    }

    #[test]
    fn durations_have_a_unit_and_are_neither_zero_nor_endless() {
        assert_eq!(duration("250ms"), Ok(250_000_000));
        assert_eq!(duration("5s"), Ok(5_000_000_000));
        assert_eq!(duration("2m"), Ok(120_000_000_000));
        for wrong in [
            "",
            "5",
            "s",
            "5 s",
            "5h",
            "1.5s",
            "-1s",
            "99999999999999999999s",
        ] {
            assert!(
                duration(wrong).unwrap_err().contains("whole number"),
                "{wrong}"
            );
        }
        assert!(duration("0s").unwrap_err().contains("zero"));
        assert!(
            duration("18446744073709551615m")
                .unwrap_err()
                .contains("584 years")
        );
    }

    #[test]
    fn paths_are_words_joined_by_double_colons() {
        for path in ["tenter", "::tenter", "crate::rt::tenter", "::a::b"] {
            assert!(is_path(&lex(path)), "{path}");
        }
        for other in ["", "::", "a::", "a:b", "a b", "\"a\"", "a<b>", "a::<b>"] {
            assert!(!is_path(&lex(other)), "{other}");
        }
    }
}
