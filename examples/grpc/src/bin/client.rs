//! Twelve calls, where five are let in every two seconds:
//!
//! ```text
//! cargo run -p limitra-examples-grpc --bin server        # in another terminal
//! cargo run -p limitra-examples-grpc --bin client
//! ```

use std::error::Error;

use limitra_examples_grpc::patiently;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:50051".to_owned());
    let channel = Channel::from_shared(format!("http://{address}"))?.connect().await?;
    let mut client = HealthClient::new(channel);
    for number in 1..=12 {
        let call = async || client.check(HealthCheckRequest { service: String::new() }).await;
        patiently(call, |delay| {
            println!("refused; the server says: in {delay:?}");
            tokio::time::sleep(delay)
        })
        .await?;
        println!("call {number} answered");
    }
    Ok(())
}
