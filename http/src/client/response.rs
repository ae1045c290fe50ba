//! [`Response`]: an answer, and its body.
//!
//! The connection is the response's until the body has been read to its end; then it goes back to
//! the pool, before the caller hears of the end. A response that is dropped earlier closes it.

use std::fmt;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{StatusCode, response::Parts};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::client::error::{Error, ErrorKind, Stage};
use crate::client::pool::Lease;
use crate::client::request::Limits;

/// An answer whose head has arrived.
///
/// Its connection is kept for another request when the body has been read to its end. One that is
/// dropped before is closed.
#[doc(alias = "ClientResponse")]
pub struct Response {
    head: Parts,
    body: Incoming,
    peer: SocketAddr,
    /// Until the body is read.
    lease: Option<Lease>,
    limits: Limits,
    body_max: usize,
    so_far: usize,
}

impl Response {
    pub(crate) async fn new(
        answer: http::Response<Incoming>,
        lease: Lease,
        limits: Limits,
        body_max: usize,
    ) -> Response {
        let (head, body) = answer.into_parts();
        let mut response = Response {
            head,
            body,
            peer: lease.link.peer,
            lease: Some(lease),
            limits,
            body_max,
            so_far: 0,
        };
        if response.body.is_end_stream() {
            response.settle().await;
        }
        response
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// Whether the status is below 400.
    #[doc(alias = "is_success")]
    pub fn ok(&self) -> bool {
        self.status().as_u16() < 400
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// What was asked for: after redirects, the last address.
    pub fn url(&self) -> &str {
        &self.limits.asked.url
    }

    /// The address that answered.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Makes an error of a status from 400 on.
    ///
    /// # Errors
    ///
    /// The status, with what was asked for and who answered so.
    #[doc(alias = "raise_for_status")]
    pub fn error_for_status(self) -> Result<Response, Error> {
        if self.ok() {
            return Ok(self);
        }
        let (status, peer) = (self.status(), self.peer);
        let why = format!("{peer} answered {status}");
        Err(self.limits.asked.refused(ErrorKind::Status(status), why))
    }

    /// The body as text. It is read as ISO 8859-1 if the header `content-type` says so, else as
    /// UTF-8; what is neither becomes U+FFFD.
    ///
    /// # Errors
    ///
    /// Those of [`bytes`](Response::bytes).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection; what was read is lost.
    pub async fn text(self) -> Result<String, Error> {
        let is_latin = is_latin(&self.head.headers);
        let bytes = self.bytes().await?;
        if is_latin {
            return Ok(bytes.iter().map(|byte| char::from(*byte)).collect());
        }
        let vec = Vec::from(bytes);
        Ok(String::from_utf8(vec)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// The body.
    ///
    /// # Errors
    ///
    /// It is larger than [`ClientBuilder::max_body`](crate::ClientBuilder::max_body) allows, the
    /// connection breaks, or the time for the whole is up.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection; what was read is lost.
    #[doc(alias = "read")]
    pub async fn bytes(mut self) -> Result<Bytes, Error> {
        // What is announced as too long is not read in vain.
        let announced = self.body.size_hint().lower();
        if announced > self.body_max as u64 {
            return Err(self.too_large());
        }
        let Some(first) = self.chunk().await? else {
            return Ok(Bytes::new());
        };
        let mut parts = Parted::One(first);
        loop {
            if self.so_far > self.body_max {
                return Err(self.too_large());
            }
            match self.chunk().await? {
                Some(chunk) => parts = parts.and(&chunk, announced),
                None => return Ok(parts.whole()),
            }
        }
    }

    /// The next part of the body as it arrives, or `None` at its end. For bodies that are worked on
    /// in parts; there is no limit on the whole.
    ///
    /// # Errors
    ///
    /// The connection breaks, or the time for the whole is up.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; the next call goes on.
    #[doc(alias = "iter_chunked")]
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let (peer, so_far) = (self.peer, self.so_far);
            let frame = self.body.frame();
            let stage = || Stage::Body { peer, so_far };
            let frame = match self.limits.step(frame, stage).await? {
                None => break,
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    let what = format!("the body from {peer} broke off after {so_far} bytes");
                    return Err(self.limits.asked.broken(&what, error));
                }
            };
            // Trailers are nothing that anybody has asked for.
            if let Ok(data) = frame.into_data() {
                self.so_far += data.len();
                return Ok(Some(data));
            }
        }
        self.settle().await;
        Ok(None)
    }

    /// Reads a body that nobody wants, if it is not longer than that.
    pub(crate) async fn discard(mut self, most: usize) {
        while self.so_far <= most {
            let Ok(Some(_)) = self.chunk().await else {
                return;
            };
        }
    }

    async fn settle(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.settle().await;
        }
    }

    fn too_large(&self) -> Error {
        let (peer, most) = (self.peer, self.body_max);
        let why = format!(
            "the body from {peer} is larger than {most} bytes, which is the most that \
             `ClientBuilder::max_body` allows"
        );
        self.limits.asked.refused(ErrorKind::BodyLimit, why)
    }
}

/// Bodies are mostly one part, which is not copied then.
enum Parted {
    One(Bytes),
    Many(BytesMut),
}

impl Parted {
    fn and(self, chunk: &Bytes, announced: u64) -> Parted {
        let mut whole = match self {
            Parted::Many(whole) => whole,
            Parted::One(first) => {
                // It was compared with the limit.
                let mut whole = BytesMut::with_capacity(announced as usize);
                whole.extend_from_slice(&first);
                whole
            }
        };
        whole.extend_from_slice(chunk);
        Parted::Many(whole)
    }

    fn whole(self) -> Bytes {
        match self {
            Parted::One(bytes) => bytes,
            Parted::Many(bytes) => bytes.freeze(),
        }
    }
}

fn is_latin(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .map_or(&b""[..], |kind| kind.as_bytes());
    let kind = String::from_utf8_lossy(kind).to_ascii_lowercase();
    let mut parameters = kind.split(';').skip(1);
    let charset = parameters.find_map(|parameter| parameter.trim().strip_prefix("charset="));
    charset.is_some_and(|name| ["iso-8859-1", "latin1"].contains(&name.trim_matches('"')))
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("url", &self.url())
            .field("status", &self.status())
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
