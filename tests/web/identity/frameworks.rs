//! What axum and actix-web know of a request.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::routing::get;
use limitra::web::{self, Key, key};
use tower::ServiceExt as _;

async fn who(key: &Key, request: &web::Request<'_>) -> String {
    match key.identify(request).await {
        Ok(parts) => {
            let texts = parts.iter().map(|part| String::from_utf8_lossy(part.as_bytes()).into_owned());
            texts.collect::<Vec<_>>().join(" ")
        }
        Err(error) => error.to_string(),
    }
}

fn route_and_id() -> Key {
    key::route().and(key::path_parameter("id"))
}

/// What a handler of axum says of the request that reached it.
async fn by_axum(path: &str) -> String {
    let handler = get(|request: Request| {
        let key = route_and_id().or(key::route()).or(key::peer_ip());
        let found = key.identify(&web::Request::of(&request));
        async move {
            let parts = found.await.unwrap();
            let texts = parts.iter().map(|part| String::from_utf8_lossy(part.as_bytes()).into_owned());
            texts.collect::<Vec<_>>().join(" ")
        }
    });
    let nested = Router::new().route("/users/{id}", handler.clone()).route("/files/{*id}", handler.clone());
    let router =
        Router::new().nest("/api/{tenant}", nested).route("/about", handler.clone()).fallback(handler);
    let mut request = http::Request::get(path).body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 4711))));
    let response = router.oneshot(request).await.unwrap();
    let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn axum_tells_routes_parameters_and_peers() {
    for (path, told) in [
        ("/api/acme/users/7", "1 1 /api/{tenant}/users/{id} 7"),
        ("/api/acme/users/7?id=8", "1 1 /api/{tenant}/users/{id} 7"),
        ("/api/acme/users/%61d%61", "1 1 /api/{tenant}/users/{id} ada"),
        ("/api/acme/users/a%2Fb", "1 1 /api/{tenant}/users/{id} a/b"),
        ("/api/acme/files/a/b%20c", "1 1 /api/{tenant}/files/{*id} a/b c"),
        ("/about", "1 2 /about"),
        ("/nowhere", "2 192.0.2.7"),
    ] {
        assert_eq!(by_axum(path).await, told, "{path}");
    }
}

/// As in `/@{name}`: axum's parameter ends a segment, and need not begin it.
#[tokio::test]
async fn a_parameter_of_axum_is_found_behind_text_and_behind_what_rewrites_paths() {
    let handler = get(|request: Request| {
        let name = key::path_parameter("name").identify(&web::Request::of(&request));
        async move { String::from_utf8_lossy(name.await.unwrap()[0].as_bytes()).into_owned() }
    });
    let router = Router::new()
        .route("/@{name}", handler.clone())
        .route("/{{a}}{name}/posts", handler.clone())
        .route("/files/v{*name}", handler.clone())
        .route("/users/{name}", handler);
    let rewriting = tower::util::MapRequest::new(router, |mut request: Request| {
        let path = request.uri().path().replacen("/v2", "", 1).replace(".json", "");
        *request.uri_mut() = path.parse().unwrap();
        request
    });
    // It keeps the path as it came.
    let router = Router::new().fallback_service(rewriting);
    for (path, name) in [
        ("/@ada", "ada"),
        ("/@%61d%61", "ada"),
        ("/{a}ada/posts", "ada"),
        ("/files/v1/b%20c", "1/b c"),
        ("/v2/users/ada", "ada"),
        ("/v2/@ada", "ada"),
        ("/users/ada.json", "ada"),
    ] {
        let request = http::Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(axum::body::to_bytes(response.into_body(), 10_000).await.unwrap(), name, "{path}");
    }
}

async fn by_actix(request: actix_web::HttpRequest) -> String {
    let key = route_and_id().or(key::route()).or(key::peer_ip());
    who(&key, &web::Request::of_actix(&request)).await
}

#[test]
fn actix_tells_routes_parameters_and_peers() {
    use actix_web::test::{TestRequest, call_and_read_body, init_service};
    use actix_web::web::{get, scope};
    actix_web::rt::System::new().block_on(async {
        let nested = scope("/api/{tenant}").route("/users/{id}", get().to(by_actix));
        let app = actix_web::App::new()
            .service(nested.route("/files/{id:.*}", get().to(by_actix)))
            .route("/about", get().to(by_actix))
            .default_service(get().to(by_actix));
        let app = init_service(app).await;
        for (path, told) in [
            ("/api/acme/users/7", "1 1 /api/{tenant}/users/{id} 7"),
            ("/api/acme/users/%61d%61", "1 1 /api/{tenant}/users/{id} ada"),
            ("/api/acme/users/a%2Fb", "1 1 /api/{tenant}/users/{id} a/b"),
            ("/api/acme/users/%2561", "1 1 /api/{tenant}/users/{id} %61"),
            ("/api/acme/files/a/b%20c", "1 1 /api/{tenant}/files/{id:.*} a/b c"),
            ("/about", "1 2 /about"),
            ("/nowhere", "2 192.0.2.7"),
        ] {
            let request = TestRequest::with_uri(path).peer_addr("192.0.2.7:4711".parse().unwrap());
            let told_here = call_and_read_body(&app, request.to_request()).await;
            assert_eq!(String::from_utf8_lossy(&told_here), told, "{path}");
        }
    });
}

/// Bytes that are not UTF-8 are all the same to a handler, so that nobody is to have a counter for each of them.
#[test]
fn one_parameter_of_a_handler_of_actix_is_one_caller() {
    use actix_web::test::{TestRequest, call_and_read_body, init_service};
    use actix_web::web;
    let handler = async |request: actix_web::HttpRequest, id: web::Path<String>| {
        let key = key::path_parameter("id");
        let parts = key.identify(&limitra::web::Request::of_actix(&request)).await.unwrap();
        assert_eq!(parts[0].as_bytes(), id.as_bytes(), "{}", request.uri());
        id.into_inner()
    };
    actix_web::rt::System::new().block_on(async {
        let app = init_service(actix_web::App::new().route("/{id}", web::get().to(handler))).await;
        for path in ["/%ff", "/%aa", "/%%61a", "/%%61b", "/%%41%41", "/%a%61", "/%25aa"] {
            let told = call_and_read_body(&app, TestRequest::with_uri(path).to_request()).await;
            let expected = if path == "/%25aa" { "%aa" } else { "\u{fffd}" };
            assert_eq!(String::from_utf8_lossy(&told), expected, "{path}");
        }
    });
}

#[test]
fn actix_gives_headers_and_cookies_as_they_came() {
    let request = actix_web::test::TestRequest::default()
        .append_header(("x-tenant", "acme"))
        .append_header(("cookie", "a=b; session=ada"))
        .append_header(("x-forwarded-for", "1.1.1.1, 192.0.2.7"))
        .append_header(("x-forwarded-for", "10.0.0.5"))
        .peer_addr("10.0.0.9:4711".parse().unwrap())
        .to_http_request();
    let client = web::ClientIp::x_forwarded_for(web::TrustedProxies::private());
    let key =
        key::header("x-tenant").unwrap().and(key::cookie("session").unwrap()).and(key::client_ip(client));
    let told = crate::requests::at_once(who(&key, &web::Request::of_actix(&request)));
    assert_eq!(told, "acme ada 192.0.2.7");
}
