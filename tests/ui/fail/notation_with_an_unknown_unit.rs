use limitra::{Error, rate_limit};

#[rate_limit("10/minute; 100/hr")]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
