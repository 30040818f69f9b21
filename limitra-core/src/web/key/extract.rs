//! How an identifier is found.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use smallvec::{SmallVec, smallvec};

use super::error::KeyError;
use crate::identifier::Identifier;
use crate::web::request::Request;

/// The parts of an identifier: two lists of parts that differ are two callers, whatever the parts contain.
pub(crate) type Parts<'a> = SmallVec<[Identifier<'a>; 2]>;

/// The parts of an identifier, or why there are none.
pub(crate) type Found<'a> = Result<Parts<'a>, KeyError>;

/// What looking for an identifier comes to.
pub(crate) enum Extracted<'a> {
    /// It was there.
    Now(Found<'a>),
    /// It has to be waited for. Borrows nothing of the request.
    Later(Pin<Box<dyn Future<Output = Found<'static>> + Send>>),
}

impl<'a> Extracted<'a> {
    /// One part, if there is one.
    #[inline]
    pub(super) fn one(identifier: Option<impl Into<Identifier<'a>>>, what: &'static str) -> Self {
        Self::Now(match identifier {
            Some(identifier) => Ok(smallvec![identifier.into()]),
            None => Err(KeyError::Missing { what }),
        })
    }
}

impl Extracted<'_> {
    /// One that borrows nothing of the request.
    pub(crate) fn owned(self) -> Extracted<'static> {
        match self {
            Self::Now(found) => {
                Extracted::Now(found.map(|parts| parts.into_iter().map(Identifier::into_owned).collect()))
            }
            Self::Later(found) => Extracted::Later(found),
        }
    }
}

impl Extracted<'static> {
    pub(super) async fn found(self) -> Found<'static> {
        match self {
            Self::Now(found) => found,
            Self::Later(found) => found.await,
        }
    }
}

/// Finds a request's identifier. Always as many parts as its kind has, so that lists of parts can be joined.
pub(crate) trait Extract: fmt::Debug + Send + Sync + 'static {
    fn extract<'a>(&'a self, request: &Request<'a>) -> Extracted<'a>;

    /// The same where it is one part and at hand, with less to be moved about. `None` says nothing: then it is extracted.
    fn at_hand<'a>(&'a self, _request: &Request<'a>) -> Option<Identifier<'a>> {
        None
    }
}
