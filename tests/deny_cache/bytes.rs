//! What it takes.

use std::borrow::Cow;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use limitra::{
    Algorithm, Attempt, Clock, DenyCache, Key, MemoryStorage, Mode, Outcome, Rule, Storage, Subject,
};

use crate::stage::{ERA, HOUR, limit};

fn hit(cache: &DenyCache, key: &str, rules: &[Rule]) -> Outcome {
    let subjects = [Subject { key: Key::from_text(key), rules: Cow::Borrowed(rules), cost: 1 }];
    let attempt = Attempt { subjects: &subjects, clock: Clock::Storage, mode: Mode::Hit };
    match pin!(cache.decide(&attempt)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome.unwrap(),
        Poll::Pending => panic!("memory does not wait"),
    }
}

fn rules(count: u64) -> Vec<Rule> {
    let rule = |number| Rule::new(Algorithm::FixedWindow, limit(1, ERA + HOUR * number)).unwrap();
    (0..u32::try_from(count).unwrap()).map(rule).collect()
}

#[test]
fn a_refusal_takes_no_more_bytes_than_the_documentation_says() {
    for (count, most) in [(1, 260), (2, 340), (8, 580)] {
        let cache = DenyCache::over(MemoryStorage::new()).max_age(HOUR).build().unwrap();
        let rules = rules(count);
        let keys: Vec<String> = (0..20_000).map(|who| format!("user-{who}")).collect();
        for key in &keys {
            assert!(hit(&cache, key, &rules).is_allowed());
        }
        let taken = measure(|| keys.iter().for_each(|key| drop(hit(&cache, key, &rules))));
        assert_eq!(cache.len(), 10_000);
        let each = taken.bytes_current / 10_000;
        assert!(each <= most, "{each} bytes with {count} limits");
    }
}

#[test]
fn an_answer_of_its_own_allocates_nothing_but_the_boxed_future_of_the_trait() {
    let cache = DenyCache::over(MemoryStorage::new()).max_age(HOUR).build().unwrap();
    let rules = rules(1);
    // Allowed, refused, and refused by the cache: from then on it knows where it is counted (feature `metrics`).
    for _ in 0..3 {
        hit(&cache, "ada", &rules);
    }
    let taken = measure(|| drop(hit(&cache, "ada", &rules)));
    assert_eq!(cache.hits(), 2);
    assert_eq!(taken.count_total, 1);
}
