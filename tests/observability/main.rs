//! What a service's operator sees.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod counted;
mod page;
mod recorder;
#[path = "../outages/stage.rs"]
#[allow(dead_code)] // It serves other tests too.
mod stage;
mod storages;
#[cfg(feature = "web")]
mod web;
