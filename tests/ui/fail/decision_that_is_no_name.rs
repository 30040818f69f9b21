use limitra::{Error, rate_limit};

#[rate_limit(requests = 10, window = 60, decision = 5)]
async fn create_post(user: u64, text: String) -> Result<(), Error> {
    Ok(drop((user, text)))
}

fn main() {}
