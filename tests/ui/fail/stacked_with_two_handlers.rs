use limitra::{Error, rate_limit};

#[rate_limit(requests = 10, window = 1, key = "user", fail_open = true)]
#[rate_limit(requests = 500, window = 3600, fail_open = true)]
async fn create_post(user: u64, text: String) -> Result<(), Error> {
    Ok(drop((user, text)))
}

fn main() {}
