//! How long a server may take.

use std::time::Duration;

use crate::error::ConfigurationError;
use crate::limit::Limit;

/// Longer than anybody waits, and no instant is so late that it cannot be added to.
const LONGEST: Duration = Limit::MAX_WINDOW;

/// The deadline that was given, or the usual one. One of no time at all would make every decision an outage; one of more
/// than a century is a century.
pub(crate) fn deadline(
    what: &'static str,
    given: Option<Duration>,
    usual: Duration,
) -> Result<Duration, ConfigurationError> {
    match given {
        Some(Duration::ZERO) => Err(ConfigurationError::ZeroDeadline { what }),
        given => Ok(given.unwrap_or(usual).min(LONGEST)),
    }
}
