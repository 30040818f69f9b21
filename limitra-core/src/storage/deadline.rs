//! How long a server may take.

use std::time::Duration;

use crate::error::ConfigurationError;

/// The deadline that was given, or the usual one. One of no time at all would make every decision an outage.
pub(crate) fn deadline(
    what: &'static str,
    given: Option<Duration>,
    usual: Duration,
) -> Result<Duration, ConfigurationError> {
    match given {
        Some(Duration::ZERO) => Err(ConfigurationError::ZeroDeadline { what }),
        given => Ok(given.unwrap_or(usual)),
    }
}
