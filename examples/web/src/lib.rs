//! A web service whose handlers are rate limited: a login for each client, an API for each user and tenant.
//!
//! A refused call is answered by 429 with `retry-after`. Where the counters are, and which clock they follow, is the
//! business of the [`Limitra`] handle that [`router`] is given.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use limitra::{ConfigurationError, Error, Limitra, RateLimiter, check_all, rate_limit};
use serde_json::{Value, json};

/// What the handlers share.
#[derive(Clone, Debug)]
struct App {
    /// Where the attributed handlers count.
    limits: Limitra,
    /// Rows of reports, of a user and of a whole tenant: limiters called by hand.
    rows_of_user: RateLimiter,
    rows_of_tenant: RateLimiter,
}

/// The service. It wants to know its clients: `into_make_service_with_connect_info::<SocketAddr>()`.
///
/// # Errors
/// [`ConfigurationError`] if one of its limits cannot be built over this handle.
pub fn router(limits: &Limitra) -> Result<Router, ConfigurationError> {
    let rows = || limits.limiter().algorithm("token_bucket").window(60);
    let app = App {
        limits: limits.clone(),
        rows_of_user: rows().requests(10_000).scope("rows-of-user").build()?,
        rows_of_tenant: rows().requests(15_000).scope("rows-of-tenant").build()?,
    };
    Ok(Router::new()
        .route("/", get("limitra: POST /login, GET /api/items, POST /api/reports/{rows}\n"))
        .route("/login", post(login))
        .route("/api/items", get(items))
        .route("/api/reports/{rows}", post(report))
        .with_state(app))
}

/// Five attempts a minute for each client, right or wrong.
#[rate_limit(requests = 5, window = 60, scope = "client", key = "client", limitra = app.limits)]
async fn login(
    Client(client): Client,
    State(app): State<App>,
    password: String,
) -> Result<Json<Value>, Refusal> {
    let welcome = password == "open sesame";
    Ok(Json(json!({ "welcome": welcome })))
}

/// Twenty a second and five hundred a minute for each user, and two thousand a minute for all users of a tenant: one
/// decision, all or nothing.
#[rate_limit(limits = [(20, 1), (500, 60)], key = "user.name", limitra = app.limits, decision = decision)]
#[rate_limit(requests = 2000, window = 60, scope = "tenant", key = "user.tenant", algorithm = "gcra")]
async fn items(user: User, State(app): State<App>) -> Result<Json<Value>, Refusal> {
    Ok(Json(json!({ "items": [1, 2, 3], "remaining": decision.remaining() })))
}

/// A report costs its rows, of the user's budget and of the tenant's: both pay or none does.
async fn report(user: User, State(app): State<App>, Path(rows): Path<u64>) -> Result<Json<Value>, Refusal> {
    let decision = check_all([
        app.rows_of_user.of(&*user.name).cost(rows),
        app.rows_of_tenant.of(&*user.tenant).cost(rows),
    ])
    .await?;
    // `check_all` answers with a decision; a handler that wants the error asks for it.
    if let Some(exceeded) = decision.exceeded() {
        return Err(Error::from(exceeded).into());
    }
    Ok(Json(json!({ "rows": rows, "remaining": decision.remaining() })))
}

/// Who a request comes from, as far as a server can know: the other end of its connection.
///
/// Behind a proxy that is the proxy, and everybody would share one counter. Then the client stands in a header that the
/// proxy writes (`x-forwarded-for`, `forwarded`), and only the entry that **your own** proxy has added may be believed:
/// with n trusted proxies the n-th from the right. Whatever stands further left, or comes from another address, the
/// client may have made up to get a fresh counter with every request.
struct Client(IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let ConnectInfo(address) = ConnectInfo::<SocketAddr>::from_request_parts(parts, state)
            .await
            .map_err(IntoResponse::into_response)?;
        Ok(Self(network(address.ip())))
    }
}

/// One counter for an IPv4 address, however it is written, and one for the IPv6 network (/64) that a single customer has.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// Who is logged in. A real service reads this from a session or a token that it has checked; this one believes the
/// headers `x-user` and `x-tenant`.
struct User {
    name: Arc<str>,
    tenant: Arc<str>,
}

impl<S: Send + Sync> FromRequestParts<S> for User {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(Arc::from);
        match (text("x-user"), text("x-tenant")) {
            (Some(name), Some(tenant)) => Ok(Self { name, tenant }),
            _ => Err((StatusCode::UNAUTHORIZED, "say who you are: x-user and x-tenant\n")),
        }
    }
}

/// What a handler answers in place of a result.
#[derive(Debug)]
struct Refusal(Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self.0 {
            Error::RateLimitExceeded(exceeded) => {
                let header = [(header::RETRY_AFTER, whole_seconds(exceeded.retry_after).to_string())];
                let body = json!({ "error": exceeded.to_string() });
                (StatusCode::TOO_MANY_REQUESTS, header, Json(body)).into_response()
            }
            // No waiting helps: this must be asked in smaller pieces.
            error @ Error::CostAboveLimit { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "error": error.to_string() })))
                    .into_response()
            }
            // The details are for the log, not for the client.
            Error::Storage(error) => {
                eprintln!("no decision: {error}");
                (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": "try again later" }))).into_response()
            }
            error => {
                eprintln!("a mistake in the service: {error}");
                (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "error": "our mistake" }))).into_response()
            }
        }
    }
}

/// What `retry-after` says: whole seconds, rounded up, so that whoever waits them is let in; never 0.
fn whole_seconds(wait: Duration) -> u64 {
    let begun = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(begun).max(1)
}
