//! The memory storage's own clock: it starts at the system's time and never goes back.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, SystemTime};

use crate::clock::ManualClock;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::time::Micros;

/// The process's clock, calibrated once: that costs some microseconds, at times milliseconds.
static PROCESS: OnceLock<quanta::Clock> = OnceLock::new();

/// Microseconds since it began.
pub(super) struct OwnClock {
    began: Micros,
    source: Source,
}

// With a number of its own: one in the gaps of another's takes longer to look at.
#[repr(u8)]
enum Source {
    /// The processor's counter where it is steady, else the system's monotonic clock.
    Precise(Precise),
    /// What a thread of the storage's own wrote last.
    Coarse(Ticker),
    /// A clock that a test sets, and the latest instant that it showed.
    Manual(ManualClock, AtomicU64),
}

impl OwnClock {
    pub(super) fn precise() -> Self {
        Self { began: SystemTime::now().into(), source: Source::Precise(Precise::new()) }
    }

    /// A clock that a thread moves on every `resolution`.
    pub(super) fn coarse(resolution: Duration) -> std::io::Result<Self> {
        Ok(Self { began: SystemTime::now().into(), source: Source::Coarse(Ticker::start(resolution)?) })
    }

    pub(super) fn manual(clock: ManualClock) -> Self {
        let began = clock.now();
        Self { began, source: Source::Manual(clock, AtomicU64::new(0)) }
    }

    /// When it began.
    pub(super) const fn began(&self) -> Micros {
        self.began
    }

    /// Microseconds since then.
    #[inline]
    pub(super) fn elapsed(&self) -> u64 {
        match &self.source {
            Source::Precise(clock) => clock.elapsed(),
            Source::Coarse(ticker) => ticker.face.elapsed.load(Ordering::Relaxed),
            Source::Manual(clock, latest) => {
                let shown = clock.now().minus(self.began).get();
                latest.fetch_max(shown, Ordering::SeqCst).max(shown)
            }
        }
    }

    pub(super) fn now(&self) -> Micros {
        self.began.plus(Micros::new(self.elapsed()))
    }
}

impl fmt::Debug for OwnClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source {
            Source::Precise(_) => "precise",
            Source::Coarse(_) => "coarse",
            Source::Manual(..) => "manual",
        })
    }
}

struct Precise {
    clock: quanta::Clock,
    began: u64,
    /// Microseconds of a tick, over 2^64.
    scale: u64,
}

impl Precise {
    fn new() -> Self {
        /// A day or two, so that the scale is exact to some 2^-50.
        const TICKS: u32 = 48;
        let clock = PROCESS.get_or_init(quanta::Clock::new).clone();
        let nanos = u128::from(clock.delta_as_nanos(0, 1 << TICKS));
        // A tick that takes longer than a microsecond would not fit; there is no such clock.
        let scale = u64::try_from((nanos << (64 - TICKS)) / 1000).unwrap_or(u64::MAX);
        let began = clock.raw();
        Self { clock, began, scale }
    }

    #[inline]
    fn elapsed(&self) -> u64 {
        let ticks = self.clock.raw().saturating_sub(self.began);
        u64::try_from((u128::from(ticks) * u128::from(self.scale)) >> 64).unwrap_or_default()
    }
}

/// The thread that moves a coarse clock on; it ends with it.
struct Ticker {
    face: Arc<Face>,
    thread: Thread,
}

/// What a coarse clock shows, alone in its cache line.
#[repr(align(128))]
struct Face {
    elapsed: AtomicU64,
}

impl Ticker {
    fn start(resolution: Duration) -> std::io::Result<Self> {
        let face = Arc::new(Face { elapsed: AtomicU64::new(0) });
        let shown = Arc::downgrade(&face);
        let clock = Precise::new();
        let thread = thread::Builder::new()
            .name("limitra-clock".to_owned())
            .spawn(move || tick(&clock, &shown, resolution))?
            .thread()
            .clone();
        Ok(Self { face, thread })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.face = Arc::new(Face { elapsed: AtomicU64::new(0) });
        self.thread.unpark();
    }
}

fn tick(clock: &Precise, shown: &Weak<Face>, resolution: Duration) {
    while let Some(face) = shown.upgrade() {
        face.elapsed.store(clock.elapsed(), Ordering::Relaxed);
        drop(face);
        thread::park_timeout(resolution);
    }
}
