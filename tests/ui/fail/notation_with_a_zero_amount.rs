use limitra::{Error, rate_limit};

#[rate_limit(limits = "10/minute; 0 per hour")]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
