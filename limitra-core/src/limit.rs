//! An amount per window.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use crate::error::ConfigurationError;
use crate::time::Micros;

/// At most `amount` units per window; for the buckets with an optional burst (their depth).
///
/// ```
/// use limitra_core::Limit;
/// use std::time::Duration;
///
/// let limit = Limit::new(10, Duration::from_secs(60))?;
/// assert_eq!(limit.to_string(), "10 requests per 60s");
/// assert!(Limit::new(0, Duration::from_secs(60)).is_err());
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limit {
    amount: u64,
    window: Micros,
    burst: Option<NonZeroU64>,
}

impl Limit {
    /// No limit at all: every hit is allowed and nothing is stored. For the tier that has none.
    pub const UNLIMITED: Self = Self { amount: u64::MAX, window: Micros::ZERO, burst: None };
    /// The largest amount that is counted, 2<sup>53</sup> - 1; a larger one is held at this.
    pub const MAX_AMOUNT: u64 = (1 << 53) - 1;
    /// The shortest window: 1 ms.
    pub const MIN_WINDOW: Duration = Duration::from_millis(1);
    /// The longest window: 100 years of 365.25 days.
    pub const MAX_WINDOW: Duration = Duration::from_secs(3_155_760_000);

    /// `amount` units per `window`, which is rounded to the nearest microsecond.
    ///
    /// An amount above [`Limit::MAX_AMOUNT`] is held at that: no pair of amount and window is
    /// refused for its size.
    ///
    /// # Errors
    /// [`ConfigurationError`] if the amount is 0, or the window below 1 ms or above 100 years.
    pub fn new(amount: u64, window: Duration) -> Result<Self, ConfigurationError> {
        if amount == 0 {
            return Err(ConfigurationError::ZeroAmount);
        }
        Self::closed_or(amount, window)
    }

    /// Like [`Limit::new`], but 0 is a limit too: one that refuses everything (a tier with none).
    pub(crate) fn closed_or(amount: u64, window: Duration) -> Result<Self, ConfigurationError> {
        if window < Self::MIN_WINDOW || window > Self::MAX_WINDOW {
            return Err(ConfigurationError::WindowOutOfRange { window });
        }
        let amount = amount.min(Self::MAX_AMOUNT);
        let window = Micros::from_duration(window.saturating_sub(Duration::from_nanos(499)));
        Ok(Self { amount, window, burst: None })
    }

    /// The same limit with a burst: how many units a bucket holds (default: the amount).
    ///
    /// # Errors
    /// [`ConfigurationError`] if the burst is 0, or so deep that an empty bucket would take more
    /// than 100 years to fill.
    pub fn with_burst(self, burst: u64) -> Result<Self, ConfigurationError> {
        let Some(given) = NonZeroU64::new(burst.min(Self::MAX_AMOUNT)) else {
            return Err(ConfigurationError::ZeroBurst);
        };
        if self.is_unlimited() || self.amount == 0 {
            return Ok(self);
        }
        let burst = given.get();
        let fill = u128::from(burst) * u128::from(self.window.get()) / u128::from(self.amount);
        if fill > Self::MAX_WINDOW.as_micros() {
            return Err(ConfigurationError::BurstTooDeep { burst, limit: self });
        }
        Ok(Self { burst: Some(given), ..self })
    }

    /// The same limit with a burst that is set beside it.
    pub(crate) fn with_only_burst(self, burst: u64) -> Result<Self, ConfigurationError> {
        match self.burst {
            Some(_) => Err(ConfigurationError::TwoBursts { burst, limit: self }),
            None => self.with_burst(burst),
        }
    }

    /// Units per window; [`u64::MAX`] if unlimited.
    pub const fn amount(&self) -> u64 {
        self.amount
    }

    /// The window; zero if unlimited.
    pub const fn window(&self) -> Duration {
        self.window.to_duration()
    }

    /// The burst, if one was set.
    pub const fn burst(&self) -> Option<u64> {
        match self.burst {
            Some(burst) => Some(burst.get()),
            None => None,
        }
    }

    /// Whether this is [`Limit::UNLIMITED`].
    pub const fn is_unlimited(&self) -> bool {
        self.amount == u64::MAX
    }

    /// The most units that can be spent at once: the burst if there is one, else the amount.
    pub const fn capacity(&self) -> u64 {
        match self.burst {
            Some(burst) => burst.get(),
            None => self.amount,
        }
    }

    /// The part of one of so many replicas: amount and burst divided and rounded up, at least 1. What limits nothing, or
    /// allows nothing, stays as it is.
    pub(crate) fn share(self, replicas: NonZeroU32) -> Self {
        if self.is_unlimited() {
            return self;
        }
        let replicas = NonZeroU64::from(replicas).get();
        let burst = self.burst.and_then(|burst| NonZeroU64::new(burst.get().div_ceil(replicas)));
        Self { amount: self.amount.div_ceil(replicas), burst, ..self }
    }

    /// What refuses everything for this long.
    pub(crate) const fn nothing_for(window: Micros) -> Self {
        Self { amount: 0, window, burst: None }
    }

    pub(crate) const fn window_micros(&self) -> Micros {
        self.window
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_unlimited() {
            return f.write_str("unlimited");
        }
        let plural = if self.amount == 1 { "" } else { "s" };
        write!(f, "{} request{plural} per {:?}", self.amount, self.window())?;
        match self.burst {
            Some(burst) => write!(f, " burst {burst}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Limit({self})")
    }
}
