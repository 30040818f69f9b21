use limitra::{Error, rate_limit};

#[rate_limit(limits = [(10, 1), (500, 3600)], cost = 11)]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
