//! What one rule remembers, and what a step makes of it.

use crate::time::Micros;

/// What one rule remembers for one subject: an instant and three numbers.
///
/// | algorithm | `until` | `a` | `b` | `c` |
/// |---|---|---|---|---|
/// | `fixed_window`, `.._aligned`, `.._elastic_expiry` | end of the window | count | | |
/// | `sliding_window` | end of the slot after the counted one | previous count | current count | |
/// | `moving_window` | newest entry + window | units in the window | entry whose leaving lets the asked cost in | oldest entry in the window |
/// | the buckets | theoretical arrival time, whole microseconds | its fraction, in `1 / b` microseconds | the amount it was counted with | when it was counted |
///
/// `until` is always the instant from which the state is worth nothing: zero is a fresh one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The instant from which the state says nothing any more.
    pub until: Micros,
    /// See the table.
    pub a: u64,
    /// See the table.
    pub b: u64,
    /// See the table.
    pub c: u64,
}

/// What a step found: the answer, and the state in each case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Whether this rule allows the hit.
    pub(crate) allowed: bool,
    /// The state as it stands (a record from the future already re-anchored).
    pub(crate) current: State,
    /// What to keep if every rule allows the hit.
    pub(crate) charged: State,
    /// What to keep if any rule refuses it: `current`, but for elastic expiry.
    pub(crate) refused: State,
}
