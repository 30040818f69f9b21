use limitra::rate_limit;

#[rate_limit(requests = 10, window = 60, block = false, on_exceeded = |_| None)]
async fn find_post() -> Option<u64> {
    Some(1)
}

fn main() {}
