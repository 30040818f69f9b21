use limitra::{Error, rate_limit};

#[rate_limit(requests = 10, window = 60, algorithm = "token_bucket", burst = 5, cost = 6)]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
