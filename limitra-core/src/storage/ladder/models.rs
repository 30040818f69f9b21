//! What threads do to the layers for outages at the same time: see `tests/loom`.
#![allow(clippy::unwrap_used)] // A model that cannot go on fails.

use std::borrow::Cow;
use std::future::{Future as _, pending};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use loom::thread;

use super::circuit::{Circuit, CircuitState, Closed, Entry, Pass};
use super::{Breaker, CircuitBreaker, InFlight};
use crate::attempt::{Attempt, Mode, Outcome, Subject};
use crate::clock::ManualClock;
use crate::error::{StorageError, StorageErrorKind};
use crate::key::Key;
use crate::storage::Storage;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::time::{Clock, Micros};

const SECOND: Micros = Micros::new(1_000_000);

fn at(micros: u64) -> Micros {
    Micros::new(micros)
}

/// A circuit that opened at 0, for a second.
fn opened() -> Arc<Circuit> {
    let circuit = Circuit::new(1, SECOND, SECOND);
    let Entry::Ask(pass) = circuit.enter(at(0)) else { panic!("it is closed") };
    assert!(circuit.failed(pass, at(0)).is_some());
    Arc::new(circuit)
}

fn probe(circuit: &Circuit, now: Micros) -> Option<Pass> {
    match circuit.enter(now) {
        Entry::Probe(pass) => Some(pass),
        Entry::Refused => None,
        Entry::Ask(_) => panic!("it is open"),
    }
}

#[test]
fn of_many_that_come_when_the_pause_is_over_one_finds_out() {
    loom::model(|| {
        let circuit = opened();
        let others = [(); 2].map(|()| {
            let circuit = Arc::clone(&circuit);
            thread::spawn(move || probe(&circuit, SECOND).is_some())
        });
        let own = probe(&circuit, SECOND).is_some();
        let others = others.map(|other| other.join().unwrap());
        assert_eq!(usize::from(own) + others.iter().filter(|is_probe| **is_probe).count(), 1);
        assert_eq!(circuit.state(), CircuitState::HalfOpen);
    });
}

#[test]
fn a_probe_that_gives_up_leaves_its_place_to_one() {
    loom::model(|| {
        let circuit = opened();
        let first = probe(&circuit, SECOND).unwrap();
        let others = [(); 2].map(|()| {
            let circuit = Arc::clone(&circuit);
            thread::spawn(move || probe(&circuit, SECOND))
        });
        circuit.gave_up(first, SECOND);
        let others = others.map(|other| other.join().unwrap());
        let last = probe(&circuit, SECOND);
        let [probes] = others.into_iter().chain([last]).flatten().collect::<Vec<_>>()[..] else {
            panic!("not one found out, or several did");
        };
        // The first one has no say any more.
        assert_eq!(circuit.succeeded(first), None);
        assert_eq!(circuit.succeeded(probes), Some(Closed));
    });
}

#[test]
fn of_a_late_probe_and_the_one_in_its_place_one_has_a_say() {
    loom::model(|| {
        let circuit = opened();
        let late = probe(&circuit, SECOND).unwrap();
        let now = at(2_000_000);
        let other = Arc::clone(&circuit);
        let next = thread::spawn(move || {
            let next = probe(&other, now)?;
            other.succeeded(next)
        });
        let failed = circuit.failed(late, now).is_some();
        let closed = next.join().unwrap().is_some();
        assert!(failed != closed);
        let state = if closed { CircuitState::Closed } else { CircuitState::Open };
        assert_eq!(circuit.state(), state);
    });
}

#[test]
fn failures_that_race_open_it_once() {
    loom::model(|| {
        let circuit = Arc::new(Circuit::new(2, SECOND, SECOND));
        let fail = |circuit: &Circuit, now: Micros| {
            let Entry::Ask(pass) = circuit.enter(now) else { return false };
            circuit.failed(pass, now).is_some()
        };
        let others = [1, 2].map(|now| {
            let circuit = Arc::clone(&circuit);
            thread::spawn(move || fail(&circuit, at(now)))
        });
        let own = fail(&circuit, at(3));
        let others = others.map(|other| other.join().unwrap());
        let opened = usize::from(own) + others.iter().filter(|opened| **opened).count();
        assert_eq!(opened, usize::from(circuit.state() == CircuitState::Open));
        // However late the others were counted, the last one began after them.
        assert!(opened == 1 || fail(&circuit, at(4)));
    });
}

#[test]
fn a_success_that_races_a_failure_does_not_close_what_opened() {
    loom::model(|| {
        let circuit = Arc::new(Circuit::new(2, SECOND, SECOND));
        let pass = |now: u64| match circuit.enter(at(now)) {
            Entry::Ask(pass) => pass,
            other => panic!("{other:?}"),
        };
        let (first, second, third) = (pass(0), pass(2), pass(2));
        assert!(circuit.failed(first, at(1)).is_none());
        let other = Arc::clone(&circuit);
        let failure = thread::spawn(move || other.failed(second, at(3)).is_some());
        assert_eq!(circuit.succeeded(third), None);
        let opened = failure.join().unwrap();
        assert_eq!(opened, circuit.state() == CircuitState::Open);
    });
}

/// Says how many are asked at once, and answers as it is told.
#[derive(Debug, Default)]
struct Server {
    asked: AtomicUsize,
    most: usize,
    is_silent: AtomicBool,
}

#[async_trait]
impl Storage for Server {
    fn name(&self) -> &'static str {
        "server"
    }

    async fn decide(&self, _attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        assert!(self.asked.fetch_add(1, Ordering::AcqRel) < self.most);
        if self.is_silent.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
        self.asked.fetch_sub(1, Ordering::AcqRel);
        Err(StorageError::new(StorageErrorKind::Timeout, "server", "decide"))
    }

    async fn clear(&self, _key: Key<'_>) -> Result<(), StorageError> {
        Ok(())
    }

    async fn ping(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

/// Asks once; what does not answer at once is given up.
fn hit(storage: &impl Storage) -> Option<StorageErrorKind> {
    let subjects = [Subject { key: Key::from_text("ada"), rules: Cow::Borrowed(&[]), cost: 1 }];
    let attempt = Attempt { subjects: &subjects, clock: Clock::Storage, mode: Mode::Hit };
    match pin!(storage.decide(&attempt)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer.unwrap_err().kind()),
        Poll::Pending => None,
    }
}

#[test]
fn no_more_wait_for_a_storage_than_may_and_each_gives_its_place_back() {
    loom::model(|| {
        let server = Arc::new(Server { most: 2, ..Server::default() });
        let layer = InFlight::over(server, 2).unwrap();
        let others = [(); 2].map(|()| {
            let layer = layer.clone();
            thread::spawn(move || hit(&layer))
        });
        let own = hit(&layer);
        let answers = others.map(|other| other.join().unwrap()).into_iter().chain([own]);
        let refused = answers.filter(|answer| *answer == Some(StorageErrorKind::Overloaded)).count();
        assert!(refused <= 1);
        assert_eq!((layer.in_flight(), layer.refused()), (0, u64::try_from(refused).unwrap()));
    });
}

#[test]
fn who_gives_up_waiting_for_a_storage_gives_its_place_back() {
    loom::model(|| {
        let server = Arc::new(Server { most: usize::MAX, is_silent: true.into(), ..Server::default() });
        let layer = InFlight::over(server, 1).unwrap();
        let other = layer.clone();
        let other = thread::spawn(move || hit(&other));
        let own = hit(&layer);
        let answers = [own, other.join().unwrap()];
        assert!(answers.contains(&None));
        assert_eq!(layer.in_flight(), 0);
    });
}

#[test]
fn a_probe_that_is_dropped_leaves_its_place() {
    loom::model(|| {
        let server = Arc::new(Server { most: usize::MAX, ..Server::default() });
        let clock = ManualClock::new();
        let breaker = Breaker::new().failures(1).pause(Duration::from_secs(1));
        let layer = CircuitBreaker::with_clock(Arc::clone(&server), breaker, clock.clone()).unwrap();
        assert_eq!(hit(&layer), Some(StorageErrorKind::Timeout));
        assert_eq!(layer.state(), CircuitState::Open);
        clock.advance(Duration::from_secs(1));
        server.is_silent.store(true, Ordering::Relaxed);
        let other = layer.clone();
        let other = thread::spawn(move || hit(&other));
        let answers = [hit(&layer), other.join().unwrap()];
        assert!(answers.contains(&None), "nobody was let through");
        // Who was let through has gone, so the next one is.
        assert_eq!(layer.state(), CircuitState::Open);
        assert_eq!(hit(&layer), None);
    });
}
