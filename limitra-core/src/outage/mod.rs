//! What happens when no decision can be had: the policy, and what is told of it.

mod event;
mod health;
mod ladder;
#[cfg(all(test, limitra_loom))]
mod models;
mod policy;
mod seldom;
mod spell;
mod telemetry;

pub use event::Event;
pub use health::Health;
pub(crate) use ladder::{Ladder, Rungs, local_share};
pub use policy::{OnOutage, OutagePolicy};
pub(crate) use seldom::Seldom;
pub(crate) use spell::{Outages, Whose};
pub(crate) use telemetry::Telemetry;
