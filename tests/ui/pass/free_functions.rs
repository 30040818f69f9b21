//! The shortest things that work, under the strictest lints.
#![deny(warnings, clippy::pedantic, unused_qualifications)]
#![forbid(unsafe_code)]

use limitra::{Error, rate_limit};

/// Documented, public, with a signature of its own.
///
/// # Errors
/// When asked too often.
#[rate_limit(requests = 10, window = 60)]
pub async fn plain() -> Result<(), Error> {
    Ok(())
}

#[rate_limit(requests = 10, window = 60, key = "user")]
async fn keyed(user: u64, text: &str) -> Result<usize, Error> {
    // Items of the body are not behind statements of the user's.
    const EXTRA: usize = 1;
    let length = text.len() + EXTRA;
    Ok(length + usize::try_from(user).unwrap_or(0))
}

#[rate_limit(limits = [(10, 1), (500, 3600)], key = "user", algorithm = "token_bucket", burst = 20, cost = 2)]
async fn several(user: &str) -> Result<(), Error> {
    #![allow(clippy::unused_async)]
    println!("{user}");
    Ok(())
}

#[rate_limit(requests = 10, window = 0.5)]
async fn anyhow_like() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    Ok(())
}

pub fn main() {
    let _ = (plain(), keyed(1, "a"), several("ada"), anyhow_like());
}
