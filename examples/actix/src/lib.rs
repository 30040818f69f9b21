//! A service of actix-web: a middleware for each client, an attribute for each author.

use std::io;
use std::net::TcpListener;

use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};
use limitra::web::{Headers, HttpLimiter, key};
use limitra::{Decision, Error, Limitra, rate_limit};

/// The service on this socket; it runs when it is awaited.
///
/// # Errors
/// [`io::Error`] if the socket is no good, or one of the limits cannot be built over this handle.
pub fn server(limits: &Limitra, listener: TcpListener) -> io::Result<Server> {
    let limits = limits.clone();
    // Built once: all workers, each with an app of its own, count together.
    let each_client = for_each_client(&limits).map_err(io::Error::other)?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(limits.clone()))
            .route("/", web::get().to(hello))
            .route("/health", web::get().to(async || "well\n"))
            .route("/posts/{author}", web::post().to(post))
            .wrap(each_client.middleware())
    });
    Ok(server.workers(2).listen(listener)?.run())
}

/// Ten requests a minute for each client; checks of its health are free.
fn for_each_client(limits: &Limitra) -> Result<HttpLimiter, limitra::ConfigurationError> {
    let ten_a_minute = limits.limiter().algorithm("gcra").requests(10).window(60).scope("client").build()?;
    HttpLimiter::builder()
        .limit(&ten_a_minute, key::peer_ip())
        .exempt_path("/health")
        .headers(Headers::default().on_allowed(true))
        .share_decision()
        .build()
}

/// The middleware has said that it shares its decision.
async fn hello(decision: Decision) -> String {
    format!("hello, {} more\n", decision.remaining())
}

/// Two posts a minute for each author. The error is a response: 429 with `retry-after`.
#[rate_limit(requests = 2, window = 60, algorithm = "gcra", scope = "author", key = "author", limitra = limits)]
async fn post(limits: web::Data<Limitra>, author: web::Path<String>, text: String) -> Result<String, Error> {
    Ok(format!("{author} says {text}\n"))
}
