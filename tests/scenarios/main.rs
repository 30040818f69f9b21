//! What broke in other rate limiters, and does not here. What a storage's server has to do with is held beside it;
//! `docs/attacks.md` has the whole list.
#![allow(missing_docs, clippy::unwrap_used)]

mod charges;
mod clocks;
mod deadlines;
mod floods;
mod input;
mod logs;
mod names;
mod nodes;
mod rates;
mod sources;
mod stage;
