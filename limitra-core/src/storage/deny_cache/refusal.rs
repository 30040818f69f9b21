//! One refusal, and what it comes to later on.

use smallvec::SmallVec;

use super::question::Question;
use crate::attempt::{Outcome, RuleOutcome};
use crate::rule::Rule;
use crate::time::Micros;

/// The finest step of a clock: what an instant may have been rounded by.
const TICK: Micros = Micros::new(1);

/// A refusal that a storage answered with. Instants are the cache's own, but for `decided`.
pub(super) struct Refusal {
    pub(super) question: Question,
    /// The first instant at which the storage is asked again.
    pub(super) until: Micros,
    /// An instant at which the answer was there: the storage decided before it.
    received: Micros,
    /// The instant of the decision by the storage's clock.
    decided: Micros,
    rules: SmallVec<[RuleOutcome; 1]>,
}

impl Refusal {
    /// What is kept of an answer, if it is a refusal that outlives its arrival.
    ///
    /// The storage decided between `sent` and `received`, both rounded down. It goes on refusing for the wait from then on, so for
    /// the wait from `sent` at least, less the tick by which its own instant may be rounded.
    pub(super) fn new(
        question: Question,
        rules: &[Rule],
        outcome: &Outcome,
        (sent, received): (Micros, Micros),
        max_age: Micros,
    ) -> Option<Self> {
        if outcome.is_allowed() || outcome.local_share.is_some() || outcome.rules.len() != rules.len() {
            return None;
        }
        // An allowed hit by the same rules restates a bucket that was counted at another rate, and shortens the wait.
        let is_restated = |(rule, found): (&Rule, &RuleOutcome)| {
            rule.algorithm().is_bucket() && found.state.b != 0 && found.state.b != rule.amount()
        };
        if rules.iter().zip(&outcome.rules).any(is_restated) {
            return None;
        }
        let waits = rules.iter().zip(&outcome.rules).filter(|(_, found)| !found.allowed);
        let allowed_at =
            waits.map(|(rule, found)| allowed_at(rule, found, outcome.now, question.cost)).max()?;
        let wait = allowed_at.minus(outcome.now).minus(TICK);
        let (until, received) = (sent.plus(wait.min(max_age)), received.plus(TICK));
        let (decided, rules) = (outcome.now, outcome.rules.clone());
        (until > received).then_some(Self { question, until, received, decided, rules })
    }

    /// Whether it answers a question of this cost at `now`.
    pub(super) fn answers(&self, cost: u64, now: Micros) -> bool {
        now < self.until && self.question.cost <= cost
    }

    /// What the storage would answer at `now` to a question of this cost by these rules.
    ///
    /// Its clock shows at least what is told here, so that whoever waits what is told has waited long enough.
    pub(super) fn told(&self, rules: &[Rule], cost: u64, now: Micros) -> Outcome {
        let now = self.decided.plus(now.minus(self.received));
        let told = self.rules.iter().zip(rules).map(|(found, rule)| {
            let is_as_asked = found.allowed && cost == self.question.cost;
            RuleOutcome { allowed: is_as_asked || allowed_at(rule, found, now, cost) <= now, ..*found }
        });
        Outcome::new(now, told.collect())
    }
}

fn allowed_at(rule: &Rule, found: &RuleOutcome, now: Micros, cost: u64) -> Micros {
    rule.algorithm().allowed_at(&rule.limit(), &found.state, now, cost)
}
