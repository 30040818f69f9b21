use limitra::{Error, rate_limit};

async fn is_exempt(_user: &u64, _text: &str) -> bool {
    true
}

#[rate_limit(requests = 10, window = 60, exempt_when = is_exempt)]
async fn create_post(user: u64, text: String) -> Result<(), Error> {
    Ok(drop((user, text)))
}

fn main() {}
