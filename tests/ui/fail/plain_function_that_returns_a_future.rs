use limitra::{Error, rate_limit};

#[rate_limit(requests = 10, window = 60)]
fn create_post() -> impl Future<Output = Result<(), Error>> {
    async { Ok(()) }
}

fn main() {}
