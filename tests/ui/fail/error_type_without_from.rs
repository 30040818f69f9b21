use limitra::rate_limit;

struct Mistake;

#[rate_limit(requests = 10, window = 60)]
async fn create_post() -> Result<Vec<u8>, Mistake> {
    Ok(Vec::new())
}

fn main() {}
