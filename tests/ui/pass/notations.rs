//! Limits as text, in every place where they can stand.
#![deny(warnings, clippy::pedantic)]

use limitra::{Error, rate_limit};

#[rate_limit("10/minute; 100/hour", key = "user_id")]
async fn first(user_id: u64) -> Result<(), Error> {
    Ok(())
}

#[rate_limit(key = "user_id", limits = "10 per 2 Minutes | 100/h")]
async fn named(user_id: u64) -> Result<(), Error> {
    Ok(())
}

#[rate_limit("10/m burst 20", algorithm = "token_bucket", cost = 20)]
async fn with_a_burst() -> Result<(), Error> {
    Ok(())
}

#[rate_limit(r"10/s")]
#[rate_limit("1/fortnight; 2/s", scope = "of a granularity that is registered elsewhere")]
async fn stacked() -> Result<(), Error> {
    Ok(())
}

macro_rules! limited {
    ($limits:literal, $name:ident) => {
        #[rate_limit($limits)]
        async fn $name() -> Result<(), Error> {
            Ok(())
        }
    };
}

limited!("7/day", from_a_macro);

fn main() {
    drop((first(1), named(1), with_a_burst(), stacked(), from_a_macro()));
}
