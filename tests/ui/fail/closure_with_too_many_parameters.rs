use limitra::{Error, rate_limit};

#[rate_limit(requests = 10, window = 60, exempt_when = |user, text, rest| true)]
async fn create_post(user: u64, text: String) -> Result<(), Error> {
    Ok(drop((user, text)))
}

fn main() {}
