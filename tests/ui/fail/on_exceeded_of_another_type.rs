use limitra::rate_limit;

#[rate_limit(requests = 10, window = 60, on_exceeded = |exceeded| exceeded.requests, backend = "memory")]
async fn find_post() -> Option<u64> {
    Some(1)
}

fn main() {}
