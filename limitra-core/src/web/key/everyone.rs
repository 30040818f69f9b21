//! By nothing.

use super::{Extract, Extracted, Key};
use crate::identifier::Identifier;
use crate::web::request::Request;

/// All callers together: one counter.
///
/// ```
/// use limitra_core::web::key;
///
/// let whole_service = key::everyone();
/// ```
pub fn everyone() -> Key {
    constant(())
}

/// The same identifier for every request: what callers share who have nothing else.
///
/// ```
/// use limitra_core::web::key;
///
/// let without_address_one_counter_for_all = key::peer_ip().or(key::constant("no address"));
/// ```
pub fn constant(identifier: impl Into<Identifier<'static>>) -> Key {
    Key::new(Constant(identifier.into()))
}

#[derive(Debug)]
struct Constant(Identifier<'static>);

impl Extract for Constant {
    fn extract<'a>(&'a self, request: &Request<'a>) -> Extracted<'a> {
        Extracted::one(self.at_hand(request), "")
    }

    fn at_hand<'a>(&'a self, _request: &Request<'a>) -> Option<Identifier<'a>> {
        Some(Identifier::from(&self.0))
    }
}
