//! What threads tell of an outage at the same time: see `tests/loom`.
#![allow(clippy::unwrap_used)] // A model that cannot go on fails.

use std::sync::Arc;

use loom::thread;

use super::{Event, OnOutage, Outages, Telemetry, Whose};
use crate::error::{StorageError, StorageErrorKind};
use crate::sync::Mutex;

const WHOSE: Whose<'static> = Whose { of: "api", storage: "model", policy: OnOutage::FailOpen };

fn late() -> StorageError {
    StorageError::new(StorageErrorKind::Timeout, WHOSE.storage, "decide")
}

/// Outages, and what was told of them: whether one began.
fn watched() -> (Arc<Outages>, Arc<Mutex<Vec<bool>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&told);
    let telemetry = Telemetry::of(move |event| {
        kept.lock().unwrap().push(matches!(event, Event::OutageBegan { .. }));
    });
    (Outages::of_handle(telemetry), told)
}

#[test]
fn the_end_of_an_outage_is_never_told_before_its_beginning() {
    loom::model(|| {
        let (outages, told) = watched();
        let failing = Arc::clone(&outages);
        let failing = thread::spawn(move || failing.failed(WHOSE, &late()));
        outages.decided(|| WHOSE);
        failing.join().unwrap();
        outages.decided(|| WHOSE);
        assert_eq!(*told.lock().unwrap(), [true, false]);
    });
}

#[test]
fn an_outage_that_many_meet_is_told_once() {
    loom::model(|| {
        let (outages, told) = watched();
        let others = [(); 2].map(|()| {
            let outages = Arc::clone(&outages);
            thread::spawn(move || outages.failed(WHOSE, &late()))
        });
        for other in others {
            other.join().unwrap();
        }
        let other = Arc::clone(&outages);
        let other = thread::spawn(move || other.decided(|| WHOSE));
        outages.decided(|| WHOSE);
        other.join().unwrap();
        assert_eq!((outages.count(), told.lock().unwrap().clone()), (2, vec![true, false]));
    });
}
