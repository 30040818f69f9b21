use limitra::{Error, rate_limit};

#[rate_limit(limits = [(10, 1), (0, 3600)])]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
