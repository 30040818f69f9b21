//! Why there is no identifier.

/// Why there is no identifier.
///
/// ```
/// use limitra_core::web::KeyError;
///
/// let error = KeyError::Missing { what: "tenant" };
/// assert_eq!(error.to_string(), "the request does not say who is calling: it has no tenant");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The request has nothing of the kind, or contradicts itself: no such header, no address, two different cookies of one
    /// name.
    #[error("the request does not say who is calling: it has no {what}")]
    Missing {
        /// What was looked for.
        what: &'static str,
    },
    /// A function of your own failed.
    #[error("who is calling could not be found out")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}
