//! The longest that one call ever takes.

use std::thread::sleep;
use std::time::{Duration, Instant};

use limitra::Algorithm;

use crate::keys::Keys;
use crate::limiters::Allowance;
use crate::pass::at_once;
use crate::rounds::Rounds;
use crate::row::{Name, PAUSES};
use crate::scale::Scale;

use super::keyed::BY_STRING;

/// After so many calls the system is asked how long it kept this thread waiting.
const BATCH: usize = 256;

pub(super) fn add(rounds: &mut Rounds<'_>, scale: Scale) {
    let count = scale.keys(1_000_000);
    let case = "1,000,000 keys";
    // Governor keeps what has expired for another window.
    let until_expired = 2 * Allowance::Brief.window() + Duration::from_millis(100);

    rounds.add(Name::new(case, "limitra"), PAUSES, move || {
        let (first, second) = (Keys::new(count, 12), Keys::new(count, 13));
        let hourly = Allowance::Hourly.limitra(Algorithm::Gcra, count);
        let inserted = longest(first.iter(), |key| assert!(at_once(hourly.allow_request(key)).unwrap()));
        drop(hourly);
        let brief = Allowance::Brief.limitra(Algorithm::Gcra, count);
        first.iter().for_each(|key| assert!(at_once(brief.allow_request(key)).unwrap()));
        sleep(until_expired);
        // Expired records go as others come.
        let expired = longest(second.iter(), |key| assert!(at_once(brief.allow_request(key)).unwrap()));
        vec![inserted, expired]
    });
    rounds.add(Name::new(case, BY_STRING), PAUSES, move || {
        let keys = Keys::new(count, 12);
        let hourly = Allowance::Hourly.governor_by_key::<String>();
        let inserted = longest(keys.iter(), |key| assert!(hourly.check_key(&key.to_owned()).is_ok()));
        drop(hourly);
        let brief = Allowance::Brief.governor_by_key::<String>();
        keys.iter().for_each(|key| assert!(brief.check_key(&key.to_owned()).is_ok()));
        sleep(until_expired);
        // Expired records go when this is called, all at once.
        let expired = longest([()].into_iter(), |()| brief.retain_recent());
        assert!(brief.is_empty());
        vec![inserted, expired]
    });
}

/// How many microseconds the longest of these calls took, without the time in which this thread was not let run.
fn longest<T>(values: impl Iterator<Item = T>, mut call: impl FnMut(T)) -> f64 {
    let (mut longest, mut in_batch) = (Duration::ZERO, Duration::ZERO);
    let mut waited = waited_so_far();
    let mut settle = |in_batch: &mut Duration| {
        let now = waited_so_far();
        longest = longest.max(in_batch.saturating_sub(now.saturating_sub(waited)));
        (waited, *in_batch) = (now, Duration::ZERO);
        longest
    };
    for (index, value) in values.enumerate() {
        let from = Instant::now();
        call(value);
        in_batch = in_batch.max(from.elapsed());
        if index % BATCH == BATCH - 1 {
            settle(&mut in_batch);
        }
    }
    settle(&mut in_batch).as_secs_f64() * 1e6
}

/// How long this thread was ready to run and did not, where the system tells.
fn waited_so_far() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().nth(1).and_then(|number| number.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}
