use limitra::{Error, rate_limit};

struct User;

#[rate_limit(requests = 10, window = 60, key = |user| user)]
async fn create_post(user: User) -> Result<(), Error> {
    drop(user);
    Ok(())
}

fn main() {}
