//! A rate limiter that is slow and obvious, to hold the fast one against.
//!
//! It is written from what the documentation promises, not from the engine: for each rule it knows one question only,
//! [`Account::used`] (how many units are in use at an instant, if nothing more is asked). A hit is allowed if
//! what is in use and its cost fit into the limit; how long to wait is found by trying instants. Time and units are
//! integers; a bucket's level is counted in units times the window, so that no fraction is ever rounded.

use std::collections::HashMap;

use limitra::{Algorithm, Limit};

/// A rule: a limit and its algorithm, in plain numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferenceRule {
    /// How the limit is held.
    pub algorithm: Algorithm,
    /// Units in each window.
    pub amount: u64,
    /// Microseconds.
    pub window: u64,
    /// For the buckets: the depth, if it is not the amount.
    pub burst: Option<u64>,
}

impl ReferenceRule {
    /// The same numbers as a limit of this algorithm.
    pub fn of(algorithm: Algorithm, limit: Limit) -> Self {
        Self {
            algorithm,
            amount: limit.amount(),
            window: u64::try_from(limit.window().as_micros()).expect("at most 100 years"),
            burst: limit.burst(),
        }
    }

    /// The most units that can be in use at once.
    pub fn capacity(&self) -> u64 {
        self.burst.unwrap_or(self.amount)
    }

    fn window(&self) -> i128 {
        i128::from(self.window)
    }
}

/// One subject of a question: whose record, under which rules, for how many units.
#[derive(Clone, Debug)]
pub struct ReferenceSubject {
    /// Whose record it is.
    pub key: String,
    /// All have to allow it.
    pub rules: Vec<ReferenceRule>,
    /// Units asked of each rule.
    pub cost: u64,
}

/// What one rule answers, after what was asked is counted or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferenceAnswer {
    /// Whether this rule alone allows it.
    pub allowed: bool,
    /// Whole units left.
    pub remaining: u64,
    /// Microseconds until this rule alone allows the same; 0 if it does now.
    pub retry_after: u64,
    /// Microseconds until nothing is in use.
    pub reset_after: u64,
}

/// The answers of all rules of all subjects, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceDecision {
    /// For each rule.
    pub rules: Vec<ReferenceAnswer>,
}

impl ReferenceDecision {
    /// Whether every rule allows it.
    pub fn is_allowed(&self) -> bool {
        self.rules.iter().all(|rule| rule.allowed)
    }

    /// The least that any rule has left.
    pub fn remaining(&self) -> u64 {
        self.rules.iter().map(|rule| rule.remaining).min().expect("a rule")
    }

    /// The longest that any rule makes wait, in microseconds.
    pub fn retry_after(&self) -> u64 {
        self.rules.iter().map(|rule| rule.retry_after).max().expect("a rule")
    }
}

/// Some rule can never allow that cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CostAboveLimit;

/// All records.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    /// For each key, and within it for each tag (algorithm and window).
    accounts: HashMap<String, HashMap<(Algorithm, u64), Account>>,
}

impl Reference {
    /// Asks at `now`, and counts it everywhere if every rule of every subject allows it.
    ///
    /// # Errors
    /// [`CostAboveLimit`], whatever the records say; nothing changes.
    pub fn hit(
        &mut self,
        subjects: &[ReferenceSubject],
        now: u64,
    ) -> Result<ReferenceDecision, CostAboveLimit> {
        let asked = self.test(subjects, now)?;
        let allowed = asked.is_allowed();
        let now = i128::from(now);
        let mut alone = asked.rules.iter().map(|answer| answer.allowed);
        let mut rules = Vec::new();
        for subject in subjects {
            for rule in &subject.rules {
                let mut account = self.account(&subject.key, rule);
                account.repair(rule, now);
                match (subject.cost, allowed) {
                    (0, _) => {}
                    (cost, true) => account.charge(rule, now, cost),
                    (_, false) => account.refuse(rule, now),
                }
                let alone = alone.next().expect("an answer for each rule");
                rules.push(account.answer(rule, now, subject.cost, alone));
                if subject.cost > 0 {
                    let record = self.accounts.entry(subject.key.clone()).or_default();
                    record.insert((rule.algorithm, rule.window), account);
                }
            }
        }
        Ok(ReferenceDecision { rules })
    }

    /// Asks at `now` and changes nothing.
    ///
    /// # Errors
    /// [`CostAboveLimit`], whatever the records say.
    pub fn test(&self, subjects: &[ReferenceSubject], now: u64) -> Result<ReferenceDecision, CostAboveLimit> {
        let now = i128::from(now);
        let mut rules = Vec::new();
        for subject in subjects {
            for rule in &subject.rules {
                if subject.cost > rule.capacity() {
                    return Err(CostAboveLimit);
                }
                let mut account = self.account(&subject.key, rule);
                account.repair(rule, now);
                let allowed = account.allows(rule, now, subject.cost);
                rules.push(account.answer(rule, now, subject.cost, allowed));
            }
        }
        Ok(ReferenceDecision { rules })
    }

    /// Forgets one record.
    pub fn clear(&mut self, key: &str) {
        self.accounts.remove(key);
    }

    /// Takes one record over as it stands in another one.
    pub fn take_over(&mut self, key: &str, other: &Self) {
        match other.accounts.get(key) {
            Some(record) => self.accounts.insert(key.to_owned(), record.clone()),
            None => self.accounts.remove(key),
        };
    }

    fn account(&self, key: &str, rule: &ReferenceRule) -> Account {
        self.accounts
            .get(key)
            .and_then(|accounts| accounts.get(&(rule.algorithm, rule.window)))
            .cloned()
            .unwrap_or_default()
    }
}

/// Microseconds since the epoch; below it, where a record from the future is moved back beyond it.
type Instant = i128;

/// What one rule has counted.
#[derive(Clone, Debug, Default)]
struct Account {
    /// Every allowed hit: the instant it counts for, and its cost.
    hits: Vec<(Instant, u64)>,
    /// For elastic expiry: the last hit, refused ones included.
    last_asked: Instant,
    /// For the buckets: what was in it right after the last hit, in units times the window.
    level: i128,
    /// For the buckets: that hit's instant.
    filled_at: Instant,
    /// For the buckets: how many units leave in each window.
    drain: u64,
}

impl Account {
    /// The units in use at `now`, if nothing more is asked.
    fn used(&self, rule: &ReferenceRule, now: Instant) -> u64 {
        let window = rule.window();
        let now = self.not_before_the_record(rule, now);
        let sum = |counts: &dyn Fn(Instant) -> bool| -> u64 {
            let counted = self.hits.iter().filter(|(at, _)| counts(*at));
            counted.map(|(_, cost)| cost).sum()
        };
        match rule.algorithm {
            // The window opens at its first hit.
            Algorithm::FixedWindow => {
                let start = self.hits.first().map_or(0, |(at, _)| *at);
                sum(&|_| now < start + window)
            }
            Algorithm::FixedWindowElasticExpiry => sum(&|_| now < self.last_asked + window),
            Algorithm::FixedWindowAligned => sum(&|at| at.div_euclid(window) == now.div_euclid(window)),
            Algorithm::SlidingWindow => {
                let slot = now.div_euclid(window);
                let current = sum(&|at| at.div_euclid(window) == slot);
                let previous = sum(&|at| at.div_euclid(window) + 1 == slot);
                let left = window - now.rem_euclid(window);
                current + whole(i128::from(previous) * left / window)
            }
            Algorithm::MovingWindow => sum(&|at| now < at + window),
            Algorithm::TokenBucket | Algorithm::LeakyBucket | Algorithm::Gcra => {
                whole((self.level_at(now) + window - 1) / window)
            }
            other => panic!("the reference does not know {other}"),
        }
    }

    /// Whether `cost` more fit in at `now`.
    fn allows(&self, rule: &ReferenceRule, now: Instant, cost: u64) -> bool {
        if cost == 0 {
            return true;
        }
        if rule.algorithm.is_bucket() {
            // Exactly: the parts of a unit count.
            let level =
                self.level_at(self.not_before_the_record(rule, now)) + i128::from(cost) * rule.window();
            return level <= i128::from(rule.capacity()) * rule.window();
        }
        self.used(rule, now) + cost <= rule.capacity()
    }

    /// Counts an allowed hit.
    fn charge(&mut self, rule: &ReferenceRule, now: Instant, cost: u64) {
        if rule.algorithm.is_bucket() {
            let now = self.not_before_the_record(rule, now);
            self.level = self.level_at(now) + i128::from(cost) * rule.window();
            self.filled_at = now;
            self.drain = rule.amount;
            return;
        }
        let instant = self.not_before_the_record(rule, now);
        // What has left is forgotten, should the clock come back to it.
        let window = rule.window();
        match rule.algorithm {
            Algorithm::MovingWindow => self.hits.retain(|(at, _)| instant < at + window),
            // They forget all at once, and start with this hit.
            Algorithm::FixedWindow | Algorithm::FixedWindowElasticExpiry if self.used(rule, now) == 0 => {
                self.hits.clear();
            }
            _ => {}
        }
        self.hits.push((instant, cost));
        self.last_asked = instant;
    }

    /// A refused hit moves the end of an elastic window, if there is one.
    fn refuse(&mut self, rule: &ReferenceRule, now: Instant) {
        if rule.algorithm == Algorithm::FixedWindowElasticExpiry && self.used(rule, now) > 0 {
            self.last_asked = self.not_before_the_record(rule, now);
        }
    }

    /// A bucket's level at an instant that is not before its last hit.
    fn level_at(&self, now: Instant) -> i128 {
        (self.level - (now - self.filled_at) * i128::from(self.drain)).max(0)
    }

    /// The last instant that the record knows of; a bucket's is that of its last hit.
    fn last_instant(&self, rule: &ReferenceRule) -> Instant {
        let window = rule.window();
        let newest = self.hits.last().map_or(0, |(at, _)| *at);
        match rule.algorithm {
            Algorithm::FixedWindow => self.hits.first().map_or(0, |(at, _)| *at),
            Algorithm::FixedWindowElasticExpiry => self.last_asked,
            Algorithm::FixedWindowAligned | Algorithm::SlidingWindow => newest.div_euclid(window) * window,
            Algorithm::MovingWindow => newest,
            _ => self.filled_at,
        }
    }

    /// Where the clock stepped back a little, time stands still at the record's last instant.
    fn not_before_the_record(&self, rule: &ReferenceRule, now: Instant) -> Instant {
        now.max(self.last_instant(rule))
    }

    /// A record from the far future, more than a window ahead, is moved to now with all that it counts.
    fn repair(&mut self, rule: &ReferenceRule, now: Instant) {
        let window = rule.window();
        if self.last_instant(rule) <= now + window {
            return;
        }
        match rule.algorithm {
            Algorithm::FixedWindow => self.hits.iter_mut().for_each(|(at, _)| *at = now),
            Algorithm::FixedWindowElasticExpiry => self.last_asked = now,
            Algorithm::FixedWindowAligned | Algorithm::SlidingWindow => {
                let slot = self.last_instant(rule).div_euclid(window);
                let back = (slot - now.div_euclid(window)) * window;
                self.hits.iter_mut().for_each(|(at, _)| *at -= back);
            }
            Algorithm::MovingWindow => {
                self.hits.iter_mut().for_each(|(at, _)| *at = now.min(*at));
            }
            // What was in it stays in it.
            _ => self.filled_at = now,
        }
    }

    /// What the rule says once the question is dealt with.
    fn answer(&self, rule: &ReferenceRule, now: Instant, cost: u64, allowed: bool) -> ReferenceAnswer {
        let after = |wait: u64| now + i128::from(wait);
        let retry_after = if allowed { 0 } else { first(|wait| self.allows(rule, after(wait), cost)) };
        ReferenceAnswer {
            allowed,
            remaining: rule.capacity().saturating_sub(self.used(rule, now)),
            retry_after,
            reset_after: first(|wait| self.used(rule, after(wait)) == 0),
        }
    }
}

/// A clock that went far back can make it more than can be counted.
fn whole(count: i128) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The least wait for which this holds; it has to hold from then on.
fn first(holds: impl Fn(u64) -> bool) -> u64 {
    if holds(0) {
        return 0;
    }
    let (mut not, mut does) = (0, 1);
    while !holds(does) {
        (not, does) = (does, does * 2);
        assert!(does < 1 << 60, "it never holds");
    }
    while does - not > 1 {
        let middle = not + (does - not) / 2;
        if holds(middle) {
            does = middle;
        } else {
            not = middle;
        }
    }
    does
}
