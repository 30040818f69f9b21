use limitra::{Error, rate_limit};

#[rate_limit("10/minute & 100/hour")]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
