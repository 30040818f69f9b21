//! What the log is told of requests that could not be decided.

use std::sync::{Arc, Mutex};

use limitra::web::{HttpLimiter, key};
use limitra::{MemoryStorage, RateLimiter};
use tracing::span::{Attributes, Record};
use tracing::{Event, Id, Level, Metadata, Subscriber};

use crate::service::{ask, behind, by_user, per_minute};

/// The levels of what limitra tells.
#[derive(Clone, Default)]
struct Levels(Arc<Mutex<Vec<Level>>>);

impl Subscriber for Levels {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "limitra"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(*event.metadata().level());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn a_mistake_in_the_set_up_is_told_as_an_error_and_a_greedy_request_is_not() {
    let elsewhere = RateLimiter::builder().requests(1).window(60).scope("plan").storage(MemoryStorage::new());
    let elsewhere = elsewhere.build().unwrap();
    let mistaken = HttpLimiter::builder()
        .limit(&per_minute(1), by_user())
        .limit_by_request(move |_| Some(elsewhere.clone()), key::everyone());
    let greedy = HttpLimiter::builder().limit(&per_minute(1), by_user()).cost(|_| u64::MAX);
    let (mistaken, greedy) = (behind(&mistaken.build().unwrap()).0, behind(&greedy.build().unwrap()).0);

    let told = Levels::default();
    let _listening = tracing::subscriber::set_default(told.clone());
    assert_eq!(ask(&greedy, "ada").await, 422);
    assert!(!told.0.lock().unwrap().contains(&Level::ERROR));
    assert_eq!(ask(&mistaken, "ada").await, 500);
    assert!(told.0.lock().unwrap().contains(&Level::ERROR));
}
