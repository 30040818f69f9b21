//! The service on port 3000, or on the address that is given:
//!
//! ```text
//! cargo run -p limitra-examples-actix
//! LIMITRA_REDIS_URL=redis://127.0.0.1:6379 cargo run -p limitra-examples-actix -- 127.0.0.1:0
//!
//! for i in 1 2 3; do curl -i -d hello http://127.0.0.1:3000/posts/ada; done      # the third is a 429
//! for i in 1 2 3 4 5 6 7 8; do curl -i http://127.0.0.1:3000/; done              # so is the last
//! ```

use std::error::Error;
use std::net::TcpListener;

use limitra::LimitraConfig;
use limitra_examples_actix::server;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let limits = LimitraConfig::from_env()?.project("actix").build()?;
    let listener = TcpListener::bind(&address).map_err(|error| format!("{address}: {error}"))?;
    println!("listening on http://{}, counting in {}", listener.local_addr()?, limits.storage().name());
    server(&limits, listener)?.await?;
    Ok(())
}
