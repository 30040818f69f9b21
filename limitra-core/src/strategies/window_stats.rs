//! What is left of a limit, and until when.

use std::time::SystemTime;

use crate::decision::Decision;

/// What is left of a limit, and the instant at which it becomes more.
///
/// | strategy | `reset_time` |
/// |---|---|
/// | `fixed-window`, `fixed-window-aligned`, `fixed-window-elastic-expiry` | the end of the window |
/// | `moving-window` | when the oldest hit in the window leaves it |
/// | `sliding-window-counter` | when the weighted count falls by the next whole unit |
/// | `token-bucket`, `leaky-bucket`, `gcra` | when the next whole unit is there |
///
/// For all of them that is the first instant at which `remaining` is greater if nobody asks for more, exact to the
/// microsecond of the storage's clock. Where nothing is used it is the instant of the question.
///
/// ```
/// use limitra_core::strategies::WindowStats;
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let stats = WindowStats { reset_time: UNIX_EPOCH + Duration::from_secs(60), remaining: 3 };
/// let (reset_time, remaining) = stats.into();
/// assert_eq!((reset_time, remaining), (stats.reset_time, 3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowStats {
    /// The first instant at which more remains; see the table.
    pub reset_time: SystemTime,
    /// Whole units left: a hit of that cost is allowed, one of a greater cost is not.
    pub remaining: u64,
}

impl WindowStats {
    /// Those of a test.
    pub(crate) fn of(decision: &Decision) -> Self {
        let frees_at = decision.binding().map(|rule| rule.frees_at().to_system_time());
        // Without a rule no instant is known, and none is to be waited for.
        Self { reset_time: frees_at.unwrap_or_else(SystemTime::now), remaining: decision.remaining() }
    }
}

impl From<WindowStats> for (SystemTime, u64) {
    /// `reset_time` and `remaining`, in Python's order.
    fn from(stats: WindowStats) -> Self {
        (stats.reset_time, stats.remaining)
    }
}
