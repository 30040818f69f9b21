//! Who is logged in.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

/// Who is logged in. Clones are cheap: a layer puts one into each request.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) name: Arc<str>,
    pub(crate) tenant: Arc<str>,
    pub(crate) plan: Plan,
}

#[derive(Clone, Copy)]
pub(crate) enum Plan {
    Free,
    Pro,
    Unlimited,
}

impl User {
    /// A real service reads this from a session or a token that it has checked; this one believes the headers `x-user`,
    /// `x-tenant` and `x-plan`.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let plan = match text("x-plan") {
            Some("pro") => Plan::Pro,
            Some("unlimited") => Plan::Unlimited,
            _ => Plan::Free,
        };
        Some(Self { name: text("x-user")?.into(), tenant: text("x-tenant")?.into(), plan })
    }
}

/// Finds out who is logged in, for the layers and handlers behind.
pub(crate) async fn authenticate(
    mut request: Request,
    next: Next,
) -> Result<Response, (StatusCode, &'static str)> {
    let Some(user) = User::of(request.headers()) else {
        return Err((StatusCode::UNAUTHORIZED, "say who you are: x-user and x-tenant\n"));
    };
    request.extensions_mut().insert(user);
    Ok(next.run(request).await)
}
