use limitra::{Error, rate_limit};

#[rate_limit("10/minute; 20/60 seconds")]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
