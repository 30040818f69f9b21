//! Numbers as users write them: amounts and lengths of time of any number type.

use std::time::Duration;

use crate::error::{ConfigurationError, Number};

/// Anything that an amount, a cost or a burst can be written as: every integer type.
pub trait Amount {
    /// The amount.
    ///
    /// # Errors
    /// The number itself, if it is negative or beyond a `u64`.
    fn amount(self) -> Result<u64, Number>;
}

/// Anything that a window can be written as: a [`Duration`], or seconds of every number type.
pub trait Seconds {
    /// The length of time, rounded to the nearest microsecond.
    ///
    /// # Errors
    /// The number itself, if it is zero, negative, not finite or too large.
    fn seconds(self) -> Result<Duration, Number>;
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl Amount for $integer {
            fn amount(self) -> Result<u64, Number> {
                u64::try_from(self).map_err(|_| number(self))
            }
        }

        impl Seconds for $integer {
            fn seconds(self) -> Result<Duration, Number> {
                match u64::try_from(self) {
                    Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
                    _ => Err(number(self)),
                }
            }
        }

        impl Amount for &$integer {
            fn amount(self) -> Result<u64, Number> {
                (*self).amount()
            }
        }

        impl Seconds for &$integer {
            fn seconds(self) -> Result<Duration, Number> {
                (*self).seconds()
            }
        }
    )*};
}

integers! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize }

fn number<I: TryInto<i128> + TryInto<u128> + Copy>(integer: I) -> Number {
    match TryInto::<i128>::try_into(integer) {
        Ok(number) => Number::Integer(number),
        Err(_) => Number::Huge(integer.try_into().unwrap_or(u128::MAX)),
    }
}

impl Seconds for f64 {
    fn seconds(self) -> Result<Duration, Number> {
        // `try_from_secs_f64` refuses what is negative, not a number or too large.
        let nearest = Duration::try_from_secs_f64(self).ok().and_then(to_nearest_micro);
        nearest.ok_or(Number::Float(self))
    }
}

impl Seconds for f32 {
    fn seconds(self) -> Result<Duration, Number> {
        f64::from(self).seconds()
    }
}

impl Seconds for Duration {
    fn seconds(self) -> Result<Duration, Number> {
        if self.is_zero() { Err(Number::Integer(0)) } else { Ok(self) }
    }
}

impl Seconds for &Duration {
    fn seconds(self) -> Result<Duration, Number> {
        (*self).seconds()
    }
}

/// `None` if that is nothing, or beyond a `u64`.
fn to_nearest_micro(duration: Duration) -> Option<Duration> {
    let micros = u64::try_from((duration.as_nanos() + 500) / 1000).ok()?;
    (micros > 0).then(|| Duration::from_micros(micros))
}

/// `what` as an amount of at least 1.
pub(crate) fn amount(what: &'static str, value: impl Amount) -> Result<u64, ConfigurationError> {
    match value.amount() {
        Ok(0) => Err(ConfigurationError::NotAnAmount { what, value: Number::Integer(0) }),
        Ok(amount) => Ok(amount),
        Err(value) => Err(ConfigurationError::NotAnAmount { what, value }),
    }
}

/// `what` as a length of time.
pub(crate) fn seconds(what: &'static str, value: impl Seconds) -> Result<Duration, ConfigurationError> {
    value.seconds().map_err(|value| ConfigurationError::NotAWindow { what, value })
}
