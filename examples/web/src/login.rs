//! A login that cannot be guessed at: five wrong passwords for a name and twenty of a client, in a quarter of an hour.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use limitra::web::{ClientIp, HttpLimiter, key};
use limitra::{ConfigurationError, Limitra};

pub(crate) fn routes(limits: &Limitra, client: &ClientIp) -> Result<Router, ConfigurationError> {
    let wrong_passwords = || limits.limiter().algorithm("moving_window").window(900);
    let attempts = HttpLimiter::builder()
        .limit(&wrong_passwords().requests(5).scope("login-name").build()?, key::path_parameter("name"))
        .limit(&wrong_passwords().requests(20).scope("login-client").build()?, key::client_ip(client.clone()))
        // Each attempt is charged before the password is looked at, so that a thousand side by side are no more than five;
        // only then is a right one given back.
        .give_back_when(|answered| answered.status().is_success())
        .build()?;
    // Around the method, so that a page that is only looked at (405) is no attempt.
    Ok(Router::new().route("/login/{name}", post(login).route_layer(attempts.layer())))
}

async fn login(password: String) -> Result<&'static str, StatusCode> {
    if password == "open sesame" { Ok("welcome\n") } else { Err(StatusCode::UNAUTHORIZED) }
}
