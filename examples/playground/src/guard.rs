//! Who may ask: this page, in a browser on this machine.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// What the browser is told with each answer. Nothing is loaded from elsewhere, and no script stands in the page itself.
const TOLD: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Refuses what a stranger's page sends, also by a name of its own that leads to this machine.
pub(crate) async fn only_this_page(request: Request, next: Next) -> Response {
    let mut response = if is_from_here(request.headers()) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "this playground answers its own page only\n").into_response()
    };
    for (name, value) in TOLD {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn is_from_here(headers: &HeaderMap) -> bool {
    let Some(host) = text(headers, &header::HOST) else { return false };
    let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
    let is_local = ["127.0.0.1", "localhost"].contains(&name);
    let is_own = !headers.contains_key(header::ORIGIN)
        || text(headers, &header::ORIGIN).and_then(|origin| origin.strip_prefix("http://")) == Some(host);
    is_local && is_own
}

/// A header that is there once.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}
