//! What users may call: limited by an attribute, by a layer whose limit is the plan's, and by hand.

use axum::extract::{Extension, Path, State};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use limitra::web::{Headers, HttpLimiter, Request, key};
use limitra::{ConfigurationError, Decision, Error, Limitra, RateLimiter, check_all, rate_limit};
use serde_json::{Value, json};

use crate::user::{Plan, User, authenticate};

/// What the handlers share.
#[derive(Clone)]
struct App {
    /// Where the attributed handlers count.
    limits: Limitra,
    /// Rows of reports, of a user and of a whole tenant: limiters called by hand.
    rows_of_user: RateLimiter,
    rows_of_tenant: RateLimiter,
}

pub(crate) fn routes(limits: &Limitra) -> Result<Router, ConfigurationError> {
    let rows = || limits.limiter().algorithm("token_bucket").window(60);
    let app = App {
        limits: limits.clone(),
        rows_of_user: rows().requests(10_000).scope("rows-of-user").build()?,
        rows_of_tenant: rows().requests(15_000).scope("rows-of-tenant").build()?,
    };
    Ok(Router::new()
        .route("/api/items", get(items))
        .route("/api/search", get(search).layer(searches(limits)?.layer()))
        .route("/api/reports/{rows}", post(report))
        // In front of the limits, which want to know the user.
        .route_layer(middleware::from_fn(authenticate))
        .with_state(app))
}

/// Twenty a second and five hundred a minute for each user, and two thousand a minute for all users of a tenant: one
/// decision, all or nothing. The error is a response: 429 with `retry-after`.
#[rate_limit(limits = [(20, 1), (500, 60)], key = "user.name", limitra = app.limits, decision = decision)]
#[rate_limit(requests = 2000, window = 60, scope = "tenant", key = "user.tenant", algorithm = "gcra")]
async fn items(Extension(user): Extension<User>, State(app): State<App>) -> Result<Json<Value>, Error> {
    Ok(Json(json!({ "items": [1, 2, 3], "remaining": decision.remaining() })))
}

/// Two searches a minute on the free plan, ten on the paid one. With one scope and one window they share a counter for
/// each user: who changes the plan neither starts afresh nor loses anything.
fn searches(limits: &Limitra) -> Result<HttpLimiter, ConfigurationError> {
    let of_plan = |searches: u64| limits.limiter().requests(searches).window(60).scope("searches").build();
    let (free, pro) = (of_plan(2)?, of_plan(10)?);
    let of_user = move |request: &Request<'_>| match request.extension::<User>()?.plan {
        Plan::Free => Some(free.clone()),
        Plan::Pro => Some(pro.clone()),
        Plan::Unlimited => None,
    };
    HttpLimiter::builder()
        .limit_by_request(
            of_user,
            key::by(|request| request.extension::<User>().map(|user| user.name.to_string())),
        )
        .headers(Headers::default().on_allowed(true))
        .share_decision()
        .build()
}

/// The layer in front shares its decision, except with those whom no limit applies to.
async fn search(decision: Option<Decision>) -> Json<Value> {
    Json(json!({ "found": [], "remaining": decision.map(|decision| decision.remaining()) }))
}

/// A report costs its rows, of the user's budget and of the tenant's: both pay or none does.
async fn report(
    Extension(user): Extension<User>,
    State(app): State<App>,
    Path(rows): Path<u64>,
) -> Result<Json<Value>, Error> {
    let decision = check_all([
        app.rows_of_user.of(&*user.name).cost(rows),
        app.rows_of_tenant.of(&*user.tenant).cost(rows),
    ])
    .await?;
    // `check_all` answers with a decision; a handler that wants the error asks for it.
    if let Some(exceeded) = decision.exceeded() {
        return Err(exceeded.into());
    }
    Ok(Json(json!({ "rows": rows, "remaining": decision.remaining() })))
}
