use limitra::{Error, rate_limit};

async fn create() -> Result<(), Error> {
    Ok(())
}

#[rate_limit(requests = 10, window = 60)]
fn create_post() -> impl Future<Output = Result<(), Error>> {
    create()
}

fn main() {}
