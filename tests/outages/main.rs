//! What callers meet when a storage hangs, fails, forgets its answers or is gone, layer by layer and on real servers.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod breaker;
mod chance;
mod deadline;
mod give_back;
mod in_flight;
mod local_share;
mod policies;
mod promises;
mod reconciled;
mod servers;
mod stage;
mod told;
