use limitra::{Error, rate_limit};

#[rate_limit("10/minute; 5/second", cost = 6)]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
