use limitra::{Error, rate_limit};

#[rate_limit(requests = 10, window = 60, key = async |user| user)]
fn create_post(user: u64) -> Result<u64, Error> {
    Ok(user)
}

fn main() {}
