//! Every way to say what an outage is answered with.
#![deny(warnings, clippy::pedantic)]

use limitra::{Error, RateLimitExceeded, rate_limit};

#[rate_limit("10/minute", on_outage = "error")]
async fn an_error() -> Result<(), Error> {
    Ok(())
}

#[rate_limit("10/minute", on_outage = "open")]
async fn open() -> Result<(), Error> {
    Ok(())
}

#[rate_limit("10/minute", on_outage = "open", fail_open = true)]
async fn open_twice() -> Result<(), Error> {
    Ok(())
}

#[rate_limit("10/minute", on_outage = "closed")]
async fn closed() -> Result<(), Error> {
    Ok(())
}

#[rate_limit("10/minute", on_outage = "closed:250ms", fail_open = false)]
async fn closed_for_a_time() -> Result<(), Error> {
    Ok(())
}

#[rate_limit("10/minute", on_outage = "local:4", key = "user")]
async fn by_a_share(user: u64) -> Result<u64, Error> {
    Ok(user)
}

struct Posts;

impl Posts {
    #[rate_limit(requests = 10, window = 60, key = "self", on_outage = "local:1")]
    async fn of_a_method(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl std::fmt::Display for Posts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("posts")
    }
}

#[rate_limit(requests = 10, window = 60, on_outage = "closed", on_exceeded = |_: RateLimitExceeded| None)]
async fn handled() -> Option<u64> {
    Some(1)
}

#[rate_limit(requests = 10, window = 60, on_outage = "open", on_exceeded = |_: RateLimitExceeded| None)]
async fn handled_and_open() -> Option<u64> {
    Some(1)
}

pub fn main() {
    drop((an_error(), open(), open_twice(), closed(), closed_for_a_time(), by_a_share(1)));
    drop((Posts.of_a_method(), handled(), handled_and_open()));
}
