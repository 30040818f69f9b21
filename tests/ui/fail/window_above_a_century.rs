use limitra::{Error, rate_limit};

#[rate_limit(requests = 10, window = 3155760001)]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
