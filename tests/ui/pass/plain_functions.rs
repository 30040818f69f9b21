//! Functions that are not async, under the strictest lints.
#![deny(warnings, clippy::pedantic, unused_qualifications)]
#![forbid(unsafe_code)]

use limitra::{Error, RateLimit, rate_limit};
use std::fmt::Display;
use tracing::instrument;

const LIMITS: &str = "10/second; 500/hour";

struct Shelf {
    tenant: String,
}

/// Documented, public, with a signature of its own.
///
/// # Errors
/// When asked too often.
#[rate_limit(requests = 10, window = 60)]
pub fn plain() -> Result<(), Error> {
    Ok(())
}

#[rate_limit(requests = 10, window = 60, key = "user", decision = seen)]
fn keyed(user: u64, text: &str) -> Result<usize, Error> {
    const EXTRA: usize = 1;
    let length = text.len() + EXTRA;
    Ok(length + usize::try_from(user + seen.remaining()).unwrap_or(0))
}

#[rate_limit(limits = LIMITS, key = "user")]
fn constant_text(user: u64) -> Result<u64, Error> {
    Ok(user)
}

#[rate_limit(limits = LIMITS.to_owned())]
fn owned_text() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    Ok(())
}

#[rate_limit(limits = vec![(10, 1), (500, 3600)])]
fn pairs() -> Result<(), Error> {
    Ok(())
}

#[rate_limit(limits = [RateLimit::per_minute(1).expect("a limit")].iter())]
fn rate_limits() -> Result<(), Error> {
    Ok(())
}

#[rate_limit(requests = |_, list: &Vec<T>| list.len(), window = 60, key = ("name", |name, _| name.len()), exempt_when = |name, _| name.is_empty())]
fn generic<T: Display>(name: &str, list: Vec<T>) -> Result<String, Error> {
    Ok(list.into_iter().map(|it| it.to_string()).collect::<Vec<_>>().join(name))
}

#[rate_limit(requests = 10, window = 60, on_exceeded = |_| None, backend = "memory")]
#[rate_limit(requests = 100, window = 60, scope = "all", cost = 2)]
fn handled(name: &str) -> Option<usize> {
    name.len().checked_sub(1)
}

#[rate_limit(requests = 10, window = 60, block = false)]
fn nothing_is_blocked() {}

#[instrument(err)]
#[rate_limit(requests = 10, window = 60, key = "id")]
fn instrumented_above(id: u64) -> Result<u64, Error> {
    Ok(id)
}

#[rate_limit(requests = 10, window = 60, key = |pair| pair.0)]
#[instrument(err, ret)]
fn instrumented_below((_, second): (u8, u8)) -> Result<u8, Error> {
    Ok(second)
}

impl Shelf {
    #[rate_limit(requests = 10, window = 60, key = "self.tenant")]
    fn read(&self) -> Result<&str, Error> {
        Ok(&self.tenant)
    }

    #[rate_limit(requests = 10, window = 60, key = Self::of)]
    fn write(&mut self, text: String) -> Result<(), Error> {
        self.tenant = text;
        Ok(())
    }

    fn of(&self, _text: &str) -> String {
        self.tenant.clone()
    }
}

pub fn main() {
    let mut shelf = Shelf { tenant: "acme".to_owned() };
    assert!(plain().is_ok() && keyed(1, "a").is_ok() && constant_text(1).is_ok() && owned_text().is_ok());
    assert!(pairs().is_ok() && rate_limits().is_ok() && generic("a", vec![1]).is_ok());
    assert!(handled("ada").is_some() && instrumented_above(1).is_ok() && instrumented_below((1, 2)).is_ok());
    assert!(shelf.read().is_ok() && shelf.write(String::new()).is_ok());
    nothing_is_blocked();
}
