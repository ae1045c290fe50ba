//! Where a request goes next.
//!
//! Tests: `tests/tests/http/answers.rs`.

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, LOCATION,
    PROXY_AUTHORIZATION, TRANSFER_ENCODING,
};
use http::{Method, StatusCode};

use crate::client::target::{Refusal, Target};

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Ask {
    /// What an answer says is to be asked for instead, if it does. An address that cannot be asked
    /// for is returned with the reason.
    pub(crate) fn redirected(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<Option<Ask>, (String, Refusal)> {
        let forgets_body = match status {
            // What browsers do, and the standard allows: a form that was sent is not sent again.
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            StatusCode::SEE_OTHER => self.method != Method::HEAD,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
            _ => return Ok(None),
        };
        let Some(location) = headers.get(LOCATION) else {
            return Ok(None);
        };
        let location = String::from_utf8_lossy(location.as_bytes());
        let target = match self.target.join(&location) {
            Ok(target) => target,
            Err(refusal) => return Err((location.into_owned(), refusal)),
        };
        let mut next = self.clone();
        if target.origin() != self.target.origin() {
            // What was meant for one server is not told to another.
            for secret in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
                next.headers.remove(secret);
            }
        }
        if forgets_body {
            next.method = Method::GET;
            next.body = Bytes::new();
            for of_body in [
                CONTENT_ENCODING,
                CONTENT_LENGTH,
                CONTENT_TYPE,
                TRANSFER_ENCODING,
            ] {
                next.headers.remove(of_body);
            }
        }
        next.target = target;
        Ok(Some(next))
    }
}
