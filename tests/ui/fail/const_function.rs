use limitra::{Error, rate_limit};

#[rate_limit(requests = 10, window = 60)]
const fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
