//! What is answered while a storage cannot decide.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use crate::error::ConfigurationError;
use crate::limit::Limit;
use crate::storage::options::LengthOfTime;
use crate::time::Micros;

/// What is answered while a storage cannot decide: for each limiter (`RateLimiterBuilder::on_outage`), by the attribute
/// (`on_outage = ".."`), or for all (`LimitraConfig::on_outage`, `LIMITRA_ON_OUTAGE`).
///
/// | text | policy |
/// |---|---|
/// | `error` | the storage's error; the default |
/// | `open` | allowed; the same as `fail_open` |
/// | `closed`, `closed:5s` | refused, with this `retry_after` (default: 1 s) |
/// | `local:4` | decided in this process's memory, by a fourth of each limit |
///
/// All but the error make a decision that [is degraded](crate::Decision::is_degraded). A mistake in the configuration and
/// a cost above the limit stay errors under all of them.
///
/// ```
/// use limitra_core::OnOutage;
/// use std::time::Duration;
///
/// assert_eq!("closed:500ms".parse(), OnOutage::closed(Duration::from_millis(500)));
/// assert_eq!(OnOutage::local(4)?.to_string(), "local:4");
/// let mistake = "ajar".parse::<OnOutage>().unwrap_err();
/// assert_eq!(mistake.to_string(), "unknown outage policy `ajar`; write error, open, closed, closed:5s or local:4");
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnOutage {
    /// The storage's error.
    #[default]
    Error,
    /// Allowed, without knowing any count.
    FailOpen,
    /// Refused, without knowing any count.
    Closed {
        /// What the caller is told to wait, rounded up to a microsecond.
        retry_after: Duration,
    },
    /// Decided by a share of each limit in this process's memory; see [`LocalShare`](crate::LocalShare).
    Local {
        /// How many processes share a limit: each has `amount / replicas` of it, rounded up.
        replicas: NonZeroU32,
    },
}

impl OnOutage {
    /// What a refused caller is told to wait where nothing is said.
    const RETRY_AFTER: Duration = Duration::from_secs(1);

    /// [`OnOutage::Closed`] with this `retry_after`.
    ///
    /// # Errors
    /// [`ConfigurationError`] if that is zero or above 100 years.
    pub fn closed(retry_after: Duration) -> Result<Self, ConfigurationError> {
        Self::Closed { retry_after }.checked()
    }

    /// [`OnOutage::Local`] with so many replicas.
    ///
    /// # Errors
    /// [`ConfigurationError`] if there are none.
    pub fn local(replicas: u32) -> Result<Self, ConfigurationError> {
        let replicas = NonZeroU32::new(replicas).ok_or(ConfigurationError::ZeroReplicas)?;
        Ok(Self::Local { replicas })
    }

    /// What `fail_open` stands for.
    pub(crate) const fn of_fail_open(fail_open: bool) -> Self {
        if fail_open { Self::FailOpen } else { Self::Error }
    }

    /// What one limiter says in both ways. `fail_open = false` says only that nothing is let through uncounted.
    pub(crate) fn of_both(
        on_outage: Option<Self>,
        fail_open: Option<bool>,
    ) -> Result<Option<Self>, ConfigurationError> {
        match (on_outage, fail_open) {
            (Some(on_outage), Some(fail_open)) if fail_open != (on_outage == Self::FailOpen) => {
                Err(ConfigurationError::OutagePolicies { fail_open, on_outage })
            }
            (Some(on_outage), _) => Ok(Some(on_outage)),
            (None, fail_open) => Ok(fail_open.map(Self::of_fail_open)),
        }
    }

    /// The same, if its values can be: the variants are there for everybody to make.
    pub(crate) fn checked(self) -> Result<Self, ConfigurationError> {
        match self {
            Self::Closed { retry_after } if retry_after.is_zero() || retry_after > Limit::MAX_WINDOW => {
                Err(ConfigurationError::RetryAfterOutOfRange { retry_after })
            }
            other => Ok(other),
        }
    }

    /// For how long a refusal stands.
    pub(crate) fn retry_after(retry_after: Duration) -> Micros {
        Micros::from_duration(retry_after).max(Micros::new(1))
    }
}

impl fmt::Display for OnOutage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error => f.write_str("error"),
            Self::FailOpen => f.write_str("open"),
            Self::Closed { retry_after } => write!(f, "closed:{}s", retry_after.as_secs_f64()),
            Self::Local { replicas } => write!(f, "local:{replicas}"),
        }
    }
}

impl FromStr for OnOutage {
    type Err = ConfigurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || ConfigurationError::UnknownOutagePolicy { text: text.to_owned() };
        let (name, value) = text.split_once(':').map_or((text, None), |(name, value)| (name, Some(value)));
        match (name, value) {
            ("error", None) => Ok(Self::Error),
            ("open", None) => Ok(Self::FailOpen),
            ("closed", None) => Self::closed(Self::RETRY_AFTER),
            ("closed", Some(value)) => {
                let LengthOfTime(retry_after) = value.parse().map_err(|()| unknown())?;
                Self::closed(retry_after)
            }
            ("local", Some(value)) => Self::local(value.parse().map_err(|_| unknown())?),
            _ => Err(unknown()),
        }
    }
}

/// An outage policy, or its text: what `on_outage` takes.
pub trait OutagePolicy {
    /// The policy.
    ///
    /// # Errors
    /// [`ConfigurationError`] if no policy is written so, or one of its values cannot be.
    fn on_outage(self) -> Result<OnOutage, ConfigurationError>;
}

impl OutagePolicy for OnOutage {
    fn on_outage(self) -> Result<OnOutage, ConfigurationError> {
        self.checked()
    }
}

impl OutagePolicy for &str {
    fn on_outage(self) -> Result<OnOutage, ConfigurationError> {
        self.parse()
    }
}

impl OutagePolicy for &String {
    fn on_outage(self) -> Result<OnOutage, ConfigurationError> {
        self.parse()
    }
}

impl OutagePolicy for String {
    fn on_outage(self) -> Result<OnOutage, ConfigurationError> {
        self.parse()
    }
}

#[allow(clippy::unwrap_used)] // A test that cannot go on fails.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_is_read_as_it_is_written() {
        let closed = |micros| OnOutage::Closed { retry_after: Duration::from_micros(micros) };
        for (text, policy) in [
            ("error", OnOutage::Error),
            ("open", OnOutage::FailOpen),
            ("closed", closed(1_000_000)),
            ("closed:5", closed(5_000_000)),
            ("closed:5s", closed(5_000_000)),
            ("closed:0.5", closed(500_000)),
            ("closed:250ms", closed(250_000)),
            ("local:1", OnOutage::Local { replicas: NonZeroU32::MIN }),
            ("local:4294967295", OnOutage::Local { replicas: NonZeroU32::MAX }),
        ] {
            assert_eq!(text.parse(), Ok(policy), "{text}");
            assert_eq!(policy.to_string().parse(), Ok(policy), "{policy}");
        }
    }

    #[test]
    fn what_is_no_policy_is_told() {
        for text in [
            "",
            "Open",
            "fail_open",
            "closed:",
            "closed:0",
            "closed:-1s",
            "closed:5m",
            "local",
            "local:",
            "local:x",
            "local:-1",
            "local:4294967296",
            "open:1",
            "error:",
        ] {
            let error = text.parse::<OnOutage>().unwrap_err();
            assert!(
                error.to_string().contains(&format!("unknown outage policy `{text}`")),
                "{text}: {error}"
            );
        }
        assert_eq!("local:0".parse::<OnOutage>(), Err(ConfigurationError::ZeroReplicas));
        assert!(OnOutage::closed(Duration::ZERO).is_err());
        assert!(OnOutage::closed(Duration::MAX).is_err());
        assert!("closed:1e300".parse::<OnOutage>().is_err());
    }

    #[test]
    fn fail_open_goes_only_with_a_policy_that_says_the_same() {
        let local = OnOutage::local(2).ok();
        assert_eq!(OnOutage::of_both(None, None), Ok(None));
        assert_eq!(OnOutage::of_both(None, Some(true)), Ok(Some(OnOutage::FailOpen)));
        assert_eq!(OnOutage::of_both(Some(OnOutage::FailOpen), Some(true)), Ok(Some(OnOutage::FailOpen)));
        assert_eq!(OnOutage::of_both(local, Some(false)), Ok(local));
        assert!(OnOutage::of_both(local, Some(true)).is_err());
        let error = OnOutage::of_both(Some(OnOutage::FailOpen), Some(false)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "fail_open = false and on_outage = \"open\" contradict each other; leave out `fail_open`"
        );
    }
}
