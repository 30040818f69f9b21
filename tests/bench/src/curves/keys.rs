//! Time by number of keys in memory.

use limitra::Algorithm;

use crate::keys::{Keys, key};
use crate::limiters::Allowance;
use crate::pass::{at_once, nanoseconds};
use crate::rounds::Rounds;
use crate::row::{Name, Row};
use crate::scale::Scale;

use super::{GROUP, KEYS};

const BATCH: usize = 16;

/// One size after the other: all of them at once would not fit.
pub(super) fn measure(scale: Scale) -> Vec<Row> {
    [1_000, 100_000, 1_000_000, 10_000_000].into_iter().flat_map(|keys| at(scale, keys)).collect()
}

fn at(scale: Scale, full: usize) -> Vec<Row> {
    let count = scale.keys(full);
    let keys = Keys::new(count, 12);
    let limitra = Allowance::Lasting.limitra(Algorithm::Gcra, count);
    let governor = Allowance::Lasting.governor_by_key::<String>();
    // In another order than they are asked for later.
    for number in 0..count as u64 {
        let key = key(number, 12);
        assert!(at_once(limitra.check(&key)).unwrap().is_allowed());
        assert!(governor.check_key(&key).is_ok());
    }

    let operations = scale.operations(1_000_000);
    let name = |subject: &str| Name::new(KEYS, subject).at(full as f64);
    let mut rounds = Rounds::new(GROUP);
    rounds.time(name("limitra"), || {
        nanoseconds(1, operations, |thread| {
            let (mut next, limitra) = (keys.walk(thread), &limitra);
            move || assert!(at_once(limitra.check(next())).unwrap().is_allowed())
        })
    });
    rounds.time(name("limitra, check_many of 16"), || {
        let calls = nanoseconds(1, operations / BATCH, |thread| {
            let (mut next, limitra) = (keys.walk(thread), &limitra);
            move || drop(at_once(limitra.check_many((0..BATCH).map(|_| next()))))
        });
        calls / BATCH as f64
    });
    rounds.time(name("governor, a String per call"), || {
        nanoseconds(1, operations, |thread| {
            let (mut next, governor) = (keys.walk(thread), &governor);
            move || assert!(governor.check_key(&next().to_owned()).is_ok())
        })
    });
    rounds.run(scale.repetitions)
}
