//! Decisions on several subjects at once.

use crate::charge::{Charge, Charges};
use crate::decision::Decision;
use crate::error::Error;

/// [`check_all`](crate::check_all) for code without an async runtime: all subjects or none.
///
/// ```
/// use limitra_core::{Error, MemoryStorage, RateLimiter, blocking};
///
/// let memory = MemoryStorage::new();
/// let user = RateLimiter::builder().requests(10).window(60).storage(&memory).build()?.blocking();
/// let tenant =
///     RateLimiter::builder().requests(1).window(60).scope("tenant").storage(&memory).build()?.blocking();
///
/// assert!(blocking::check_all([user.of("ada"), tenant.of("acme")])?.is_allowed());
/// assert!(!blocking::check_all([user.of("ada"), tenant.of("acme")])?.is_allowed());
/// assert_eq!(user.usage("ada")?.count, 1);
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// As [`check_all`](crate::check_all).
pub fn check_all<'a>(charges: impl IntoIterator<Item = Charge<'a>>) -> Result<Decision, Error> {
    let charges: Charges<'a> = charges.into_iter().collect();
    let (desk, pending) = charges.ask()?;
    let Some(desk) = desk else {
        return Ok(Decision::unlimited());
    };
    Ok(super::answer(&desk, pending)?.of_scopes(charges.scopes()))
}

/// [`give_back_all`](crate::give_back_all) for code without an async runtime.
///
/// ```
/// use limitra_core::{Error, MemoryStorage, RateLimiter, blocking};
///
/// let memory = MemoryStorage::new();
/// let user = RateLimiter::builder().requests(1).window(60).storage(&memory).build()?.blocking();
/// let tenant =
///     RateLimiter::builder().requests(1).window(60).scope("tenant").storage(&memory).build()?.blocking();
///
/// let decision = blocking::check_all([user.of("ada"), tenant.of("acme")])?;
/// assert!(blocking::give_back_all([user.of("ada"), tenant.of("acme")], decision)?);
/// assert!(blocking::check_all([user.of("ada"), tenant.of("acme")])?.is_allowed());
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// As [`give_back_all`](crate::give_back_all).
#[allow(clippy::needless_pass_by_value)] // It is given back once.
pub fn give_back_all<'a>(
    charges: impl IntoIterator<Item = Charge<'a>>,
    decision: Decision,
) -> Result<bool, Error> {
    let charges: Charges<'a> = charges.into_iter().collect();
    match charges.return_charge(&decision)? {
        (Some(desk), returning) => super::returned(&desk, returning),
        (None, _) => Ok(false),
    }
}
