//! The metrics of a build without them: nothing is kept and nothing is done.
#![allow(clippy::unused_self)] // They have the shape of those that count.

use std::sync::Arc;

use crate::error::StorageErrorKind;
use crate::pending::Answer;
use crate::storage::ladder::CircuitState;

#[derive(Clone, Debug)]
pub(crate) struct Tally;

impl Tally {
    #[inline]
    pub(crate) fn new(_storage: &'static str, _of: &Arc<str>) -> Self {
        Self
    }

    #[inline]
    pub(crate) fn decided(&self, _is_allowed: bool) {}

    #[inline]
    pub(crate) fn answered(&self, _answer: &Answer) {}
}

#[derive(Default)]
pub(crate) struct InFlightGauge;

impl InFlightGauge {
    #[inline]
    pub(crate) fn add(&self, _storage: &'static str, _count: usize) {}

    #[inline]
    pub(crate) fn subtract(&self, _storage: &'static str, _count: usize) {}
}

pub(crate) struct DenyCacheHits;

impl DenyCacheHits {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self
    }

    #[inline]
    pub(crate) fn add_one(&self, _storage: &'static str) {}
}

#[cfg(feature = "redis")]
#[derive(Default)]
pub(crate) struct Commands;

#[cfg(feature = "redis")]
impl Commands {
    #[inline]
    pub(crate) fn sent(&self, _storage: &'static str, _decisions: usize) {}
}

#[cfg(feature = "http")]
#[inline]
pub(crate) fn unidentified() {}

#[cfg(feature = "http")]
#[inline]
pub(crate) fn shadowed() {}

#[cfg(feature = "http")]
#[inline]
pub(crate) fn lost_give_back() {}

#[inline]
pub(crate) fn overloaded(_storage: &'static str, _count: u64) {}

#[inline]
pub(crate) fn undecided(_storage: &'static str, _kind: StorageErrorKind) {}

#[inline]
pub(crate) fn outage(_storage: &'static str, _of: &str, _is_out: bool) {}

#[inline]
pub(crate) fn breaker(_storage: &'static str, _state: CircuitState) {}

#[inline]
pub(crate) fn reconciled(_storage: &'static str, _units: u64, _dropped: u64) {}

#[inline]
pub(crate) fn owing(_storage: &'static str, _keys: usize) {}
