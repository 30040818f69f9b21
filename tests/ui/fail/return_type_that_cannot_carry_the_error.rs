use limitra::rate_limit;

#[rate_limit(requests = 10, window = 60)]
async fn count_posts() -> u64 {
    7
}

fn main() {}
