//! By a header.

use http::HeaderName;

use super::{Extract, Extracted, Key};
use crate::error::ConfigurationError;
use crate::identifier::Identifier;
use crate::web::address::header_name;
use crate::web::request::Request;

/// The value of this header, byte for byte; an empty one is a value. Allocates nothing.
///
/// A request without it, or with several that differ (of which nobody knows which one the service believes) does not say
/// who is calling. Whoever can send any value gets a new counter with each: verify it before.
///
/// # Errors
/// [`ConfigurationError::HeaderName`] for what no header is called.
///
/// ```
/// use limitra_core::web::key;
///
/// let tenant = key::header("x-tenant")?;
/// assert!(key::header("x tenant").is_err());
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
pub fn header(name: impl AsRef<str>) -> Result<Key, ConfigurationError> {
    Ok(Key::new(Header(header_name(name.as_ref())?)))
}

#[derive(Debug)]
struct Header(HeaderName);

impl Extract for Header {
    fn extract<'a>(&'a self, request: &Request<'a>) -> Extracted<'a> {
        Extracted::one(self.at_hand(request), "such header")
    }

    fn at_hand<'a>(&'a self, request: &Request<'a>) -> Option<Identifier<'a>> {
        agreed(request.header(&self.0)).map(Identifier::from)
    }
}

/// The value that all of them are; none if they differ.
pub(super) fn agreed<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}
