//! What callers have seen, and the row of a table that it makes.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use limitra::{Decision, Error, StorageErrorKind};

use crate::load::{PLENTY, SCARCE, SHARE, Side};

/// What the callers of one policy have seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Hits on what there is plenty of: all of them, those that the storage admitted, those that a share did.
    pub(crate) asked: u64,
    pub(crate) admitted: u64,
    pub(crate) shared: u64,
    /// Those of them that may have been counted, as far as callers are told.
    pub(crate) unknown: u64,
    /// What was had of the scarce thing by the storage's word, by the policy's, and who got nothing by the storage's.
    pub(crate) scarce_admitted: u64,
    pub(crate) scarce_by_policy: u64,
    pub(crate) scarce_refused: u64,
    /// Decisions of the storage that had to be written, and those of them that were asked for after it was healed.
    pub(crate) decided: usize,
    pub(crate) decided_after: usize,
    /// Such decisions that could not be had since the fault.
    pub(crate) outages: usize,
    /// Of any decision, ever: those that could not be had, and the longest that anybody waited.
    pub(crate) outages_ever: u64,
    pub(crate) longest: Duration,
    pub(crate) struck: Option<Instant>,
    pub(crate) healed: Option<Instant>,
    /// From then until the first decision.
    recovered: Option<Duration>,
    /// Of those that were answered between the fault and the recovery.
    waits: Vec<Duration>,
    errors: BTreeMap<String, u64>,
}

/// One call.
pub(crate) struct Call {
    pub(crate) is_scarce: bool,
    /// It began after everything was mended.
    pub(crate) was_healed: bool,
    /// It ended after something had broken.
    pub(crate) is_struck: bool,
    pub(crate) took: Duration,
}

impl Seen {
    pub(crate) fn note(&mut self, call: &Call, answer: Result<Decision, Error>) {
        let is_outage = answer.as_ref().map_or(true, Decision::is_degraded);
        let is_allowed = answer.as_ref().is_ok_and(Decision::is_allowed);
        self.longest = self.longest.max(call.took);
        self.outages_ever += u64::from(is_outage);
        if call.is_struck && self.recovered.is_none() {
            self.waits.push(call.took);
        }
        if let Err(error) = answer {
            let Error::Storage(error) = error else { panic!("{error}") };
            let is_unknown =
                matches!(error.kind(), StorageErrorKind::Timeout | StorageErrorKind::Unavailable);
            self.unknown += u64::from(is_unknown && !call.is_scarce);
            if call.is_struck {
                *self.errors.entry(format!("{:?}", error.kind())).or_default() += 1;
            }
        }
        if call.is_scarce {
            let count = match (is_allowed, is_outage) {
                (true, false) => &mut self.scarce_admitted,
                (true, true) => &mut self.scarce_by_policy,
                (false, false) => &mut self.scarce_refused,
                (false, true) => return,
            };
            *count += 1;
            return;
        }
        self.asked += 1;
        if is_outage {
            self.outages += usize::from(call.is_struck);
            self.shared += u64::from(is_allowed);
            return;
        }
        assert!(is_allowed, "there was plenty");
        self.admitted += 1;
        self.decided += 1;
        if call.was_healed {
            self.decided_after += 1;
            let healed = self.healed;
            self.recovered = self.recovered.or_else(|| healed.map(|healed| healed.elapsed()));
        }
    }

    fn wait_of(&self, hundredth: usize) -> String {
        let mut waits = self.waits.clone();
        waits.sort_unstable();
        let place = (waits.len().saturating_sub(1)) * hundredth / 100;
        waits.get(place).map_or_else(|| "-".to_owned(), |wait| in_milliseconds(*wait))
    }

    /// Appends what was measured to the table, if one is asked for.
    pub(crate) fn write_row(&self, fault: &str, storage: &str, policy: &str, bound: Option<u64>) {
        let Some(path) = std::env::var_os("LIMITRA_FAULTS_TABLE") else { return };
        let errors: Vec<String> = self.errors.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let errors = match (errors.is_empty(), self.outages_ever) {
            (false, _) => errors.join(", "),
            (true, 0) => "none".to_owned(),
            (true, count) => format!("none; {count} by the policy"),
        };
        let over = (self.scarce_admitted + self.scarce_by_policy).saturating_sub(SCARCE);
        let bound = bound.map_or_else(|| "any".to_owned(), |bound| bound.to_string());
        let recovered = self.recovered.map_or_else(|| "-".to_owned(), in_milliseconds);
        let (median, most, longest) = (self.wait_of(50), self.wait_of(99), self.wait_of(100));
        let row = format!(
            "| {fault} | {storage} | `{policy}` | {median} | {most} | {longest} | {errors} | {over} of {bound} | {recovered} |\n"
        );
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(row.as_bytes()).unwrap();
    }
}

/// Holds what was had against what may be had, where the storage's data were lost so many times; and writes the rows.
pub(crate) async fn hold(fault: &str, storage: &str, sides: &[Arc<Side>], losses: u64) {
    for side in sides {
        let policy = side.policy;
        // Whoever asks first now finds the storage at work.
        let peek = side.plenty.test("ada").await.unwrap();
        assert!(!peek.is_degraded(), "{policy}");
        let counted = PLENTY - peek.remaining();
        let seen = side.seen.lock().unwrap();
        assert!(seen.scarce_admitted <= SCARCE * (1 + losses), "{policy}: {seen:?}");
        let by_policy = match policy {
            "open" => u64::MAX,
            "local:4" => SHARE,
            _ => 0,
        };
        assert!(seen.scarce_by_policy <= by_policy, "{policy}: {seen:?}");
        // No hit is counted twice, and what a share admitted once more; what was admitted is forgotten only with the data.
        let most = match policy {
            "error" => seen.admitted + seen.unknown,
            "local:4" => seen.asked + seen.shared,
            _ => seen.asked,
        };
        assert!(counted <= most, "{policy}: {counted} counted, {seen:?}");
        assert!(losses > 0 || counted >= seen.admitted, "{policy}: {counted} counted, {seen:?}");
        let by_policy = if policy == "open" { None } else { Some(by_policy) };
        seen.write_row(fault, storage, policy, by_policy.map(|by_policy| SCARCE * losses + by_policy));
    }
}

fn in_milliseconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}
