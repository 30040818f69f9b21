use limitra::{Error, rate_limit};

#[rate_limit(requests = 0, window = -1, algorithm = "gcar", key = "usr", colour = 3)]
async fn create_post(user: u64, text: String) -> Result<(), Error> {
    Ok(drop((user, text)))
}

fn main() {}
