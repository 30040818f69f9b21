use limitra::{Error, rate_limit};

#[rate_limit(limits = "")]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
