//! Keys made of keys.

use smallvec::smallvec;

use super::{Extract, Extracted, Found, Key, KeyError, Parts};
use crate::identifier::Identifier;
use crate::web::request::Request;

impl Key {
    /// Callers by both: who differs in one of them is somebody else. If one is missing, so is the whole.
    ///
    /// ```
    /// use limitra_core::web::key;
    ///
    /// let each_address_on_each_route = key::route().and(key::peer_ip());
    /// ```
    pub fn and(self, other: Self) -> Self {
        Self::new(Both(self, other))
    }

    /// Callers by this key, or by the other one where this one is [missing](KeyError::Missing); the two never share a counter:
    /// an identifier begins with `1` or `2`. A function that failed is not made up for.
    ///
    /// If this key has to be waited for, the other one is looked for as well, though not waited for unless it is needed.
    ///
    /// ```
    /// use limitra_core::web::key;
    ///
    /// let by_token_else_by_address = key::bearer_token().or(key::peer_ip());
    /// ```
    pub fn or(self, other: Self) -> Self {
        Self::new(Either(self, other))
    }
}

#[derive(Debug)]
struct Both(Key, Key);

impl Extract for Both {
    fn extract<'a>(&'a self, request: &Request<'a>) -> Extracted<'a> {
        let first = match self.0.extract(request) {
            Extracted::Now(Err(error)) => return Extracted::Now(Err(error)),
            first => first,
        };
        match (first, self.1.extract(request)) {
            (Extracted::Now(first), Extracted::Now(second)) => Extracted::Now(joined(first, second)),
            (first, second) => {
                let (first, second) = (first.owned(), second.owned());
                Extracted::Later(Box::pin(async move { joined(first.found().await, second.found().await) }))
            }
        }
    }
}

fn joined<'a>(first: Found<'a>, second: Found<'a>) -> Found<'a> {
    let mut parts = first?;
    parts.extend(second?);
    Ok(parts)
}

#[derive(Debug)]
struct Either(Key, Key);

impl Extract for Either {
    fn extract<'a>(&'a self, request: &Request<'a>) -> Extracted<'a> {
        match self.0.extract(request) {
            Extracted::Now(Err(KeyError::Missing { .. })) => match self.1.extract(request) {
                Extracted::Now(second) => Extracted::Now(tagged("2", second)),
                Extracted::Later(second) => {
                    Extracted::Later(Box::pin(async move { tagged("2", second.await) }))
                }
            },
            Extracted::Now(first) => Extracted::Now(tagged("1", first)),
            Extracted::Later(first) => {
                let second = self.1.extract(request).owned();
                Extracted::Later(Box::pin(async move {
                    match first.await {
                        Err(KeyError::Missing { .. }) => tagged("2", second.found().await),
                        first => tagged("1", first),
                    }
                }))
            }
        }
    }
}

fn tagged<'a>(tag: &'static str, found: Found<'a>) -> Found<'a> {
    let mut parts: Parts<'a> = smallvec![Identifier::from(tag)];
    parts.extend(found?);
    Ok(parts)
}
