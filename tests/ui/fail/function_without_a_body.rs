use limitra::{Error, rate_limit};

#[allow(async_fn_in_trait)]
trait Store {
    #[rate_limit(requests = 10, window = 60)]
    async fn create_post(&self) -> Result<(), Error>;
}

fn main() {}
