use limitra::{Error, rate_limit};
use tracing::instrument;

#[instrument]
#[rate_limit(requests = 10, window = 60, key = |pair| pair.0)]
async fn create_post((first, second): (u64, u64)) -> Result<u64, Error> {
    Ok(first + second)
}

fn main() {}
