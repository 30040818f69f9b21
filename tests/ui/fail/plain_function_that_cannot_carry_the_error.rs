use limitra::rate_limit;

#[rate_limit(requests = 10, window = 60)]
fn create_post() -> u64 {
    1
}

fn main() {}
