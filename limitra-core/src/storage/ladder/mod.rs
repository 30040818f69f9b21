//! Layers for outages: what stands between a limiter and a storage that may hang, fail or drown.
//!
//! Each is a storage over a storage and knows nothing of it but the trait. From the inside out: a [`Deadline`] ends what
//! hangs, a [`CircuitBreaker`] asks no more what fails, [`InFlight`] bounds how many wait, and a [`LocalShare`] decides
//! in the storage's place.

mod breaker;
mod circuit;
mod circuit_breaker;
#[cfg(feature = "deadline")]
mod deadline;
mod in_flight;
mod local_share;
#[cfg(all(test, limitra_loom))]
mod models;
#[cfg(feature = "deadline")]
mod silence;

pub use breaker::Breaker;
pub use circuit::CircuitState;
pub use circuit_breaker::CircuitBreaker;
#[cfg(feature = "deadline")]
pub use deadline::Deadline;
pub use in_flight::InFlight;
pub use local_share::LocalShare;
#[cfg(feature = "redis")]
pub(crate) use silence::Silence;
