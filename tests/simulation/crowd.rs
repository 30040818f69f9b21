//! An executor of one thread that lets chance choose who goes on.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use crate::random::Random;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Everybody who acts in a run. It is polled to its end where tokio's time stands still: then time goes on only when
/// nobody has anything to do.
#[derive(Clone)]
pub(crate) struct Crowd(Arc<Inner>);

struct Inner {
    /// With the act that each belongs to.
    tasks: Mutex<Vec<Option<(u64, Task)>>>,
    ready: Mutex<Vec<usize>>,
    random: Mutex<Random>,
    waker: Mutex<Waker>,
    act: AtomicU64,
}

struct Wakes {
    inner: Arc<Inner>,
    task: usize,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        let mut ready = self.inner.ready.lock().unwrap();
        if !ready.contains(&self.task) {
            ready.push(self.task);
        }
        self.inner.waker.lock().unwrap().wake_by_ref();
    }
}

impl Crowd {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Inner {
            tasks: Mutex::default(),
            ready: Mutex::default(),
            random: Mutex::new(Random::of(&[seed])),
            waker: Mutex::new(Waker::noop().clone()),
            act: AtomicU64::new(0),
        }))
    }

    /// Lets somebody in, for the sake of an act.
    pub(crate) fn spawn(&self, act: u64, future: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.tasks.lock().unwrap();
        tasks.push(Some((act, Box::pin(future))));
        self.0.ready.lock().unwrap().push(tasks.len() - 1);
    }

    /// The act for whose sake somebody runs now.
    pub(crate) fn act(&self) -> u64 {
        self.0.act.load(Ordering::SeqCst)
    }

    /// Who runs now goes on for the sake of another act.
    pub(crate) fn set_act(&self, act: u64) {
        self.0.act.store(act, Ordering::SeqCst);
    }

    /// Lets everybody go on who can; ready when all have ended.
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        self.0.waker.lock().unwrap().clone_from(context.waker());
        while let Some(number) = self.next() {
            let Some((act, mut task)) = self.0.tasks.lock().unwrap()[number].take() else { continue };
            self.0.act.store(act, Ordering::SeqCst);
            let waker = Waker::from(Arc::new(Wakes { inner: Arc::clone(&self.0), task: number }));
            if task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                self.0.tasks.lock().unwrap()[number] = Some((self.act(), task));
            }
        }
        let everybody_left = self.0.tasks.lock().unwrap().iter().all(Option::is_none);
        if everybody_left { Poll::Ready(()) } else { Poll::Pending }
    }

    fn next(&self) -> Option<usize> {
        let mut ready = self.0.ready.lock().unwrap();
        if ready.is_empty() {
            return None;
        }
        let place = self.0.random.lock().unwrap().place(ready.len());
        Some(ready.remove(place))
    }
}
