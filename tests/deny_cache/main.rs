//! A deny cache over real storages: who is known to be refused is refused without asking.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod answers;
mod bytes;
mod configured;
mod outages;
mod promises;
mod restated;
mod stage;
mod writes;
