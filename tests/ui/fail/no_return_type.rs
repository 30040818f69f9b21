use limitra::rate_limit;

#[rate_limit(requests = 10, window = 60)]
async fn create_post() {
    println!("done");
}

fn main() {}
