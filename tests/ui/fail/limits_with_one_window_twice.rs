use limitra::{Error, rate_limit};

#[rate_limit(limits = [(10, 60), (500, 3600), (20, 60.0)])]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
