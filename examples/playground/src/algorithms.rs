//! The algorithms in a sentence each.

use limitra::{Algorithm, Status};
use serde::Serialize;

/// What the page says of an algorithm.
#[derive(Serialize)]
pub(crate) struct Described {
    name: &'static str,
    sentence: &'static str,
    /// Whether it knows a burst.
    is_bucket: bool,
}

pub(crate) fn all() -> Vec<Described> {
    let described = |algorithm: &Algorithm| Described {
        name: algorithm.name(),
        sentence: sentence(*algorithm),
        is_bucket: algorithm.is_bucket(),
    };
    Algorithm::ALL.iter().map(described).collect()
}

fn sentence(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::SlidingWindow => {
            "Two counters; the older one fades out as the window moves on. Smooth, small, close to exact: the default."
        }
        Algorithm::FixedWindow => {
            "One counter for a window that opens at the first request. Around its end, nearly twice the limit can pass."
        }
        Algorithm::FixedWindowAligned => {
            "One counter for each slot of the clock, every full minute say. Around its end, twice the limit can pass."
        }
        Algorithm::FixedWindowElasticExpiry => {
            "Locks out whoever keeps trying: every request, refused or not, moves the end a whole window away."
        }
        Algorithm::MovingWindow => "The exact log of requests: never more than the limit in any window.",
        Algorithm::TokenBucket => {
            "Tokens refill steadily; each request takes one. A full bucket is the burst."
        }
        Algorithm::LeakyBucket => {
            "Each request adds water, which leaks out steadily. What would overflow is refused, not delayed."
        }
        Algorithm::Gcra => {
            "One instant, the next arrival in theory, which may run ahead of the clock by the burst. A bucket in one number."
        }
        _ => "",
    }
}

/// What an algorithm remembers, in its own words.
pub(crate) fn words(algorithm: Algorithm, status: &Status) -> String {
    match *status {
        Status::Window { count, capacity, .. } => {
            let what = match algorithm {
                Algorithm::SlidingWindow => "weighted",
                Algorithm::MovingWindow => "log",
                _ => "count",
            };
            format!("{what} {count} of {capacity}")
        }
        Status::TokenBucket { tokens_remaining, capacity, .. } => {
            format!("{tokens_remaining:.1} of {capacity} tokens")
        }
        Status::LeakyBucket { water_level, capacity, .. } => format!("water {water_level:.1} of {capacity}"),
        Status::Gcra { ahead, .. } => format!("{:.1} s ahead", ahead.as_secs_f64()),
        _ => String::new(),
    }
}

/// How much of the limit is free, from 0 to 1.
pub(crate) fn part_left(status: &Status) -> f64 {
    let used = match *status {
        Status::Window { utilization, .. }
        | Status::TokenBucket { utilization, .. }
        | Status::LeakyBucket { utilization, .. }
        | Status::Gcra { utilization, .. } => utilization,
        _ => 0.0,
    };
    (1.0 - used).clamp(0.0, 1.0)
}
