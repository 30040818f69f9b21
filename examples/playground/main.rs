//! Two algorithms side by side on the same traffic, as a page in your browser:
//!
//! ```text
//! cargo run --example playground              # http://127.0.0.1:3000
//! cargo run --example playground -- 8080      # another port, as PORT=8080 does; 0 is any free one
//! ```

use std::error::Error;
use std::net::Ipv4Addr;

use limitra_examples_playground::service;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let said = std::env::args().nth(1).or_else(|| std::env::var("PORT").ok());
    let port = said.unwrap_or_else(|| "3000".to_owned());
    let port: u16 = port.parse().map_err(|_| format!("`{port}` is no port: give a number up to 65535"))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        format!("port {port} cannot be had ({error}); a free one: cargo run --example playground -- 0")
    })?;
    println!("limitra's playground: http://{}   (ctrl-c ends it)", listener.local_addr()?);
    axum::serve(listener, service()).await?;
    Ok(())
}
