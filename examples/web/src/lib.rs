//! A web service whose callers are limited, by layers and by attributes.
//!
//! * Here: one limit for each client, whatever it asks for, in a layer around everything.
//! * `login`: wrong passwords for each name and each client, in a layer around one route; right ones are given back.
//! * `api`: an attribute for each user and each tenant, a layer with a limit by plan, and limiters called by hand.
//!
//! Where the counters are, and which clock they follow, is the business of the [`Limitra`] handle that [`router`] is given.

mod api;
mod login;
mod user;

use axum::Router;
use axum::routing::get;
use limitra::web::{ClientIp, Headers, HttpLimiter, key};
use limitra::{ConfigurationError, Limitra};

/// The service. It wants to know its clients: `into_make_service_with_connect_info::<SocketAddr>()`.
///
/// # Errors
/// [`ConfigurationError`] if one of its limits cannot be built over this handle.
pub fn router(limits: &Limitra, client: &ClientIp) -> Result<Router, ConfigurationError> {
    // A client may ask 300 times at once, and then 10 times a second.
    let for_each_client = limits.limiter().algorithm("token_bucket").requests(600).window(60).burst(300);
    let everything = HttpLimiter::builder()
        .limit(&for_each_client.scope("client").build()?, key::client_ip(client.clone()))
        .exempt_path("/health")
        .headers(Headers::default().on_allowed(true))
        .build()?;
    Ok(Router::new()
        .route(
            "/",
            get("limitra: POST /login/{name}, GET /api/items, GET /api/search, POST /api/reports/{rows}\n"),
        )
        .route("/health", get("well\n"))
        .merge(login::routes(limits, client)?)
        .merge(api::routes(limits)?)
        // What is added last stands in front of all that was added before.
        .layer(everything.layer()))
}
