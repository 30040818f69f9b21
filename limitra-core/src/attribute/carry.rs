//! What an attributed function may return.

use crate::error::Error;

/// A return type that can carry limitra's error.
///
/// Every `Result<T, E>` with `E: From<limitra::Error>` is one. Implement it for a type of your own (a
/// response, say) to return that from attributed functions.
///
/// ```
/// use limitra_core::{Error, FromError};
///
/// struct Reply(u16);
///
/// impl FromError for Reply {
///     fn from_error(error: Error) -> Self {
///         match error {
///             Error::RateLimitExceeded(_) => Self(429),
///             _ => Self(503),
///         }
///     }
/// }
/// # let _ = Reply(200).0;
/// ```
#[diagnostic::on_unimplemented(
    message = "the return type `{Self}` cannot carry a rate limit error",
    label = "`#[rate_limit]` has no way to answer a refused call with this type",
    note = "either return `Result<T, E>` with `E: From<limitra::Error>` (or implement `limitra::FromError` for `{Self}`)",
    note = "or say what a refused call returns: `on_exceeded = |exceeded| ..`"
)]
pub trait FromError: Sized {
    /// The value that says so.
    fn from_error(error: Error) -> Self;
}

// Else a `Result` whose error does not fit is blamed on the missing `From` alone.
#[diagnostic::do_not_recommend]
impl<T, E: From<Error>> FromError for Result<T, E> {
    fn from_error(error: Error) -> Self {
        Err(error.into())
    }
}

/// A return type that can carry a storage error, where `on_exceeded` answers the refusals.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the return type `{Self}` cannot carry a storage error, and nothing says what happens when no decision can be had",
    label = "what should be returned while the storage is down?",
    note = "say it: `fail_open = true` (let calls through), `on_outage = \"closed\"` (refuse them), `backend = \"memory\"` (no server to lose), or `on_error = |error| ..` (a value)",
    note = "or return `Result<T, E>` with `E: From<limitra::Error>` (or implement `limitra::FromError` for `{Self}`)"
)]
pub trait CarriesStorageError: Sized {
    /// The value that says so.
    fn from_error(error: Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: FromError> CarriesStorageError for T {
    fn from_error(error: Error) -> Self {
        FromError::from_error(error)
    }
}
