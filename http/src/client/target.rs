//! [`Target`]: what an address of the web says, taken apart once.
//!
//! Every target is `http`, has a host, a port that is a number, a path that begins with a slash and
//! only characters that may stand in a request line; it has no user name and no fragment. What a
//! redirect names is joined to the address before it as RFC 3986, section 5.2, says.
//!
//! Tests: below.

use std::fmt::{self, Write as _};

use http::Uri;
use http::header::HeaderValue;
use http::uri::PathAndQuery;

use crate::client::error::ErrorKind;

/// What can be asked for.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    uri: Uri,
    origin: Origin,
}

/// Connections to one of these may be used for all that is asked of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// In lower case; an address of version 6 without its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Why an address cannot be asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Https,
    /// A sentence for the user.
    Malformed(String),
}

impl Refusal {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Refusal::Https => ErrorKind::Tls,
            Refusal::Malformed(_) => ErrorKind::Request,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Https => f.write_str(
                "https needs TLS, which this client does not have: ask for http, or put a TLS \
                 connector around `tenter_http::Connector` (feature `connector`)",
            ),
            Refusal::Malformed(sentence) => f.write_str(sentence),
        }
    }
}

fn malformed<T>(sentence: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Malformed(sentence.into()))
}

impl Target {
    pub(crate) fn parse(text: &str) -> Result<Target, Refusal> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            return malformed("it has no scheme: begin with http://");
        };
        if scheme.eq_ignore_ascii_case("https") {
            return Err(Refusal::Https);
        }
        if !scheme.eq_ignore_ascii_case("http") {
            return malformed(format!("its scheme is `{scheme}`, and only http is spoken"));
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return malformed("it names a user: send a header `authorization` instead");
        }
        if authority.is_empty() || authority.starts_with(':') {
            return malformed("it has no host");
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        let uri = format!("http://{authority}{slash}{}", encode(path));
        let uri: Uri = match uri.parse() {
            Ok(uri) => uri,
            Err(error) => return malformed(error.to_string()),
        };
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = match authority[host.len()..].trim_start_matches(':') {
            "" => 80,
            digits => match digits.parse() {
                Ok(port) => port,
                Err(_) => return malformed(format!("`{digits}` is no port")),
            },
        };
        let host = bare.to_owned();
        let origin = Origin { host, port };
        Ok(Target { uri, origin })
    }

    /// What `reference` means where this is asked for.
    pub(crate) fn join(&self, reference: &str) -> Result<Target, Refusal> {
        let reference = reference.trim().split('#').next().unwrap_or_default();
        if has_scheme(reference) {
            return Target::parse(reference);
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return Target::parse(&format!("http://{rest}"));
        }
        let base = self.uri.path();
        let (path, query) = reference.split_at(reference.find('?').unwrap_or(reference.len()));
        let path = match path {
            "" if query.is_empty() => return Ok(self.clone()),
            "" => base.to_owned(),
            path if path.starts_with('/') => without_dots(path),
            path => {
                let folder = base.rfind('/').map_or("/", |end| &base[..=end]);
                without_dots(&format!("{folder}{path}"))
            }
        };
        Target::parse(&format!("http://{}{path}{query}", self.authority()))
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    fn authority(&self) -> &str {
        self.uri
            .authority()
            .map_or("", |authority| authority.as_str())
    }

    /// The value of the header `host`: without the port where it is the usual one.
    pub(crate) fn host_header(&self) -> HeaderValue {
        let host = self.uri.host().unwrap_or_default();
        let value = match self.origin.port {
            80 => HeaderValue::from_str(host),
            port => HeaderValue::from_str(&format!("{host}:{port}")),
        };
        value.expect("what may stand in an authority may stand in a header")
    }

    /// What stands in the request line.
    pub(crate) fn request_uri(&self) -> Uri {
        let root = || PathAndQuery::from_static("/");
        self.uri
            .path_and_query()
            .cloned()
            .unwrap_or_else(root)
            .into()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

/// `text` without the name and the password of a user, for messages.
pub(crate) fn without_user(text: &str) -> String {
    let start = text.find("://").map_or(0, |start| start + 3);
    let end = text[start..]
        .find(['/', '?', '#'])
        .map_or(text.len(), |end| start + end);
    match text[start..end].rfind('@') {
        Some(at) => format!("{}{}", &text[..start], &text[start + at + 1..]),
        None => text.to_owned(),
    }
}

fn has_scheme(reference: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    reference.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(allowed)
    })
}

/// A path and a query whose forbidden bytes are written as `%41`. What is written so already stays.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            0..=b' ' | 0x7f.. | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => {
                // Writing to a string cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
            _ => encoded.push(byte.into()),
        }
    }
    encoded
}

/// The path with its `.` and `..` carried out.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                // What ends in dots is a folder.
                if is_last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Target {
        Target::parse(text).unwrap_or_else(|refusal| panic!("{text}: {refusal}"))
    }

    #[test]
    fn an_address_is_taken_apart() {
        for (text, shown, origin, host, asked) in [
            ("http://a", "http://a/", "a:80", "a", "/"),
            ("HTTP://Ab:80/c", "http://Ab:80/c", "ab:80", "Ab", "/c"),
            ("http://a:/", "http://a:/", "a:80", "a", "/"),
            (" http://a:81?q#f ", "http://a:81/?q", "a:81", "a:81", "/?q"),
            (
                "http://[::1]:9/",
                "http://[::1]:9/",
                "[::1]:9",
                "[::1]:9",
                "/",
            ),
            (
                "http://a/b c/ä?{1}",
                "http://a/b%20c/%C3%A4?%7B1%7D",
                "a:80",
                "a",
                "/b%20c/%C3%A4?%7B1%7D",
            ),
            ("http://a/%20", "http://a/%20", "a:80", "a", "/%20"),
        ] {
            let target = parse(text);
            assert_eq!(target.to_string(), shown);
            assert_eq!(target.origin().to_string(), origin, "{text}");
            assert_eq!(target.host_header(), host, "{text}");
            assert_eq!(target.request_uri(), asked, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_asked_for_is_refused_with_advice() {
        assert_eq!(Target::parse("https://a/").unwrap_err(), Refusal::Https);
        for (text, advice) in [
            ("", "no scheme"),
            ("localhost:80/", "begin with http://"),
            ("ftp://a/", "its scheme is `ftp`"),
            ("http://", "no host"),
            ("http:///a", "no host"),
            ("http://:80/", "no host"),
            ("http://me:secret@a/", "header `authorization`"),
            ("http://a:65536/", "`65536` is no port"),
            ("http://a:b/", "`b` is no port"),
            ("http://ä/", "invalid"),
        ] {
            let refusal = Target::parse(text).unwrap_err().to_string();
            assert!(refusal.contains(advice), "{text}: {refusal}");
        }
    }

    /// The examples of RFC 3986, section 5.4, as far as they are http.
    #[test]
    fn references_are_joined_as_the_standard_says() {
        let base = parse("http://a/b/c/d;p?q");
        for (reference, joined) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q"),
            ("g#s", "http://a/b/c/g"),
            (";x", "http://a/b/c/;x"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            ("./g/.", "http://a/b/c/g/"),
            ("g/../h", "http://a/b/c/h"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("http://e:1/f", "http://e:1/f"),
        ] {
            let target = base.join(reference).unwrap();
            assert_eq!(target.to_string(), joined, "{reference}");
        }
        assert_eq!(base.join("https://a/").unwrap_err(), Refusal::Https);
        assert!(base.join("mailto:me").is_err());
    }

    #[test]
    fn messages_do_not_tell_passwords() {
        assert_eq!(without_user("http://me:se@cret@a/b@c"), "http://a/b@c");
        assert_eq!(without_user("http://a/b@c"), "http://a/b@c");
        assert_eq!(without_user("me:secret@a"), "a");
    }
}
