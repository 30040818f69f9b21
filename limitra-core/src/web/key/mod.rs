//! Who is calling: what a request's counter is found by.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use smallvec::SmallVec;

use super::request::Request;
use crate::identifier::Identifier;

/// Who is calling: how a request's identifier is found. Clones share it.
///
/// Made by the functions of [`web::key`](crate::web::key), from a request's address, headers, path or by a function of your own.
#[derive(Clone)]
pub struct Key(Arc<dyn Extract>);

/// The parts of an identifier: two lists of parts that differ are two callers, whatever the parts contain.
pub(crate) type Parts<'a> = SmallVec<[Identifier<'a>; 2]>;

/// Why there is no identifier.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The request has nothing of the kind: no such header, no address.
    #[error("the request does not say who is calling: it has no {what}")]
    Missing {
        /// What was looked for.
        what: &'static str,
    },
    /// A function of your own failed.
    #[error("who is calling could not be found out")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The parts of an identifier, or why there are none.
pub(crate) type Found<'a> = Result<Parts<'a>, KeyError>;

/// What looking for an identifier comes to.
pub(crate) enum Extracted<'a> {
    /// It was there.
    Now(Found<'a>),
    /// It has to be waited for. Borrows nothing of the request.
    Later(Pin<Box<dyn Future<Output = Found<'static>> + Send>>),
}

impl Extracted<'_> {
    /// The same, borrowing nothing.
    pub(crate) fn into_owned(self) -> Extracted<'static> {
        match self {
            Self::Now(found) => {
                let owned = |parts: Parts<'_>| parts.into_iter().map(Identifier::into_static).collect();
                Extracted::Now(found.map(owned))
            }
            Self::Later(found) => Extracted::Later(found),
        }
    }
}

/// Finds a request's identifier.
pub(crate) trait Extract: fmt::Debug + Send + Sync + 'static {
    fn extract<'a>(&'a self, request: &Request<'a>) -> Extracted<'a>;
}

impl Key {
    #[allow(dead_code)]
    pub(crate) fn new(extract: impl Extract) -> Self {
        Self(Arc::new(extract))
    }

    #[allow(dead_code)]
    pub(crate) fn extract<'a>(&'a self, request: &Request<'a>) -> Extracted<'a> {
        self.0.extract(request)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
