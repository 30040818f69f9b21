//! What tasks do at the same time to the decisions that wait for a connection: see `tests/loom`.
#![allow(clippy::unwrap_used)] // A model that cannot go on fails.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use loom::thread;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::ask::Ask;
use super::queue::{Answer, Queue, Turn, Unanswered, Waiting};
use crate::algorithm::Algorithm;
use crate::attempt::{Attempt, Mode, Outcome, Subject};
use crate::key::Key;
use crate::limit::Limit;
use crate::rule::Rule;
use crate::storage::key_prefix::KeyPrefix;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::time::{Clock, Micros};

const LANE: u16 = 0;

fn ask() -> Ask {
    let rule = Rule::new(Algorithm::Gcra, Limit::new(1, Duration::from_secs(60)).unwrap()).unwrap();
    let subjects = [Subject { key: Key::from_text("ada"), rules: Cow::Borrowed(&[rule]), cost: 1 }];
    let attempt = Attempt { subjects: &subjects, clock: Clock::Storage, mode: Mode::Hit };
    Ask::of(&attempt, &KeyPrefix::default()).unwrap()
}

/// Whether it goes at once; else what it waits for.
fn turn(queue: &Queue) -> Option<tokio::sync::oneshot::Receiver<Answer>> {
    match queue.turn(LANE, ask(), Instant::now()) {
        Turn::Now(_) => None,
        Turn::Later(answer) => Some(answer),
    }
}

/// A queue with two commands under way, as many as go at once.
fn busy() -> Arc<Queue> {
    let queue = Arc::new(Queue::default());
    assert!(turn(&queue).is_none() && turn(&queue).is_none());
    queue
}

fn answer(batch: Vec<Waiting>) {
    for waiting in batch {
        let _ = waiting.answer.send(Ok(Outcome::new(Micros::default(), SmallVec::new())));
    }
}

/// As a flight does when it lands: those who wait are taken along, until nobody does.
fn land(queue: &Queue) {
    loop {
        let batch = queue.land(LANE);
        if batch.is_empty() {
            return;
        }
        answer(batch);
    }
}

/// Nothing is under way and nobody waits: two go at once, no more.
fn assert_idle(queue: &Queue) {
    assert!(turn(queue).is_none() && turn(queue).is_none(), "a flight that landed is still counted");
    assert!(turn(queue).is_some(), "more go at once than may");
}

#[test]
fn who_waits_while_flights_land_is_taken_along() {
    loom::model(|| {
        let queue = busy();
        let flights = [(); 2].map(|()| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || land(&queue))
        });
        let waiting = turn(&queue);
        if waiting.is_none() {
            land(&queue);
        }
        for flight in flights {
            flight.join().unwrap();
        }
        assert!(waiting.is_none_or(|mut answer| answer.try_recv().is_ok()), "it waits for nobody");
        assert_idle(&queue);
    });
}

#[test]
fn no_more_go_at_once_than_two() {
    loom::model(|| {
        let (queue, under_way) = (Arc::new(Queue::default()), Arc::new(AtomicUsize::new(0)));
        let fly = |queue: &Queue, under_way: &AtomicUsize| {
            let waiting = turn(queue);
            if waiting.is_none() {
                loop {
                    assert!(under_way.fetch_add(1, Ordering::Relaxed) < 2);
                    under_way.fetch_sub(1, Ordering::Relaxed);
                    let batch = queue.land(LANE);
                    if batch.is_empty() {
                        break;
                    }
                    answer(batch);
                }
            }
            waiting
        };
        let others = [(); 2].map(|()| {
            let (queue, under_way) = (Arc::clone(&queue), Arc::clone(&under_way));
            thread::spawn(move || fly(&queue, &under_way))
        });
        let own = fly(&queue, &under_way);
        let all = others.map(|other| other.join().unwrap()).into_iter().chain([own]);
        for mut waiting in all.flatten() {
            assert!(waiting.try_recv().is_ok(), "it waits for nobody");
        }
        assert_idle(&queue);
    });
}

#[test]
fn who_leaves_while_a_flight_lands_leaves_nothing_behind() {
    loom::model(|| {
        let queue = busy();
        let waiting = [(); 2].map(|()| turn(&queue).unwrap());
        let landing = Arc::clone(&queue);
        let flight = thread::spawn(move || land(&landing));
        let [leaves, mut stays] = waiting;
        drop(leaves);
        land(&queue);
        flight.join().unwrap();
        assert!(stays.try_recv().is_ok());
        assert_idle(&queue);
    });
}

#[test]
fn who_is_taken_along_is_under_way() {
    loom::model(|| {
        let (queue, under_way) = (busy(), Arc::new(AtomicUsize::new(2)));
        let mut waiting = turn(&queue).unwrap();
        let (landing, count) = (Arc::clone(&queue), Arc::clone(&under_way));
        let flight = thread::spawn(move || {
            count.fetch_sub(1, Ordering::Relaxed);
            let batch = landing.land(LANE);
            assert!(!batch.is_empty());
            count.fetch_add(1, Ordering::Relaxed);
            answer(batch);
            count.fetch_sub(1, Ordering::Relaxed);
            land(&landing);
        });
        if turn(&queue).is_none() {
            assert!(under_way.fetch_add(1, Ordering::Relaxed) < 2);
            land(&queue);
        }
        flight.join().unwrap();
        assert!(waiting.try_recv().is_ok());
        land(&queue);
        assert_idle(&queue);
    });
}

#[test]
fn who_goes_past_those_under_way_is_answered_once_and_counted() {
    loom::model(|| {
        let queue = busy();
        let mut waiting = turn(&queue).unwrap();
        let passing = Arc::clone(&queue);
        let passing = thread::spawn(move || {
            let batch = passing.pass(LANE, Duration::ZERO);
            if !batch.is_empty() {
                answer(batch);
                land(&passing);
            }
        });
        land(&queue);
        passing.join().unwrap();
        assert!(waiting.try_recv().is_ok());
        // One of the first two is still under way.
        assert!(turn(&queue).is_none() && turn(&queue).is_some());
    });
}

#[test]
fn who_leaves_before_somebody_goes_past_is_no_flight() {
    loom::model(|| {
        let queue = busy();
        let waiting = turn(&queue).unwrap();
        let passing = Arc::clone(&queue);
        let passing = thread::spawn(move || {
            let batch = passing.pass(LANE, Duration::ZERO);
            if !batch.is_empty() {
                land(&passing);
            }
        });
        drop(waiting);
        passing.join().unwrap();
        land(&queue);
        land(&queue);
        assert_idle(&queue);
    });
}

#[test]
fn nobody_waits_for_a_connection_that_is_lost() {
    loom::model(|| {
        let queue = busy();
        let closing = Arc::clone(&queue);
        let closing = thread::spawn(move || closing.close());
        let waiting = [(); 3].map(|()| turn(&queue));
        closing.join().unwrap();
        for mut waiting in waiting.into_iter().flatten() {
            assert!(matches!(waiting.try_recv(), Ok(Err(Unanswered::Unsent(_)))));
        }
        assert!(turn(&queue).is_none());
    });
}

#[test]
fn a_flight_that_lands_on_a_connection_that_is_lost_leaves_nobody_behind() {
    loom::model(|| {
        let queue = busy();
        let (closing, landing) = (Arc::clone(&queue), Arc::clone(&queue));
        let closing = thread::spawn(move || closing.close());
        let landing = thread::spawn(move || land(&landing));
        let waiting = turn(&queue);
        closing.join().unwrap();
        landing.join().unwrap();
        if let Some(mut waiting) = waiting {
            assert!(matches!(waiting.try_recv(), Ok(Ok(_) | Err(Unanswered::Unsent(_)))));
        }
    });
}
