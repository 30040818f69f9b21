//! Functions that make their future themselves, boxed the way `#[async_trait]` does it or not.
#![deny(warnings, clippy::pedantic)]
#![allow(clippy::manual_async_fn)] // Functions that could be `async fn`s are shown on purpose.

use limitra::{Error, rate_limit};
use std::pin::Pin;

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[rate_limit(requests = 10, window = 60, key = "name")]
fn written_out<'a>(name: &'a str) -> Pin<Box<dyn Future<Output = Result<&'a str, Error>> + Send + 'a>> {
    Box::pin(async move { Ok(name) })
}

#[rate_limit(requests = 10, window = 60, key = ("type", |r#type| r#type.len()))]
fn by_alias(r#type: &str) -> BoxFuture<'_, Result<usize, Error>> {
    let length = r#type.len();
    Box::pin(async move { Ok(length + r#type.len()) })
}

#[rate_limit(requests = 10, window = 60, key = "id")]
fn block(id: u64) -> impl Future<Output = Result<u64, Error>> + Send + use<> {
    async move { Ok(id) }
}

#[rate_limit(requests = 10, window = 60, key = "id", on_exceeded = |_| None, backend = "memory")]
fn without_move(id: u64) -> impl Future<Output = Option<u64>> {
    let twice = id * 2;
    async { Some(twice) }
}

pub fn main() {
    drop((written_out("ada"), by_alias("ada"), block(1), without_move(1)));
}
