//! The names of all metrics.

use ::metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(super) const DECISIONS: &str = "limitra_decisions_total";
pub(super) const UNDECIDED: &str = "limitra_undecided_total";
pub(super) const OUTAGE: &str = "limitra_outage";
pub(super) const STORAGE_SECONDS: &str = "limitra_storage_seconds";
pub(super) const COMMAND_DECISIONS: &str = "limitra_command_decisions";
pub(super) const IN_FLIGHT: &str = "limitra_in_flight";
pub(super) const OVERLOADED: &str = "limitra_overloaded_total";
pub(super) const BREAKER_STATE: &str = "limitra_breaker_state";
pub(super) const BREAKER_TRANSITIONS: &str = "limitra_breaker_transitions_total";
pub(super) const DENY_CACHE_HITS: &str = "limitra_deny_cache_hits_total";
pub(super) const SHARE_UNITS: &str = "limitra_local_share_units_total";
pub(super) const SHARE_DROPPED: &str = "limitra_local_share_dropped_total";
pub(super) const SHARE_OWING: &str = "limitra_local_share_owing";
#[cfg(feature = "http")]
pub(super) const UNIDENTIFIED: &str = "limitra_unidentified_requests_total";
#[cfg(feature = "http")]
pub(super) const SHADOWED: &str = "limitra_shadowed_requests_total";
#[cfg(feature = "http")]
pub(super) const LOST_GIVE_BACKS: &str = "limitra_lost_give_backs_total";

/// Describes every metric of limitra, with its unit, to the recorder that is installed: once, after installing it.
///
/// Nothing depends on it. What is counted before a recorder is there is lost, and a limiter counts by the recorder that
/// it met at its first decision: install it before.
///
/// ```
/// limitra_core::describe_metrics();
/// ```
pub fn describe_metrics() {
    describe_counter!(DECISIONS, Unit::Count, "Decisions on hits, by what came of them");
    describe_counter!(UNDECIDED, Unit::Count, "Decisions that the storage could not make, by why");
    describe_gauge!(OUTAGE, Unit::Count, "Limiters and functions whose storage does not decide");
    describe_histogram!(STORAGE_SECONDS, Unit::Seconds, "How long a storage took to answer");
    describe_histogram!(COMMAND_DECISIONS, Unit::Count, "Decisions that went together in one command");
    describe_gauge!(IN_FLIGHT, Unit::Count, "Decisions that wait for a storage");
    describe_counter!(OVERLOADED, Unit::Count, "Decisions that were not sent, for too many waited");
    describe_gauge!(BREAKER_STATE, Unit::Count, "A circuit breaker: 0 closed, 1 half open, 2 open");
    describe_counter!(BREAKER_TRANSITIONS, Unit::Count, "Changes of a circuit breaker, by the new state");
    describe_counter!(DENY_CACHE_HITS, Unit::Count, "Refusals without asking the storage");
    describe_counter!(SHARE_UNITS, Unit::Count, "Units admitted by a local share and charged to the storage");
    describe_counter!(SHARE_DROPPED, Unit::Count, "Keys whose units will not be charged to the storage");
    describe_gauge!(SHARE_OWING, Unit::Count, "Keys that owe the storage what a local share admitted");
    #[cfg(feature = "http")]
    {
        describe_counter!(UNIDENTIFIED, Unit::Count, "Requests that did not say who is calling");
        describe_counter!(
            SHADOWED,
            Unit::Count,
            "Requests that would have been refused, but for shadow mode"
        );
        describe_counter!(LOST_GIVE_BACKS, Unit::Count, "Charges of requests that could not be given back");
    }
}
