use limitra::rate_limit;

#[rate_limit(requests = 10, window = 60)]
struct Post {
    text: String,
}

fn main() {}
