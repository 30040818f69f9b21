use limitra::{Error, rate_limit as throttle};

#[throttle(requests = 10, window = 1, key = "user")]
#[throttle(requests = 500, window = 3600)]
async fn create_post(user: u64, text: String) -> Result<(), Error> {
    Ok(drop((user, text)))
}

fn main() {}
