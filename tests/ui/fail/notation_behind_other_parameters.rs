use limitra::{Error, rate_limit};

#[rate_limit(scope = "posts", "10/minute")]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
