use limitra::{Error, rate_limit};

#[rate_limit(reqeusts = 10, window = 60)]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
