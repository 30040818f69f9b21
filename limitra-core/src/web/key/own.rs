//! By a function of your own.

use std::error::Error;
use std::fmt;
use std::future::Future;

use smallvec::smallvec;

use super::{Extract, Extracted, Found, Key, KeyError};
use crate::identifier::Identifier;
use crate::web::request::Request;

/// What a function of your own may answer: `Option` (`None` is [`KeyError::Missing`]) or `Result` of what can be an
/// identifier. An error that is a [`KeyError`] stays what it is, any other is [`KeyError::Failed`].
pub trait Identified: Send {
    /// The identifier.
    ///
    /// # Errors
    /// Why there is none.
    fn identified(self) -> Result<Identifier<'static>, KeyError>;
}

impl<T: Into<Identifier<'static>> + Send> Identified for Option<T> {
    fn identified(self) -> Result<Identifier<'static>, KeyError> {
        self.map(Into::into).ok_or(KeyError::Missing { what: "caller" })
    }
}

impl<T: Into<Identifier<'static>> + Send, E: Into<Box<dyn Error + Send + Sync>> + Send> Identified
    for Result<T, E>
{
    fn identified(self) -> Result<Identifier<'static>, KeyError> {
        self.map(Into::into).map_err(|error| match error.into().downcast::<KeyError>() {
            Ok(error) => *error,
            Err(error) => KeyError::Failed(error),
        })
    }
}

/// What this function says. It is called once for each request, and must not block.
///
/// ```
/// use limitra_core::web::{Request, key};
///
/// #[derive(Clone)]
/// struct User(u64);
///
/// let by_user = key::by(|request: &Request<'_>| request.extension::<User>().map(|user| user.0));
/// let by_tenant = key::by(|request: &Request<'_>| {
///     let host = request.header(&http::header::HOST).next().unwrap_or_default();
///     std::str::from_utf8(host).map(|host| host.split('.').next().unwrap_or_default().to_owned())
/// });
/// ```
pub fn by<R: Identified + 'static>(function: impl Fn(&Request<'_>) -> R + Send + Sync + 'static) -> Key {
    Key::new(By(function))
}

/// What this function's future comes to, which borrows nothing of the request. Costs one allocation.
///
/// ```
/// use limitra_core::web::{Request, key};
/// # async fn user_of(session: Vec<u8>) -> Result<u64, std::io::Error> { Ok(7) }
///
/// let by_user = key::by_async(|request: &Request<'_>| {
///     let session = request.header(&http::header::AUTHORIZATION).next().map(<[u8]>::to_vec);
///     async move { user_of(session.unwrap_or_default()).await }
/// });
/// ```
pub fn by_async<F>(function: impl Fn(&Request<'_>) -> F + Send + Sync + 'static) -> Key
where
    F: Future<Output: Identified> + Send + 'static,
{
    Key::new(ByAsync(function))
}

fn found<'a>(answer: impl Identified) -> Found<'a> {
    answer.identified().map(|identifier| smallvec![identifier])
}

struct By<C>(C);

impl<R: Identified, C: Fn(&Request<'_>) -> R + Send + Sync + 'static> Extract for By<C> {
    fn extract<'a>(&'a self, request: &Request<'a>) -> Extracted<'a> {
        Extracted::Now(found((self.0)(request)))
    }
}

impl<C> fmt::Debug for By<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("By(..)")
    }
}

struct ByAsync<C>(C);

impl<F, C> Extract for ByAsync<C>
where
    F: Future<Output: Identified> + Send + 'static,
    C: Fn(&Request<'_>) -> F + Send + Sync + 'static,
{
    fn extract<'a>(&'a self, request: &Request<'a>) -> Extracted<'a> {
        let answer = (self.0)(request);
        Extracted::Later(Box::pin(async move { found(answer.await) }))
    }
}

impl<C> fmt::Debug for ByAsync<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByAsync(..)")
    }
}
