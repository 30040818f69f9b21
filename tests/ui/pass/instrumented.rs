//! With `#[instrument]` above or below, in all its forms.
#![deny(warnings, clippy::pedantic)]

use limitra::{Error, rate_limit};
use tracing::instrument;

#[instrument]
#[rate_limit(requests = 10, window = 60, key = "id")]
async fn above(id: u64) -> Result<u64, Error> {
    Ok(id)
}

#[rate_limit(requests = 10, window = 60, key = "id")]
#[instrument]
async fn below(id: u64) -> Result<u64, Error> {
    Ok(id)
}

#[instrument(err, ret, skip_all)]
#[rate_limit(requests = 10, window = 60, key = "id", decision = seen)]
async fn above_with_err_and_ret(id: u64) -> Result<u64, Error> {
    println!("{}", seen.is_allowed());
    Ok(id)
}

#[instrument(err)]
#[rate_limit(requests = 10, window = 60, key = ("id", "first"))]
async fn above_with_err(id: u64, (first, second): (u8, u8)) -> Result<u64, Error> {
    Ok(id + u64::from(first + second))
}

#[instrument(ret, fields(user = %id))]
#[rate_limit(requests = 10, window = 60, key = "id", on_exceeded = |_| None, backend = "memory")]
async fn above_with_ret(id: u64) -> Option<u64> {
    Some(id)
}

#[rate_limit(requests = 10, window = 60, key = |pair| pair.0)]
#[instrument(err)]
async fn below_with_err((_, second): (u8, u8)) -> Result<u8, Error> {
    Ok(second)
}

#[rate_limit(requests = 10, window = 60, key = "id")]
#[instrument]
#[rate_limit(requests = 100, window = 60)]
async fn between(id: u64) -> Result<u64, Error> {
    Ok(id)
}

pub fn main() {
    let _ = (above(1), below(1), above_with_err_and_ret(1), above_with_err(1, (1, 2)));
    let _ = (above_with_ret(1), below_with_err((1, 2)), between(1));
}
