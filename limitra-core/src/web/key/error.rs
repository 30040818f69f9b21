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
    #[error("the request does not say who is calling: it has no {what}{}", remedy(what))]
    Missing {
        /// What was looked for.
        what: &'static str,
    },
    /// A function of your own failed.
    #[error("who is calling could not be found out")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// How a service comes to have what its requests lack, where nothing that a client sends could bring it.
fn remedy(what: &str) -> &'static str {
    match what {
        "address" => {
            " (serve axum with `into_make_service_with_connect_info::<SocketAddr>()`, or put a `Peer` among its extensions)"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_an_address_says_how_to_serve_with_one() {
        let told = KeyError::Missing { what: "address" }.to_string();
        assert!(
            told.contains("it has no address (serve axum with `into_make_service_with_connect_info"),
            "{told}"
        );
    }
}
