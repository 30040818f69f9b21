use limitra::{Error, rate_limit};

struct Store;

#[rate_limit(requests = 10, window = 60)]
impl Store {
    async fn create_post(&self) -> Result<(), Error> {
        Ok(())
    }
}

fn main() {}
