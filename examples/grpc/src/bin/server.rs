//! The server on port 50051, or on the address that is given:
//!
//! ```text
//! cargo run -p limitra-examples-grpc --bin server
//! cargo run -p limitra-examples-grpc --bin client        # in another terminal
//! ```

use std::error::Error;

use limitra::LimitraConfig;
use limitra_examples_grpc::{limiter, serve};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:50051".to_owned());
    let limits = LimitraConfig::from_env()?.project("grpc").build()?;
    let listener = TcpListener::bind(&address).await.map_err(|error| format!("{address}: {error}"))?;
    println!("listening on {}, counting in {}", listener.local_addr()?, limits.storage().name());
    serve(listener, &limiter(&limits)?).await?;
    Ok(())
}
