//! What happens in an outage.

use std::fmt;
use std::time::Duration;

use super::OnOutage;
use crate::error::StorageErrorKind;

/// Something that happened in an outage: a state that changed, never a single request.
///
/// Each is told once to `LimitraConfig::on_event` and as a `tracing` event with the target `limitra`. Nothing in it names an
/// identifier: `of` is a limiter's scope, an attributed function or a strategy.
///
/// ```
/// use limitra_core::{Event, LimitraConfig};
///
/// let limitra = LimitraConfig::new()
///     .on_event(|event| match event {
///         Event::BreakerOpened { storage, .. } => eprintln!("wake somebody: {storage}"),
///         other => println!("{other}"),
///     })
///     .build()?;
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A limiter's first decision that its storage could not make.
    #[non_exhaustive]
    OutageBegan {
        /// Whose.
        of: String,
        /// The storage.
        storage: &'static str,
        /// What is answered from now on.
        policy: OnOutage,
        /// Why there was no decision.
        kind: StorageErrorKind,
        /// The storage's error in full: where a policy answers, nobody else is told it.
        cause: String,
    },
    /// The same outage goes on: told every 10 seconds at most.
    #[non_exhaustive]
    OutageGoesOn {
        /// Whose.
        of: String,
        /// The storage.
        storage: &'static str,
        /// What was answered.
        policy: OnOutage,
        /// Why there was no decision, the latest time.
        kind: StorageErrorKind,
        /// The latest error in full.
        cause: String,
        /// How many decisions the policy has answered since the outage began.
        decisions: u64,
    },
    /// A limiter's first decision that its storage made again.
    #[non_exhaustive]
    OutageEnded {
        /// Whose.
        of: String,
        /// The storage.
        storage: &'static str,
        /// What was answered.
        policy: OnOutage,
        /// How many decisions the policy answered.
        decisions: u64,
        /// From its first to its last.
        lasted: Duration,
    },
    /// A circuit breaker opened, or a probe of it failed: the storage is not asked.
    #[non_exhaustive]
    BreakerOpened {
        /// The storage.
        storage: &'static str,
        /// The failure that opened it.
        kind: StorageErrorKind,
        /// Until the next probe.
        pause: Duration,
    },
    /// A circuit breaker lets one decision through.
    #[non_exhaustive]
    BreakerHalfOpen {
        /// The storage.
        storage: &'static str,
    },
    /// A probe was answered.
    #[non_exhaustive]
    BreakerClosed {
        /// The storage.
        storage: &'static str,
    },
    /// As many decisions wait as may, and others are told at once. Told again after half of them were done.
    #[non_exhaustive]
    Overloaded {
        /// The storage.
        storage: &'static str,
        /// The bound.
        max_in_flight: usize,
    },
    /// What a local share admitted was charged to the storage: told when nothing is owed any more, and every second at most
    /// until then.
    #[non_exhaustive]
    Reconciled {
        /// The storage.
        storage: &'static str,
        /// How many charges, each of a key.
        keys: u64,
        /// How many units, of each of a key's rules.
        units: u64,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutageBegan { of, storage, policy, kind, cause } => {
                write!(f, "{storage}: no decision for `{of}` ({kind:?}), the policy is {policy}: {cause}")
            }
            Self::OutageGoesOn { of, storage, policy, kind, cause, decisions } => {
                write!(
                    f,
                    "{storage}: still no decisions for `{of}` ({kind:?}), {policy} answered {decisions}: {cause}"
                )
            }
            Self::OutageEnded { of, storage, policy, decisions, lasted } => {
                write!(
                    f,
                    "{storage}: it decides for `{of}` again; {policy} answered {decisions} in {lasted:?}"
                )
            }
            Self::BreakerOpened { storage, kind, pause } => {
                write!(f, "{storage}: it failed ({kind:?}), the circuit breaker is open for {pause:?}")
            }
            Self::BreakerHalfOpen { storage } => {
                write!(f, "{storage}: the circuit breaker lets a probe through")
            }
            Self::BreakerClosed { storage } => {
                write!(f, "{storage}: it answers again, the circuit breaker is closed")
            }
            Self::Overloaded { storage, max_in_flight } => {
                write!(f, "{storage}: {max_in_flight} decisions wait for it, more are not sent")
            }
            Self::Reconciled { storage, keys, units } => {
                write!(f, "{storage}: {units} units of {keys} keys that were admitted locally are charged")
            }
        }
    }
}
