//! What each algorithm's documentation promises, checked in every interval; it knows nothing of how an algorithm works.

use std::collections::BTreeMap;

use limitra::Algorithm;
use limitra_tests::ReferenceRule;

use crate::judge::{Event, EventKind};

/// One hit of one key, allowed or not.
pub(crate) struct Hit {
    pub(crate) at: u64,
    pub(crate) cost: u64,
    /// And not given back.
    pub(crate) allowed: bool,
    /// When it was given back.
    pub(crate) returned: Option<u64>,
}

/// Whether every interval keeps the bound, where clocks may take an interval for longer by `slack` microseconds. Only
/// of windows longer than `least` is anything promised.
pub(crate) fn hold(events: &[Event], slack: u64, least: u64) -> Result<(), String> {
    let mut hits: BTreeMap<&str, (&[ReferenceRule], Vec<Hit>)> = BTreeMap::new();
    for event in events {
        match &event.kind {
            EventKind::Hit { decided, subjects, allowed, .. } => {
                for subject in subjects.iter().filter(|subject| subject.cost > 0) {
                    let hit = Hit { at: *decided, cost: subject.cost, allowed: *allowed, returned: None };
                    hits.entry(&subject.key).or_insert((&subject.rules, Vec::new())).1.push(hit);
                }
            }
            EventKind::Clear(key) => {
                if let Some((rules, hits)) = hits.remove(key.as_str()) {
                    holds(key, rules, hits, (slack, least))?;
                }
            }
        }
    }
    hits.into_iter().try_for_each(|(key, (rules, hits))| holds(key, rules, hits, (slack, least)))
}

/// The same of one key.
pub(crate) fn holds(
    key: &str,
    rules: &[ReferenceRule],
    mut hits: Vec<Hit>,
    (slack, least): (u64, u64),
) -> Result<(), String> {
    hits.sort_by_key(|hit| hit.at);
    rules.iter().filter(|rule| rule.window > least).try_for_each(|rule| match rule.algorithm {
        Algorithm::FixedWindowElasticExpiry => between_silences(key, rule, &hits, slack),
        _ => in_every_interval(key, rule, &hits, slack),
    })
}

fn in_every_interval(key: &str, rule: &ReferenceRule, hits: &[Hit], slack: u64) -> Result<(), String> {
    let gives_back = hits.iter().any(|hit| hit.returned.is_some());
    for (place, first) in hits.iter().enumerate() {
        // A bucket's bound is that of intervals that begin where none is out that is given back.
        let is_out = |hit: &Hit| hit.returned.is_some_and(|returned| returned >= first.at);
        if rule.algorithm.is_bucket() && hits[..=place].iter().any(is_out) {
            continue;
        }
        let mut units = 0;
        for hit in hits[place..].iter().filter(|hit| hit.allowed) {
            units += hit.cost;
            let length = hit.at - first.at;
            let most = most(rule, length + slack, gives_back);
            if units > most {
                return Err(format!(
                    "{key}: {units} units in {length} us from {} on, at most {most} by {rule:?}",
                    first.at
                ));
            }
        }
    }
    Ok(())
}

/// The most units in an interval of this length, both of its ends included.
fn most(rule: &ReferenceRule, length: u64, gives_back: bool) -> u64 {
    let ReferenceRule { amount, window, .. } = *rule;
    // What lies across windows that follow one another.
    let across = (length / window + 2) * amount;
    match rule.algorithm {
        Algorithm::MovingWindow => (length / window + 1) * amount,
        // The hit that opened the first of two windows lies before the interval, unless it was given back.
        Algorithm::FixedWindow if length < window && !gives_back => across - 1,
        Algorithm::FixedWindow | Algorithm::SlidingWindow | Algorithm::FixedWindowAligned => across,
        Algorithm::TokenBucket | Algorithm::LeakyBucket | Algorithm::Gcra => {
            rule.capacity() + length * amount / window
        }
        other => panic!("no bound is known of {other}"),
    }
}

/// At most the amount between two silences of a window each.
fn between_silences(key: &str, rule: &ReferenceRule, hits: &[Hit], slack: u64) -> Result<(), String> {
    let (mut units, mut last) = (0, 0);
    for hit in hits {
        if hit.at - last + slack >= rule.window {
            units = 0;
        }
        last = hit.at;
        units += if hit.allowed { hit.cost } else { 0 };
        if units > rule.amount {
            return Err(format!("{key}: {units} units without a silence until {last} by {rule:?}"));
        }
    }
    Ok(())
}
