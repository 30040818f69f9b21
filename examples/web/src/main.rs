//! The service, on an address of its own:
//!
//! ```text
//! cargo run -p limitra-examples-web                      # http://127.0.0.1:3000, counting in memory
//! cargo run -p limitra-examples-web -- 127.0.0.1:0       # a free port
//! LIMITRA_REDIS_URL=redis://127.0.0.1:6379 cargo run -p limitra-examples-web
//! TRUSTED_PROXIES=loopback cargo run -p limitra-examples-web   # behind an nginx on this machine
//! cargo run --release -p limitra-examples-web            # for a load generator
//! ```

use std::error::Error;
use std::net::SocketAddr;

use limitra::LimitraConfig;
use limitra::web::{ClientIp, TrustedProxies};
use limitra_examples_web::router;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let limits = LimitraConfig::from_env()?.project("web").build()?;
    // A service that must start while Redis is away leaves this out; its handlers answer 503 until Redis is back.
    limits.check().await?;

    let service = router(&limits, &client()?)?.into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind(&address).await.map_err(|error| format!("{address}: {error}"))?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}, counting in {}; ctrl-c ends it\n", limits.storage().name());
    println!("  curl -i http://{address}/                            # RateLimit says what is left");
    println!("  for i in 1 2 3 4 5 6; do curl -i -d sesame http://{address}/login/ada; done");
    println!("  curl -i -H 'x-user: ada' -H 'x-tenant: acme' -H 'x-plan: pro' http://{address}/api/search");
    println!("  curl -i -H 'x-user: ada' -H 'x-tenant: acme' -X POST http://{address}/api/reports/6000");
    println!("  oha -z 5s -H 'x-user: ada' -H 'x-tenant: acme' http://{address}/api/items");
    println!("  wrk -d 5 -H 'x-user: ada' -H 'x-tenant: acme' http://{address}/api/items");
    axum::serve(listener, service).with_graceful_shutdown(stop()).await?;
    println!("\nall answered");
    Ok(())
}

/// Whose word about a client's address is believed: by default nobody's, and the client is the other end of the connection.
fn client() -> Result<ClientIp, Box<dyn Error>> {
    Ok(match std::env::var("TRUSTED_PROXIES") {
        Ok(proxies) => ClientIp::x_forwarded_for(TrustedProxies::new(proxies.split(','))?),
        Err(_) => ClientIp::peer(),
    })
}

/// Ends when somebody presses ctrl-c; requests that are being answered still are.
async fn stop() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without a way to hear it the service runs until it is killed.
        std::future::pending::<()>().await;
    }
}
