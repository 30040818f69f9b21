use limitra::{Error, rate_limit};

#[rate_limit(requests = 10, window = 60, fail_open = true, on_outage = "closed")]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
