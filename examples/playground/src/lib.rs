//! A local page on which two algorithms meet the same traffic, on a clock that the page sets.
//!
//! Everything that is counted is counted by limitra's public API; the page (in `page`) only draws. See `docs/playground.md`.

mod algorithms;
mod api;
mod front;
mod guard;
mod page;
mod pane;
mod peak;
mod session;
mod sessions;
mod step;
mod traffic;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;

/// No question is longer: a page's settings take a few hundred bytes.
const LONGEST_BODY: usize = 8 * 1024;

/// The whole of it: the page, and the API that only this page may use.
pub fn service() -> Router {
    page::routes()
        .merge(api::routes())
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(middleware::from_fn(guard::only_this_page))
}
