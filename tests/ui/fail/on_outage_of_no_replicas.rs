use limitra::{Error, rate_limit};

#[rate_limit(requests = 10, window = 60, on_outage = "local:0")]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
