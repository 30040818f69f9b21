//! Two algorithms side by side on the same traffic, as a page in your browser:
//!
//! ```text
//! cargo run --example playground              # http://127.0.0.1:3000
//! cargo run --example playground -- 8080      # another port, as PORT=8080 does; 0 is any free one
//! ```

use std::net::Ipv4Addr;
use std::process::ExitCode;

use limitra_examples_playground::service;
use tokio::net::TcpListener;

async fn run() -> Result<(), String> {
    let said = std::env::args().nth(1).or_else(|| std::env::var("PORT").ok());
    let port = said.unwrap_or_else(|| "3000".to_owned());
    let port: u16 = port.parse().map_err(|_| format!("`{port}` is no port: give a number up to 65535"))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        format!("port {port} cannot be had ({error}); any free one: cargo run --example playground -- 0")
    })?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    println!("limitra's playground: http://{address}   (ctrl-c ends it)");
    axum::serve(listener, service()).await.map_err(|error| error.to_string())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(mistake) => {
            eprintln!("{mistake}");
            ExitCode::FAILURE
        }
    }
}
