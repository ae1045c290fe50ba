//! A small JSON reader, enough for what cargo prints.

use std::collections::BTreeMap;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

static NOTHING: Json = Json::Null;

impl Json {
    /// Reads one value; the rest of the text must be blank.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader {
            bytes: text.as_bytes(),
            at: 0,
        };
        let value = reader.value()?;
        reader.blank();
        if reader.at == reader.bytes.len() {
            Ok(value)
        } else {
            Err(reader.error("end of text"))
        }
    }

    /// The member of an object; `Null` where there is none.
    pub fn get(&self, key: &str) -> &Self {
        match self {
            Self::Object(members) => members.get(key).unwrap_or(&NOTHING),
            _ => &NOTHING,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn list(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn error(&self, expected: &str) -> String {
        format!("JSON: expected {expected} at byte {}", self.at)
    }

    fn blank(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.blank();
        let found = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, String> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.error(word))
        }
    }

    fn value(&mut self) -> Result<Json, String> {
        self.blank();
        match self.bytes.get(self.at) {
            Some(b'n') => self.word("null", Json::Null),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'[') => self.list(),
            Some(b'{') => self.object(),
            _ => self.number(),
        }
    }

    fn number(&mut self) -> Result<Json, String> {
        let begin = self.at;
        while self
            .bytes
            .get(self.at)
            .is_some_and(|byte| b"+-.eE0123456789".contains(byte))
        {
            self.at += 1;
        }
        let digits = std::str::from_utf8(&self.bytes[begin..self.at]).unwrap_or_default();
        digits
            .parse()
            .map(Json::Number)
            .map_err(|_| self.error("a value"))
    }

    fn list(&mut self) -> Result<Json, String> {
        let mut items = Vec::new();
        self.at += 1;
        if self.take(b']') {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value()?);
            if self.take(b']') {
                return Ok(Json::List(items));
            }
            if !self.take(b',') {
                return Err(self.error("`,` or `]`"));
            }
        }
    }

    fn object(&mut self) -> Result<Json, String> {
        let mut members = BTreeMap::new();
        self.at += 1;
        if self.take(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.blank();
            let key = self.string()?;
            if !self.take(b':') {
                return Err(self.error("`:`"));
            }
            members.insert(key, self.value()?);
            if self.take(b'}') {
                return Ok(Json::Object(members));
            }
            if !self.take(b',') {
                return Err(self.error("`,` or `}`"));
            }
        }
    }

    fn string(&mut self) -> Result<String, String> {
        if self.bytes.get(self.at) != Some(&b'"') {
            return Err(self.error("a string"));
        }
        self.at += 1;
        let mut text = Vec::new();
        loop {
            match self.bytes.get(self.at) {
                None => return Err(self.error("`\"`")),
                Some(b'"') => break,
                Some(b'\\') => self.escape(&mut text)?,
                Some(byte) => text.push(*byte),
            }
            self.at += 1;
        }
        self.at += 1;
        String::from_utf8(text).map_err(|_| self.error("UTF-8"))
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), String> {
        self.at += 1;
        let decoded = match self.bytes.get(self.at) {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 1..self.at + 5).unwrap_or_default();
                let digits = std::str::from_utf8(digits).unwrap_or_default();
                let code =
                    u32::from_str_radix(digits, 16).map_err(|_| self.error("four digits"))?;
                self.at += 4;
                // Half of a surrogate pair says nothing that a build step reads.
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            Some(other) => char::from(*other),
            None => return Err(self.error("an escape")),
        };
        text.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn reads_what_cargo_prints() {
        let json =
            Json::parse(r#"{"a": [1, -2.5e1, "x\n\u00e9\"", null, true], "b": {}}"#).unwrap();
        assert_eq!(json.get("a").list()[1], Json::Number(-25.0));
        assert_eq!(json.get("a").list()[2].text(), Some("x\né\""));
        assert_eq!(json.get("missing"), &Json::Null);
    }

    #[test]
    fn refuses_what_is_cut_short() {
        for text in ["", "{", "[1,", "\"abc", "{\"a\" 1}", "1 2", "[1 2]"] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
    }
}
