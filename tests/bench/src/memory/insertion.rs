//! Keys that were not there before.

use limitra::Algorithm;

use crate::keys::Keys;
use crate::limiters::Allowance;
use crate::pass::{at_once, nanoseconds};
use crate::rounds::Rounds;
use crate::row::Name;
use crate::scale::Scale;

use super::keyed::BY_STRING;

pub(super) fn add(rounds: &mut Rounds<'_>, scale: Scale) {
    let count = scale.keys(1_000_000);
    let case = "inserting 1,000,000 keys, 1 thread";
    rounds.time(Name::new(case, "limitra"), move || {
        let keys = Keys::new(count, 12);
        let limitra = Allowance::Hourly.limitra(Algorithm::Gcra, count);
        nanoseconds(1, count, |thread| {
            let (mut next, limitra) = (keys.walk(thread), &limitra);
            move || assert!(at_once(limitra.check(next())).unwrap().is_allowed())
        })
    });
    rounds.time(Name::new(case, BY_STRING), move || {
        let keys = Keys::new(count, 12);
        let governor = Allowance::Hourly.governor_by_key::<String>();
        nanoseconds(1, count, |thread| {
            let (mut next, governor) = (keys.walk(thread), &governor);
            move || assert!(governor.check_key(&next().to_owned()).is_ok())
        })
    });
    rounds.time(Name::new(case, "throttlecrab"), move || {
        let keys = Keys::new(count, 12);
        // Without the room beforehand, it grows as it goes.
        let mut throttlecrab = Allowance::Hourly.throttlecrab(1000);
        let from = std::time::Instant::now();
        keys.iter().for_each(|key| assert!(throttlecrab.allows(key)));
        from.elapsed().as_secs_f64() * 1e9 / count as f64
    });
}
