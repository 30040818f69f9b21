use limitra::{Error, rate_limit};

const PER_MINUTE: u64 = 10;

#[rate_limit(limits = PER_MINUTE)]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
