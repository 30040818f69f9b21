//! Few keys, all of them in the processor's cache.

use limitra::Algorithm;

use crate::keys::{Keys, shuffled, walk};
use crate::limiters::{Allowance, coarse};
use crate::pass::{at_once, nanoseconds};
use crate::rounds::Rounds;
use crate::row::Name;
use crate::scale::Scale;

use super::threads;
use super::unkeyed::WHOLE;

const THOUSAND: usize = 1000;

/// Governor's caller has a `&str`, and makes the `String` that `check_key` borrows.
pub(super) const BY_STRING: &str = "governor, a String per call";
/// Governor's caller has a `String` at hand.
pub(super) const BY_REFERENCE: &str = "governor, a String at hand";

pub(super) fn add_thousand(rounds: &mut Rounds<'_>, scale: Scale) {
    let count = scale.operations(1_000_000);
    for workers in [1, 2] {
        add_texts(rounds, &format!("1,000 keys, {}", threads(workers)), workers, count, THOUSAND, true);
    }

    let case = "1,000 integer keys, 1 thread";
    let limitra = Allowance::Ample.limitra(Algorithm::Gcra, THOUSAND);
    rounds.time(Name::new(case, "limitra"), move || {
        let keys = shuffled(THOUSAND);
        nanoseconds(1, count, |thread| {
            let (mut next, limitra) = (walk(&keys, thread), &limitra);
            move || assert!(at_once(limitra.allow_request(*next())).unwrap())
        })
    });
    let governor = Allowance::Ample.governor_by_key::<u64>();
    rounds.time(Name::new(case, "governor"), move || {
        let keys = shuffled(THOUSAND);
        nanoseconds(1, count, |thread| {
            let (mut next, governor) = (walk(&keys, thread), &governor);
            move || assert!(governor.check_key(next()).is_ok())
        })
    });
}

pub(super) fn add_one(rounds: &mut Rounds<'_>, scale: Scale) {
    let count = scale.operations(1_000_000);
    for workers in [1, 2] {
        for is_allowed in [true, false] {
            let word = if is_allowed { "allowed" } else { "exceeded" };
            let case = format!("one key, {word}, {}", threads(workers));
            add_texts(rounds, &case, workers, count, 1, is_allowed);
        }
    }
}

/// Every subject on so many keys of twelve bytes, which are all there before the first pass.
fn add_texts(
    rounds: &mut Rounds<'_>,
    case: &str,
    workers: usize,
    count: usize,
    keys: usize,
    is_allowed: bool,
) {
    let allowance = if is_allowed { Allowance::Ample } else { Allowance::One };
    let limitra = allowance.limitra(Algorithm::Gcra, keys);
    let texts = Keys::new(keys, 12);
    for key in texts.iter() {
        assert!(at_once(limitra.check(key)).unwrap().is_allowed());
    }
    let (whole, all) = (limitra.clone(), texts.clone());
    rounds.time(Name::new(case, "limitra"), move || {
        nanoseconds(workers, count, |thread| {
            let (mut next, limitra) = (texts.walk(thread), &limitra);
            move || assert!(at_once(limitra.allow_request(next())).unwrap() == is_allowed)
        })
    });
    rounds.time(Name::new(case, WHOLE), move || {
        nanoseconds(workers, count, |thread| {
            let (mut next, limitra) = (all.walk(thread), &whole);
            move || assert!(at_once(limitra.check(next())).unwrap().is_allowed() == is_allowed)
        })
    });

    if keys > 1 {
        let coarse = allowance.limitra_over(&coarse(), Algorithm::Gcra);
        let texts = Keys::new(keys, 12);
        rounds.time(Name::new(case, "limitra, coarse clock"), move || {
            nanoseconds(workers, count, |thread| {
                let (mut next, limitra) = (texts.walk(thread), &coarse);
                move || assert!(at_once(limitra.allow_request(next())).unwrap())
            })
        });
    }

    let governor = allowance.governor_by_key::<String>();
    let texts = Keys::new(keys, 12);
    for key in texts.iter() {
        assert!(governor.check_key(&key.to_owned()).is_ok());
    }
    rounds.time(Name::new(case, BY_STRING), move || {
        nanoseconds(workers, count, |thread| {
            let (mut next, governor) = (texts.walk(thread), &governor);
            move || assert!(governor.check_key(&next().to_owned()).is_ok() == is_allowed)
        })
    });

    let governor = allowance.governor_by_key::<String>();
    let strings: Vec<String> = Keys::new(keys, 12).iter().map(str::to_owned).collect();
    for key in &strings {
        assert!(governor.check_key(key).is_ok());
    }
    rounds.time(Name::new(case, BY_REFERENCE), move || {
        nanoseconds(workers, count, |thread| {
            let (mut next, governor) = (walk(&strings, thread), &governor);
            move || assert!(governor.check_key(next()).is_ok() == is_allowed)
        })
    });

    if workers > 1 {
        return;
    }
    let mut throttlecrab = allowance.throttlecrab(keys * 2);
    let texts = Keys::new(keys, 12);
    // A burst of one is never refused: the record's time to live is 0.
    if is_allowed {
        for key in texts.iter() {
            assert!(throttlecrab.allows(key));
        }
        let throttlecrab = std::cell::RefCell::new(throttlecrab);
        rounds.time(Name::new(case, "throttlecrab"), move || {
            let mut next = texts.walk(0);
            let mut throttlecrab = throttlecrab.borrow_mut();
            let from = std::time::Instant::now();
            (0..count / 4).for_each(|_| assert!(throttlecrab.allows(next())));
            from.elapsed().as_secs_f64() * 1e9 / (count / 4) as f64
        });
    }
    let limitador = allowance.limitador(keys * 2);
    let texts = Keys::new(keys, 12);
    for key in texts.iter() {
        assert!(limitador.allows(key));
    }
    rounds.time(Name::new(case, "limitador"), move || {
        nanoseconds(1, count / 100, |thread| {
            let (mut next, limitador) = (texts.walk(thread), &limitador);
            move || assert!(limitador.allows(next()) == is_allowed)
        })
    });
}
