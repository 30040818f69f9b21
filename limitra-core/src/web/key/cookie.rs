//! By a cookie.

use std::borrow::Cow;

use super::header::agreed;
use super::{Extract, Extracted, Key};
use crate::error::ConfigurationError;
use crate::identifier::Identifier;
use crate::web::address::trimmed;
use crate::web::percent::decoded;
use crate::web::request::Request;

/// The value of this cookie, without quotes and percent-decoded, so that its spellings are one caller. Allocates only where
/// there is something to decode.
///
/// A request without it, with an empty one, or with several that differ (of which nobody knows which one the service
/// believes) does not say who is calling. The time that it takes is linear in the header.
///
/// The value stands in the storage's keys: for a session's secret choose [`hash_identifiers`]. Whoever can send
/// any value gets a new counter with each: verify it before.
///
/// [`hash_identifiers`]: crate::RateLimiterBuilder::hash_identifiers
///
/// # Errors
/// [`ConfigurationError::CookieName`] for what no cookie is called.
///
/// ```
/// use limitra_core::web::key;
///
/// let session = key::cookie("session")?;
/// assert!(key::cookie("my session").is_err());
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
pub fn cookie(name: &str) -> Result<Key, ConfigurationError> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(ConfigurationError::CookieName { name: name.chars().take(64).collect() });
    }
    Ok(Key::new(Cookie(name.to_owned())))
}

#[derive(Debug)]
struct Cookie(String);

impl Cookie {
    fn value<'a>(&self, pair: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let (name, value) = pair.split_at_checked(pair.iter().position(|byte| *byte == b'=')?)?;
        let name = trimmed(name);
        if name != self.0.as_bytes() && *decoded(name) != *self.0.as_bytes() {
            return None;
        }
        let value = trimmed(value.get(1..)?);
        let inner = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        Some(decoded(inner.unwrap_or(value)))
    }
}

impl Extract for Cookie {
    fn extract<'a>(&'a self, request: &Request<'a>) -> Extracted<'a> {
        let lines = request.header(&http::header::COOKIE);
        let pairs = lines.flat_map(|line| line.split(|byte| *byte == b';'));
        let value = agreed(pairs.filter_map(|pair| self.value(pair))).filter(|value| !value.is_empty());
        let identifier = value.map(|value| match value {
            Cow::Borrowed(value) => Identifier::from(value),
            Cow::Owned(value) => Identifier::from(value),
        });
        Extracted::one(identifier, "such cookie")
    }
}
