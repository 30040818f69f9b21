use limitra::{Error, rate_limit};

#[rate_limit(requests = 10, period = 60)]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
