//! Timing an operation that takes nanoseconds.

use std::future::Future;
use std::pin::pin;
use std::sync::Barrier;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Instant;

/// How many nanoseconds one operation takes a thread, with so many threads at it; each makes `count` of them.
pub(crate) fn nanoseconds<O: FnMut()>(
    threads: usize,
    count: usize,
    operation_of: impl Fn(usize) -> O + Sync,
) -> f64 {
    let timed = |thread: usize, barrier: &Barrier| {
        let mut operation = operation_of(thread);
        barrier.wait();
        let from = Instant::now();
        for _ in 0..count {
            operation();
        }
        from.elapsed().as_secs_f64()
    };
    let barrier = Barrier::new(threads);
    let seconds: f64 = if threads == 1 {
        timed(0, &barrier)
    } else {
        thread::scope(|scope| {
            let (timed, barrier) = (&timed, &barrier);
            let running: Vec<_> =
                (0..threads).map(|thread| scope.spawn(move || timed(thread, barrier))).collect();
            running.into_iter().map(|thread| thread.join().unwrap()).sum()
        })
    };
    seconds * 1e9 / (threads * count) as f64
}

/// What a future is worth at its first poll: a decision on memory never waits. Where it is called, as an `.await` would be.
#[allow(clippy::inline_always)]
#[inline(always)]
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a decision on memory waits"),
    }
}
