use limitra::{Error, rate_limit};

#[rate_limit(requests = 10, window = 60, key = "user")]
async fn create_post(user: Option<u64>) -> Result<(), Error> {
    println!("{user:?}");
    Ok(())
}

fn main() {}
