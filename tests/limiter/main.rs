//! The limiter by hand: its methods, its settings, several limits and several subjects, bad input and extreme numbers.
#![allow(missing_docs, clippy::unwrap_used)]
// A difference that is none panics, which is what a test should do.
#![allow(clippy::unchecked_time_subtraction)]

mod bad_input;
mod extremes;
mod give_back;
mod many;
mod methods;
mod settings;
mod several;

use std::time::Duration;

use limitra::{Algorithm, ManualClock, RateLimiter, RateLimiterBuilder};

/// A minute, the window of most tests.
const MINUTE: Duration = Duration::from_secs(60);

/// How far [`ManualClock::new`] is into its minute.
const INTO_THE_MINUTE: Duration = Duration::from_secs(20);

/// The settings of a limiter of `requests` per minute, and its clock.
fn per_minute(algorithm: Algorithm, requests: u64) -> (RateLimiterBuilder, ManualClock) {
    let clock = ManualClock::new();
    let builder =
        RateLimiter::builder().algorithm(algorithm).requests(requests).window(60).clock(clock.clone());
    (builder, clock)
}

/// A limiter of five per minute, and its clock.
fn five_per_minute(algorithm: Algorithm) -> (RateLimiter, ManualClock) {
    let (builder, clock) = per_minute(algorithm, 5);
    (builder.build().unwrap(), clock)
}
