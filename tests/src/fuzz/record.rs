//! A record that an attacker wrote into the storage.

use std::time::Duration;

use limitra::{
    Algorithm, Error, Limit, ManualClock, Micros, RateLimiter, Record, RegisterStorage, StorageErrorKind,
};

use super::at_once;
use super::register::OneValue;
use super::tape::Tape;

pub(super) const WORDS: &[&str] = &["LR\u{1}\u{1}", "LR\u{1}\u{2}", "\u{5}", "\0\0\0\0\0\0\0"];

/// The latest instant that a clock shows: two windows still fit behind it.
fn latest(window: Duration) -> u64 {
    Micros::MAX.minus(Micros::from_duration(window * 2)).get()
}

/// What is not a record is an error; what is one is written again as the same, and whoever decides on it neither panics nor
/// lets more through in a window than from a fresh record and one that has just ended.
pub(super) fn run(bytes: &[u8]) {
    let mut tape = Tape::new(bytes);
    let algorithm = tape.choice(Algorithm::ALL);
    let amount = tape.choice(&[1, 2, 3, 7, 20]);
    let window =
        Duration::from_micros(tape.choice(&[1_000, 1_001, 777_777, 60_000_000, 3_155_760_000_000_000]));
    let burst = tape.choice(&[0, 1, 2, 5]);
    let clock = ManualClock::at(Micros::new(tape.number() % latest(window)));
    let stored = tape.rest();
    let value = OneValue::new(stored);
    let mut limit = Limit::new(amount, window).unwrap();
    if algorithm.is_bucket() && burst > 0 {
        limit = limit.with_burst(burst).unwrap_or(limit);
    }
    let builder = RateLimiter::builder().algorithm(algorithm).limit(limit).clock(clock.clone());
    let limiter = builder.storage(RegisterStorage::new(value.clone())).build().unwrap();
    match Record::from_bytes(stored) {
        Err(kind) => {
            assert!(matches!(kind, StorageErrorKind::ForeignValue | StorageErrorKind::OtherVersion));
            assert!(
                matches!(at_once(limiter.check("ada")), Err(Error::Storage(error)) if error.kind() == kind)
            );
            assert_eq!(value.bytes(), stored, "it was touched");
        }
        Ok(record) => {
            let written = record.to_bytes();
            assert!(written.len() <= stored.len(), "it has grown");
            let again = Record::from_bytes(&written).expect("what was written can be read");
            assert_eq!((again.to_bytes(), again.until()), (written, record.until()));
            decide(&limiter, limit, &clock);
        }
    }
}

/// Asks for as much as there is through a window, then waits as told.
fn decide(limiter: &RateLimiter, limit: Limit, clock: &ManualClock) {
    let mut admitted = 0;
    for _ in 0..8 {
        while admitted <= 2 * limit.capacity() + limit.amount() {
            match at_once(limiter.check("ada")) {
                Ok(decision) => {
                    let _told =
                        (decision.remaining(), decision.reset_after(), decision.exceeded(), decision.rules());
                    assert!(decision.remaining() <= limit.capacity());
                    if !decision.is_allowed() {
                        assert!(decision.retry_after() > Duration::ZERO);
                        break;
                    }
                    admitted += 1;
                }
                // It holds as many other rules as it may.
                Err(Error::Storage(error)) if error.kind() == StorageErrorKind::Full => return,
                Err(error) => panic!("{error}"),
            }
        }
        let _told = at_once(limiter.usage("ada")).unwrap();
        clock.advance(limit.window() / 8);
    }
    let most = limit.capacity() + limit.amount();
    assert!(admitted <= most, "{admitted} in a window of {limit}");
    // Nobody is told to come back for nothing more than twice.
    for round in 0.. {
        let wait = at_once(limiter.wait_time("ada")).unwrap();
        if clock.now().get().saturating_add(Micros::from_duration(wait).get()) > latest(limit.window()) {
            return;
        }
        clock.advance(wait);
        if at_once(limiter.allow_request("ada")).unwrap() {
            return;
        }
        assert!(round < 2, "refused {round} times after the wait that was told");
    }
}
