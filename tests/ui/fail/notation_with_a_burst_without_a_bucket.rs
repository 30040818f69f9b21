use limitra::{Error, rate_limit};

#[rate_limit("10/minute burst 20", algorithm = "fixed_window")]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
