use limitra::{Error, rate_limit};

#[rate_limit("10/minute", limits = [(10, 60)])]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
