//! Many decisions in one question, the records of which memory looks up ahead.

use std::time::Duration;

use limitra::ManualClock;
use tracing::span::{Attributes, Record};
use tracing::{Event, Id, Metadata, Subscriber};

use crate::waiting::at_once;
use crate::words::{gcra, in_threads, world};

const HOUR: Duration = Duration::from_secs(3600);

/// A log that takes an hour for each thing that it is told.
struct Slow(ManualClock);

impl Subscriber for Slow {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "limitra"
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, _event: &Event<'_>) {
        self.0.advance(HOUR);
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[test]
fn threads_that_ask_for_many_admit_exactly_the_limit_of_each() {
    let (storage, _) = world(1000);
    let limiter = gcra(50_000, HOUR).storage(&storage).build().unwrap();
    let admitted = in_threads(4, |number| {
        let names = ["ada", "bob"].repeat(20_000 + number);
        let decided = at_once(limiter.check_many(&names));
        decided.into_iter().map(|decision| u64::from(decision.unwrap().is_allowed())).sum()
    });
    assert_eq!(admitted, 2 * 50_000);
    assert_eq!(storage.len(), 2);
}

#[test]
fn each_of_many_is_decided_at_its_own_instant_though_the_one_before_took_long() {
    for others in [0, 40] {
        let (storage, clock) = world(1000);
        let limiter = gcra(1, HOUR).storage(&storage).build().unwrap();
        assert!(at_once(limiter.allow_request("ada")).unwrap());
        let names: Vec<String> =
            (0..others).map(|number| format!("user-{number}")).chain(["ada".into(), "ada".into()]).collect();
        let told = tracing::subscriber::with_default(Slow(clock), || at_once(limiter.check_many(&names)));
        let allowed: Vec<bool> = told.into_iter().map(|decision| decision.unwrap().is_allowed()).collect();
        assert_eq!(allowed.get(others..), Some([false, true].as_slice()), "behind {others} others");
    }
}
