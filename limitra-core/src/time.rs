//! Instants and lengths of time as whole microseconds.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An instant (microseconds since the Unix epoch) or a length of time (microseconds).
///
/// Microseconds are the finest unit that Lua's doubles keep exactly: every number that a decision
/// handles stays below 2<sup>53</sup>. All arithmetic saturates, at zero and at [`Micros::MAX`].
///
/// ```
/// use limitra_core::Micros;
/// use std::time::Duration;
///
/// let window = Micros::from_duration(Duration::from_millis(1500));
/// assert_eq!(window.get(), 1_500_000);
/// assert_eq!(window.to_duration(), Duration::from_millis(1500));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(u64);

impl Micros {
    /// No time at all, and the Unix epoch.
    pub const ZERO: Self = Self(0);
    /// The largest value: 2<sup>53</sup> - 1 microseconds, 285 years.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// `micros` microseconds, at most [`Micros::MAX`].
    pub const fn new(micros: u64) -> Self {
        if micros > Self::MAX.0 { Self::MAX } else { Self(micros) }
    }

    /// The microseconds.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// A length of time, rounded up to a whole microsecond.
    pub fn from_duration(duration: Duration) -> Self {
        let micros = duration.as_nanos().div_ceil(1000);
        Self::new(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// An instant, rounded down to a whole microsecond; before the epoch it is the epoch.
    pub fn from_system_time(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::new(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    /// The same length of time as a [`Duration`].
    pub const fn to_duration(self) -> Duration {
        Duration::from_micros(self.0)
    }

    /// The same instant as a [`SystemTime`].
    pub fn to_system_time(self) -> SystemTime {
        UNIX_EPOCH + self.to_duration()
    }

    /// The sum, at most [`Micros::MAX`].
    pub const fn plus(self, other: Self) -> Self {
        Self::new(self.0.saturating_add(other.0))
    }

    /// The difference, at least zero.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Debug for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us", self.0)
    }
}

/// Which clock says what time it is for one decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// The storage's own clock: a server's where there is one, else the process's.
    #[default]
    Storage,
    /// This instant, for tests and replays.
    At(Micros),
}
