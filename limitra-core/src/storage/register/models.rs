//! What tasks do at the same time to the queues for keys: see `tests/loom`.
#![allow(clippy::unwrap_used)] // A model that cannot go on fails.

use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use loom::future::block_on;
use loom::thread;

use super::Lanes;
use crate::key::Key;
use crate::sync::atomic::{AtomicBool, Ordering};

fn keys<const N: usize>(texts: [&'static str; N]) -> [Key<'static>; N] {
    texts.map(Key::from_text)
}

fn is_empty(lanes: &Lanes) -> bool {
    lanes.lanes.lock().unwrap().is_empty()
}

#[test]
fn of_those_who_ask_for_one_key_one_at_a_time_has_its_turn() {
    loom::model(|| {
        let stage = Arc::new((Lanes::default(), AtomicBool::new(false)));
        let decide = |(lanes, is_taken): &(Lanes, AtomicBool)| {
            block_on(async {
                let _turn = lanes.turns(&keys(["ada"]), "model").await.unwrap();
                assert!(!is_taken.swap(true, Ordering::Relaxed));
                is_taken.store(false, Ordering::Relaxed);
            });
        };
        let others = [(); 2].map(|()| {
            let stage = Arc::clone(&stage);
            thread::spawn(move || decide(&stage))
        });
        decide(&stage);
        for other in others {
            other.join().unwrap();
        }
        assert!(is_empty(&stage.0));
    });
}

#[test]
fn who_asks_for_keys_in_another_order_does_not_wait_for_ever() {
    loom::model(|| {
        let lanes = Arc::new(Lanes::default());
        let other = Arc::clone(&lanes);
        let other = thread::spawn(move || {
            block_on(async { drop(other.turns(&keys(["ada", "bob"]), "model").await.unwrap()) });
        });
        block_on(async { drop(lanes.turns(&keys(["bob", "ada"]), "model").await.unwrap()) });
        other.join().unwrap();
        assert!(is_empty(&lanes));
    });
}

#[test]
fn who_gives_up_its_wait_holds_nobody_up() {
    loom::model(|| {
        let lanes = Arc::new(Lanes::default());
        let others = [true, false].map(|stays| {
            let lanes = Arc::clone(&lanes);
            thread::spawn(move || {
                let keys = keys(["ada"]);
                let mut turn = pin!(lanes.turns(&keys, "model"));
                if stays {
                    block_on(async { drop(turn.await.unwrap()) });
                } else {
                    let _ = turn.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                    thread::yield_now();
                }
            })
        });
        block_on(async { drop(lanes.turns(&keys(["ada"]), "model").await.unwrap()) });
        for other in others {
            other.join().unwrap();
        }
        assert!(is_empty(&lanes));
    });
}

#[test]
fn those_who_wait_behind_one_that_gets_no_answer_fail_with_it() {
    loom::model(|| {
        let lanes = Arc::new(Lanes::default());
        let in_front = block_on(lanes.turns(&keys(["ada"]), "model")).unwrap();
        let other = Arc::clone(&lanes);
        let (waits, keys) = (Arc::new(AtomicBool::new(false)), keys(["ada"]));
        let waiting = Arc::clone(&waits);
        let behind = thread::spawn(move || {
            let mut turn = pin!(other.turns(&keys, "model"));
            let is_first = turn.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
            waiting.store(!is_first, Ordering::Release);
            is_first || block_on(turn).is_ok()
        });
        let was_behind = waits.load(Ordering::Acquire);
        in_front.fail();
        drop(in_front);
        let was_answered = behind.join().unwrap();
        assert!(!(was_behind && was_answered));
        assert!(is_empty(&lanes));
    });
}
