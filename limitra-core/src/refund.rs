//! What a storage is asked when a charge is to be undone.

use smallvec::SmallVec;

use crate::attempt::Subject;
use crate::record::Record;
use crate::state::State;
use crate::time::{Clock, Micros};

/// A charge that is to be given back: what an allowed hit charged, and the states that it left.
///
/// Those states are the receipts: they name the window, the entry of a log or the part of a bucket that was charged, and
/// only that is given back. Whatever has ended, drained or been forgotten since stays as it is.
///
/// ```
/// use limitra_core::{Algorithm, Attempt, Clock, Key, Limit, Micros, Mode, Record, Refund, Rule, Subject};
/// use std::time::Duration;
///
/// let rules = [Rule::new(Algorithm::FixedWindow, Limit::new(1, Duration::from_secs(60))?)?];
/// let subjects = [Subject { key: Key::from_text("limitra:::user:ada:"), rules: rules[..].into(), cost: 1 }];
/// let now = Micros::new(1_700_000_000_000_000);
/// let attempt = Attempt { subjects: &subjects, clock: Clock::At(now), mode: Mode::Hit };
///
/// let mut records = [Record::default()];
/// let charged = attempt.decide(&mut records, now).unwrap().outcome;
/// let refund = Refund { subjects: &subjects, receipts: &[charged.rules[0].state], clock: Clock::At(now) };
/// assert_eq!(refund.apply(&mut records, now)[..], [true]);
/// assert_eq!(refund.apply(&mut records, now)[..], [false]);
/// assert!(attempt.decide(&mut records, now).unwrap().outcome.is_allowed());
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Refund<'a> {
    /// The subjects that were charged, each with the rules and the cost that it was charged by; no two have the same key.
    pub subjects: &'a [Subject<'a>],
    /// For each rule of each subject, in their order, its state after the charge. A rule without one gets nothing back.
    pub receipts: &'a [State],
    /// Which clock says what time it is: the one that the charge was made by.
    pub clock: Clock,
}

impl Refund<'_> {
    /// Gives back on these records, one for each subject in their order, at `now`: what a storage runs between loading values
    /// and swapping them. For each record whether it changed.
    ///
    /// A record whose [`Record::until`] is zero then holds nothing, and may be removed.
    pub fn apply(&self, records: &mut [Record], now: Micros) -> SmallVec<[bool; 1]> {
        let parts = self.parts().zip(records);
        parts.map(|((subject, receipts), record)| subject.give_back(record, receipts, now)).collect()
    }

    /// Each subject with its receipts.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&Subject<'_>, &[State])> {
        let mut rest = self.receipts;
        self.subjects.iter().map(move |subject| {
            let (own, others) = rest.split_at_checked(subject.rules.len()).unwrap_or((rest, &[]));
            rest = others;
            (subject, own)
        })
    }
}

impl Subject<'_> {
    /// Gives back in its record what is left of the charge that left these states; whether anything was.
    pub(crate) fn give_back(&self, record: &mut Record, receipts: &[State], now: Micros) -> bool {
        let mut is_changed = false;
        for (rule, receipt) in self.rules.iter().zip(receipts) {
            is_changed |= record.give_back(rule, receipt, now, self.cost);
        }
        is_changed
    }
}
