//! A million keys: far more than the processor's caches hold.

use std::sync::Mutex;

use governor::DefaultKeyedRateLimiter;
use limitra::{Algorithm, RateLimiter};

use crate::keys::Keys;
use crate::limiters::{Allowance, Limitador, Throttlecrab};
use crate::pass::{at_once, nanoseconds};
use crate::rounds::Rounds;
use crate::row::Name;
use crate::scale::Scale;

use super::keyed::{BY_REFERENCE, BY_STRING};
use super::threads;

const MILLION: usize = 1_000_000;

/// Every subject with a million keys in it.
pub(super) struct Fixture {
    keys: Keys,
    limitra: RateLimiter,
    governor: DefaultKeyedRateLimiter<String>,
    throttlecrab: Mutex<Throttlecrab>,
    limitador: Limitador,
}

impl Fixture {
    pub(super) fn new(scale: Scale) -> Self {
        let count = scale.keys(MILLION);
        let allowance = Allowance::Lasting;
        let fixture = Self {
            keys: Keys::new(count, 12),
            limitra: allowance.limitra(Algorithm::Gcra, count),
            governor: allowance.governor_by_key(),
            throttlecrab: Mutex::new(allowance.throttlecrab(count * 2)),
            limitador: allowance.limitador(count * 2),
        };
        // In another order than they are asked for later: no subject should find its records in a row.
        let mut throttlecrab = fixture.throttlecrab.lock().unwrap();
        for number in 0..count as u64 {
            let key = crate::keys::key(number, 12);
            assert!(at_once(fixture.limitra.check(&key)).unwrap().is_allowed());
            assert!(fixture.governor.check_key(&key).is_ok());
            assert!(throttlecrab.allows(&key));
            // A tenth of them is slow enough.
            assert!(number % 10 > 0 || fixture.limitador.allows(&key));
        }
        drop(throttlecrab);
        fixture
    }
}

pub(super) fn add<'a>(rounds: &mut Rounds<'a>, scale: Scale, fixture: &'a Fixture) {
    let count = scale.operations(MILLION);
    for workers in [1, 2] {
        let case = format!("1,000,000 keys, {}", threads(workers));
        rounds.time(Name::new(&case, "limitra"), move || {
            nanoseconds(workers, count, |thread| {
                let mut next = fixture.keys.walk(thread);
                move || assert!(at_once(fixture.limitra.check(next())).unwrap().is_allowed())
            })
        });
        for size in [16, 64] {
            let name = Name::new(&case, format!("limitra, check_many of {size}"));
            rounds.time(name, move || {
                let calls = nanoseconds(workers, count / size, |thread| {
                    let mut next = fixture.keys.walk(thread);
                    move || {
                        let asked = (0..size).map(|_| next());
                        let decisions = at_once(fixture.limitra.check_many(asked));
                        assert!(decisions.iter().all(|decision| decision.as_ref().unwrap().is_allowed()));
                    }
                });
                calls / size as f64
            });
        }
        rounds.time(Name::new(&case, BY_STRING), move || {
            nanoseconds(workers, count, |thread| {
                let mut next = fixture.keys.walk(thread);
                move || assert!(fixture.governor.check_key(&next().to_owned()).is_ok())
            })
        });
        rounds.time(Name::new(&case, BY_REFERENCE), move || {
            nanoseconds(workers, count, |thread| {
                let (mut next, mut hand) = (fixture.keys.walk(thread), String::with_capacity(12));
                move || {
                    hand.clear();
                    hand.push_str(next());
                    assert!(fixture.governor.check_key(&hand).is_ok());
                }
            })
        });
    }
    let case = "1,000,000 keys, 1 thread";
    rounds.time(Name::new(case, "throttlecrab"), move || {
        let mut throttlecrab = fixture.throttlecrab.lock().unwrap();
        let mut next = fixture.keys.walk(0);
        let from = std::time::Instant::now();
        (0..count / 4).for_each(|_| assert!(throttlecrab.allows(next())));
        from.elapsed().as_secs_f64() * 1e9 / (count / 4) as f64
    });
    rounds.time(Name::new(case, "limitador, 100,000 keys"), move || {
        nanoseconds(1, count / 100, |thread| {
            let mut next = fixture.keys.walk(thread);
            move || assert!(fixture.limitador.allows(next()))
        })
    });
}
