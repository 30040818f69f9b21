//! Where a limiter stands among routes and other layers.

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use limitra::web::{HttpLimiter, key};
use tower::{Layer as _, ServiceExt as _};

use crate::service::{per_minute, request, send};

fn by_route() -> HttpLimiter {
    HttpLimiter::builder().limit(&per_minute(2), key::route()).build().unwrap()
}

fn routes() -> Router {
    Router::new().route("/users/{id}", get("a user")).route("/", get("hello"))
}

async fn statuses(router: &Router, paths: &[&str]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for path in paths {
        statuses.push(send(router, request(path, &[])).await.status().as_u16());
    }
    statuses
}

#[tokio::test]
async fn layers_of_a_router_know_the_route_and_count_each_by_itself() {
    let paths = ["/users/1", "/users/2", "/users/3", "/", "/", "/"];
    for router in [routes().layer(by_route().layer()), routes().route_layer(by_route().layer())] {
        assert_eq!(statuses(&router, &paths).await, [200, 200, 429, 200, 200, 429]);
    }
}

#[tokio::test]
async fn a_layer_also_sees_what_no_route_matches_and_a_route_layer_does_not() {
    assert_eq!(statuses(&routes().layer(by_route().layer()), &["/nowhere"]).await, [403]);
    assert_eq!(statuses(&routes().route_layer(by_route().layer()), &["/nowhere"]).await, [404]);

    let everything = HttpLimiter::builder().limit(&per_minute(2), key::everyone()).build().unwrap();
    let router = routes().layer(everything.layer());
    assert_eq!(statuses(&router, &["/a", "/b", "/c"]).await, [404, 404, 429]);
}

#[tokio::test]
async fn a_layer_around_the_whole_router_knows_no_route() {
    let limiter = by_route();
    let service = limiter.layer().layer(routes());
    let response = service.oneshot(request("/", &[])).await.unwrap();
    assert_eq!((response.status(), limiter.unidentified()), (StatusCode::FORBIDDEN, 1));
}

#[actix_web::test]
async fn on_actix_web_an_app_knows_the_route_and_only_a_resource_its_parameters() {
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, HttpResponse, web};

    let by_id = HttpLimiter::builder().limit(&per_minute(1), key::path_parameter("id")).build().unwrap();
    let by_route = by_route();
    let user = || web::resource("/users/{id}").to(HttpResponse::Ok);
    let get = |path: &str| TestRequest::get().uri(path).to_request();

    let app = init_service(App::new().wrap(by_route.middleware()).service(user())).await;
    for (path, status) in [("/users/1", 200), ("/users/2", 200), ("/users/3", 429)] {
        assert_eq!(call_service(&app, get(path)).await.status().as_u16(), status, "{path}");
    }
    let app = init_service(App::new().service(user().wrap(by_id.middleware()))).await;
    for (path, status) in [("/users/1", 200), ("/users/2", 200), ("/users/1", 429)] {
        assert_eq!(call_service(&app, get(path)).await.status().as_u16(), status, "{path}");
    }
    let app = init_service(App::new().wrap(by_id.middleware()).service(user())).await;
    assert_eq!(call_service(&app, get("/users/3")).await.status().as_u16(), 403);
    assert_eq!(by_id.unidentified(), 1);
}
