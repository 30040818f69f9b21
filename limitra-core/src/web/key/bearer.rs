//! By a token.

use sha2::{Digest as _, Sha256};

use super::header::agreed;
use super::{Extract, Extracted, Key};
use crate::identifier::Identifier;
use crate::short_text::ShortText;
use crate::web::address::trimmed;
use crate::web::request::Request;

/// The token of `Authorization: Bearer ..`, as 128 bits of its SHA-256: the token itself stands in no storage, log or
/// `Debug`. Allocates nothing.
///
/// A request without one, or with several that differ, does not say who is calling. Whoever can send any token gets a new
/// counter with each: verify it before, or hold a limit by address as well.
///
/// ```
/// use limitra_core::web::key;
///
/// let by_token_else_by_address = key::bearer_token().or(key::peer_ip());
/// ```
pub fn bearer_token() -> Key {
    Key::new(BearerToken)
}

#[derive(Debug)]
struct BearerToken;

impl Extract for BearerToken {
    fn extract<'a>(&'a self, request: &Request<'a>) -> Extracted<'a> {
        let token = agreed(request.header(&http::header::AUTHORIZATION).map(token_of)).flatten();
        Extracted::one(token.map(digest), "bearer token")
    }
}

fn token_of(credentials: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer ";
    let (scheme, token) = credentials.split_at_checked(SCHEME.len())?;
    let token = trimmed(token);
    let is_token = scheme.eq_ignore_ascii_case(SCHEME)
        && !token.is_empty()
        && !token.iter().any(u8::is_ascii_whitespace);
    is_token.then_some(token)
}

/// 32 hexadecimal digits.
fn digest(token: &[u8]) -> Identifier<'static> {
    let digest = Sha256::digest(token);
    ShortText::written(|text| {
        for byte in digest.iter().take(16).rev() {
            text.digit(u64::from(byte & 15));
            text.digit(u64::from(byte >> 4));
        }
    })
    .into()
}
