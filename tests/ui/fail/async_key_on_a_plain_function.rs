use limitra::{Error, rate_limit};

async fn tenant_of(user: &u64) -> u64 {
    *user
}

#[rate_limit(requests = 10, window = 60, key = tenant_of)]
fn create_post(user: u64) -> Result<u64, Error> {
    Ok(user)
}

fn main() {}
