//! Decisions that wait for a connection and go together.

use std::collections::{HashMap, VecDeque};
use std::sync::PoisonError;
use std::time::Duration;

use foldhash::fast::FixedState;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::ask::Ask;
use super::failure::Failed;
use crate::attempt::Outcome;
use crate::sync::Mutex;

/// The most decisions that go together: a server answers nobody else meanwhile, for about half a millisecond.
pub(super) const BATCH: usize = 128;
/// As many go together even where that is more than half of those who wait: a command has a price of its own.
const SMALL: usize = 32;
/// Room for more than so many who wait is not kept when nobody does.
const KEPT: usize = 16 * BATCH;
/// How many commands are under way before decisions wait: one that the server runs, and one that is on its way.
const FLIGHTS: usize = 2;

/// The decisions of one connection that wait until a command comes back; then the first ones go together.
///
/// Nobody waits where fewer than [`FLIGHTS`] commands are under way, and wherever somebody waits, so many are: each that
/// lands takes its share of those who wait with it. So no timer holds anybody back, and a decision alone goes at once.
#[derive(Default)]
pub(super) struct Queue {
    lanes: Mutex<Lanes>,
}

/// By what must be the same for records that one command names: a cluster's slot.
#[derive(Default)]
struct Lanes {
    by_number: HashMap<u16, Lane, FixedState>,
    /// Nothing that is sent by this connection would arrive.
    is_closed: bool,
}

#[derive(Default)]
struct Lane {
    flights: usize,
    waiting: VecDeque<Waiting>,
}

/// A decision that waits. Its caller may have left.
pub(super) struct Waiting {
    pub(super) ask: Ask,
    pub(super) answer: oneshot::Sender<Answer>,
    since: Instant,
}

/// What becomes of a decision that waited.
pub(super) type Answer = Result<Outcome, Unanswered>;

/// Why there is no answer to a decision that waited.
pub(super) enum Unanswered {
    /// It was not sent, for the connection was lost before.
    Unsent(Ask),
    /// The server would not run the command for all, and has run nothing.
    Refused(Ask),
    Failed(Failed),
}

/// What a decision does.
pub(super) enum Turn {
    /// It goes at once.
    Now(Ask),
    /// It waits for its answer.
    Later(oneshot::Receiver<Answer>),
}

impl Queue {
    /// Takes off, if there is room, or else waits.
    pub(super) fn turn(&self, lane: u16, ask: Ask, since: Instant) -> Turn {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.is_closed {
            return Turn::Now(ask);
        }
        let lane = lanes.by_number.entry(lane).or_default();
        if lane.flights < FLIGHTS {
            lane.flights += 1;
            return Turn::Now(ask);
        }
        let (answer, answered) = oneshot::channel();
        lane.waiting.push_back(Waiting { ask, answer, since });
        Turn::Later(answered)
    }

    /// A command has landed; another one takes off in its place with those that are returned, if any wait.
    pub(super) fn land(&self, number: u16) -> Vec<Waiting> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lane) = lanes.by_number.get_mut(&number) else {
            return Vec::new();
        };
        // One that went past others is not followed.
        let batch = if lane.flights > FLIGHTS { Vec::new() } else { lane.first(lane.share()) };
        if batch.is_empty() {
            lane.flights = lane.flights.saturating_sub(1);
            if lane.flights == 0 {
                lanes.by_number.remove(&number);
            }
        }
        batch
    }

    /// Whoever has waited for so long takes off past those under way, with those that wait: a server may be far, and a
    /// caller under way may be one that nobody polls.
    pub(super) fn pass(&self, number: u16, patience: Duration) -> Vec<Waiting> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lane) = lanes.by_number.get_mut(&number) else {
            return Vec::new();
        };
        if lane.waiting.front().is_none_or(|first| first.since.elapsed() < patience) {
            return Vec::new();
        }
        let batch = lane.first(BATCH);
        lane.flights += usize::from(!batch.is_empty());
        batch
    }

    /// The connection is lost: who waits is told so, and nobody waits here any more.
    pub(super) fn close(&self) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.is_closed = true;
        let left = std::mem::take(&mut lanes.by_number);
        drop(lanes);
        for waiting in left.into_values().flat_map(|lane| lane.waiting) {
            // A caller that has left needs no answer.
            let _ = waiting.answer.send(Err(Unanswered::Unsent(waiting.ask)));
        }
    }
}

impl Lane {
    /// How many go together: what waits is left in part for the next flight. If one took all, the server would idle while
    /// they are told their answers, and then they while it runs the next.
    fn share(&self) -> usize {
        (self.waiting.len() / 2).clamp(SMALL, BATCH)
    }

    /// The first of those that wait and have not left, so many at most.
    fn first(&mut self, most: usize) -> Vec<Waiting> {
        let mut batch = Vec::with_capacity(most.min(self.waiting.len()));
        while batch.len() < most {
            let Some(waiting) = self.waiting.pop_front() else { break };
            if !waiting.answer.is_closed() {
                batch.push(waiting);
            }
        }
        if self.waiting.is_empty() && self.waiting.capacity() > KEPT {
            self.waiting = VecDeque::new();
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test that cannot go on fails.

    use std::borrow::Cow;

    use smallvec::SmallVec;

    use super::*;
    use crate::algorithm::Algorithm;
    use crate::attempt::{Attempt, Mode, Subject};
    use crate::key::Key;
    use crate::limit::Limit;
    use crate::rule::Rule;
    use crate::storage::key_prefix::KeyPrefix;
    use crate::time::{Clock, Micros};

    const LANE: u16 = 0;

    fn turn(queue: &Queue) -> Option<oneshot::Receiver<Answer>> {
        let rule = Rule::new(Algorithm::Gcra, Limit::new(1, Duration::from_secs(60)).unwrap()).unwrap();
        let subjects = [Subject { key: Key::from_text("ada"), rules: Cow::Borrowed(&[rule]), cost: 1 }];
        let attempt = Attempt { subjects: &subjects, clock: Clock::Storage, mode: Mode::Hit };
        match queue.turn(LANE, Ask::of(&attempt, &KeyPrefix::default()).unwrap(), Instant::now()) {
            Turn::Now(_) => None,
            Turn::Later(answer) => Some(answer),
        }
    }

    /// A queue with two commands under way and so many who wait.
    fn queue_of(count: usize) -> (Queue, Vec<oneshot::Receiver<Answer>>) {
        let queue = Queue::default();
        assert!(turn(&queue).is_none() && turn(&queue).is_none());
        let waiting = (0..count).map(|_| turn(&queue).unwrap()).collect();
        (queue, waiting)
    }

    #[test]
    fn half_of_those_who_wait_go_together_but_no_few_and_no_crowd() {
        for (count, flights) in [
            (1, &[1][..]),
            (32, &[32]),
            (63, &[32, 31]),
            (200, &[100, 50, 32, 18]),
            (400, &[128, 128, 72, 36, 32, 4]),
        ] {
            let (queue, _waiting) = queue_of(count);
            let taken: Vec<usize> = flights.iter().map(|_| queue.land(LANE).len()).collect();
            assert_eq!(taken, flights, "of {count}");
            assert!(queue.land(LANE).is_empty(), "of {count}");
        }
    }

    #[test]
    fn who_came_first_goes_first() {
        let (queue, mut waiting) = queue_of(100);
        for waiting in queue.land(LANE) {
            let _ = waiting.answer.send(Ok(Outcome::new(Micros::default(), SmallVec::new())));
        }
        let answered: Vec<bool> = waiting.iter_mut().map(|answer| answer.try_recv().is_ok()).collect();
        assert_eq!(answered, [vec![true; 50], vec![false; 50]].concat());
    }

    #[test]
    fn the_room_of_a_crowd_is_not_kept() {
        let (queue, waiting) = queue_of(100_000);
        drop(waiting);
        queue.land(LANE);
        let _next = turn(&queue);
        let lanes = queue.lanes.lock().unwrap();
        assert!(lanes.by_number.values().all(|lane| lane.waiting.capacity() <= KEPT));
    }

    #[test]
    fn all_who_waited_too_long_go_past_together() {
        let (queue, _waiting) = queue_of(100);
        assert_eq!(queue.pass(LANE, Duration::ZERO).len(), 100);
    }
}
