use limitra::{Error, rate_limit};

#[rate_limit(requests = 10, requests = 20, window = 60)]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
