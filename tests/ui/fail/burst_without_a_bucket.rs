use limitra::{Error, rate_limit};

#[rate_limit(requests = 10, window = 60, algorithm = "fixed_window", burst = 20)]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
