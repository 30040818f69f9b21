//! Who is calling: addresses behind proxies, and keys of all kinds.
#![allow(clippy::unwrap_used, missing_docs)]

mod allocations;
mod attacks;
mod combinations;
mod forgery;
mod frameworks;
mod requests;
mod settings;
mod values;
