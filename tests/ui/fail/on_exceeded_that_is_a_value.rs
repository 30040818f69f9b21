use limitra::rate_limit;

#[rate_limit(requests = 10, window = 60, on_exceeded = 429, backend = "memory")]
async fn find_post() -> u16 {
    200
}

fn main() {}
