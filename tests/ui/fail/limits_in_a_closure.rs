use limitra::{Error, rate_limit};

#[rate_limit(limits = |user, _| user.limits())]
async fn create_post(user: u64, text: String) -> Result<(), Error> {
    Ok(drop((user, text)))
}

fn main() {}
