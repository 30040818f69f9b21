//! What is counted and measured for the facade `metrics`: all of it passes through here.
//!
//! Without the feature the same names stand for nothing, and nothing is left of them once they are compiled.

#[cfg(feature = "metrics")]
mod counted;
#[cfg(feature = "metrics")]
mod labels;
#[cfg(feature = "metrics")]
mod names;
#[cfg(not(feature = "metrics"))]
mod nothing;
#[cfg(feature = "metrics")]
mod timed;

#[cfg(all(feature = "metrics", feature = "redis"))]
pub(crate) use counted::Commands;
#[cfg(feature = "metrics")]
pub(crate) use counted::{
    DenyCacheHits, InFlightGauge, Tally, breaker, outage, overloaded, owing, reconciled, undecided,
};
#[cfg(all(feature = "metrics", feature = "http"))]
pub(crate) use counted::{lost_give_back, shadowed, unidentified};
#[cfg(feature = "metrics")]
pub use names::describe_metrics;
#[cfg(all(not(feature = "metrics"), feature = "redis"))]
pub(crate) use nothing::Commands;
#[cfg(not(feature = "metrics"))]
pub(crate) use nothing::{
    DenyCacheHits, InFlightGauge, Tally, breaker, outage, overloaded, owing, reconciled, undecided,
};
#[cfg(all(not(feature = "metrics"), feature = "http"))]
pub(crate) use nothing::{lost_give_back, shadowed, unidentified};
#[cfg(feature = "metrics")]
pub use timed::Timed;
