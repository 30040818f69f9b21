//! A limit as people write it.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::{self, Write as _};
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::time::Duration;

use crate::error::ConfigurationError;
use crate::granularity::Granularity;
use crate::identifier::Identifier;
use crate::key;
use crate::limit::Limit;
use crate::notation;
use crate::number::Amount;

/// A limit as people write it: an amount per so many seconds, minutes or other [granularities](Granularity), for
/// the buckets with an optional burst. What Python `limits` calls `RateLimitItem`.
///
/// It is a [`Limit`] that remembers how it was written, and becomes one with `into()`. It is read from its
/// [notation](crate::parse) with `parse()`, and shown in it.
///
/// Limits are equal, have equal hashes and are ordered by granularity, multiples, amount and burst, in that
/// order. So `60 per 60 second` and `60 per 1 minute` differ, although they allow the same. The namespace is a label
/// for keys and takes no part: not in equality, hash or order, and not in the text. With the feature `serde` it is
/// written and read as its text.
///
/// ```
/// use limitra_core::{Limit, RateLimit};
/// use std::time::Duration;
///
/// let limit = RateLimit::per_hour(10)?.every(2)?;
/// assert_eq!(limit.to_string(), "10 per 2 hour");
/// assert_eq!(limit, "10/2hours".parse()?);
/// assert_eq!(limit.expiry(), Duration::from_secs(7_200));
/// assert_eq!(limit.key_for(["search", "ada"]), "LIMITER/search/ada/10/2/hour");
/// assert_eq!(Limit::from(limit), Limit::new(10, Duration::from_secs(7_200))?);
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[doc(alias = "RateLimitItem")]
#[derive(Clone)]
pub struct RateLimit {
    limit: Limit,
    multiples: u64,
    granularity: Granularity,
    namespace: Cow<'static, str>,
}

macro_rules! per {
    ($($name:ident, $granularity:ident, $item:literal, $what:literal;)*) => {$(
        #[doc = concat!("`amount` per ", $what, ".")]
        ///
        /// # Errors
        /// [`ConfigurationError`] if the amount is 0, negative or beyond a `u64`.
        #[doc(alias = $item)]
        pub fn $name(amount: impl Amount) -> Result<Self, ConfigurationError> {
            Self::new(amount, 1_u64, Granularity::$granularity)
        }
    )*};
}

impl RateLimit {
    /// The namespace of limits that were given none.
    pub const DEFAULT_NAMESPACE: &'static str = "LIMITER";

    per! {
        per_second, Second, "RateLimitItemPerSecond", "second";
        per_minute, Minute, "RateLimitItemPerMinute", "minute";
        per_hour, Hour, "RateLimitItemPerHour", "hour";
        per_day, Day, "RateLimitItemPerDay", "day";
        per_week, Week, "RateLimitItemPerWeek", "week";
        per_month, Month, "RateLimitItemPerMonth", "month of 30 days";
        per_year, Year, "RateLimitItemPerYear", "year of 360 days";
    }

    /// `amount` per `multiples` of `granularity`.
    ///
    /// An amount above [`Limit::MAX_AMOUNT`] is held at that.
    ///
    /// # Errors
    /// [`ConfigurationError`] if the amount or the multiples are 0, negative or beyond a `u64`, or if the window is above
    /// 100 years.
    pub fn new(
        amount: impl Amount,
        multiples: impl Amount,
        granularity: Granularity,
    ) -> Result<Self, ConfigurationError> {
        let amount =
            amount.amount().map_err(|value| ConfigurationError::NotAnAmount { what: "amount", value })?;
        let multiples = counted(multiples)?;
        let limit = Limit::new(amount, window(multiples, granularity)?)?;
        Ok(Self { limit, multiples, granularity, namespace: Cow::Borrowed(Self::DEFAULT_NAMESPACE) })
    }

    /// The same per `multiples` of its granularity: `per_hour(10)?.every(2)?` is 10 per 2 hours.
    ///
    /// # Errors
    /// [`ConfigurationError`] if they are 0, negative or beyond a `u64`, if the window is above 100 years, or if the
    /// burst would then take more than 100 years to fill.
    #[doc(alias = "multiples")]
    pub fn every(self, multiples: impl Amount) -> Result<Self, ConfigurationError> {
        let multiples = counted(multiples)?;
        let limit = Limit::new(self.amount(), window(multiples, self.granularity)?)?;
        let limit = match self.burst() {
            Some(burst) => limit.with_burst(burst)?,
            None => limit,
        };
        Ok(Self { limit, multiples, ..self })
    }

    /// The same with a burst: how many units a bucket holds (default: the amount).
    ///
    /// # Errors
    /// [`ConfigurationError`] if it is 0, negative or beyond a `u64`, or if an empty bucket would take more than
    /// 100 years to fill.
    pub fn with_burst(self, burst: impl Amount) -> Result<Self, ConfigurationError> {
        let burst =
            burst.amount().map_err(|value| ConfigurationError::NotAnAmount { what: "burst", value })?;
        Ok(Self { limit: self.limit.with_burst(burst)?, ..self })
    }

    /// The same in another namespace, the first field of its keys.
    pub fn with_namespace(self, namespace: impl Into<Cow<'static, str>>) -> Self {
        Self { namespace: namespace.into(), ..self }
    }

    /// Units per window.
    pub const fn amount(&self) -> u64 {
        self.limit.amount()
    }

    /// How many granularities the window is long.
    pub const fn multiples(&self) -> u64 {
        self.multiples
    }

    /// The unit of the window.
    pub const fn granularity(&self) -> Granularity {
        self.granularity
    }

    /// The burst, if one was set.
    pub const fn burst(&self) -> Option<u64> {
        self.limit.burst()
    }

    /// The namespace: [`RateLimit::DEFAULT_NAMESPACE`] unless another was given.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The window: the granularity times the multiples.
    #[doc(alias = "get_expiry")]
    pub const fn expiry(&self) -> Duration {
        self.limit.window()
    }

    /// A key of this limit and these identifiers: namespace, identifiers, amount, multiples and granularity,
    /// separated by `/`; behind them `burst` and the burst, if there is one.
    ///
    /// Two keys are equal only if namespace, limit and every identifier are (up to a 128-bit digest's collision):
    /// a `/` in an identifier stands as `%2F`, and the rest is escaped as in [`Key`](crate::Key). An empty
    /// identifier is empty.
    ///
    /// ```
    /// use limitra_core::{Identifier, RateLimit};
    ///
    /// let limit = RateLimit::per_minute(10)?;
    /// assert_eq!(limit.key_for([Identifier::from("a"), Identifier::from(7)]), "LIMITER/a/7/10/1/minute");
    /// assert_eq!(limit.key_for(["a/b", "c"]), "LIMITER/a%2Fb/c/10/1/minute");
    /// assert_eq!(limit.key_for([""; 0]), "LIMITER/10/1/minute");
    /// # Ok::<(), limitra_core::ConfigurationError>(())
    /// ```
    pub fn key_for<'a, I>(&self, identifiers: impl IntoIterator<Item = I>) -> String
    where
        I: Into<Identifier<'a>>,
    {
        let mut key = key::path_field(self.namespace.as_bytes());
        for identifier in identifiers {
            key.push('/');
            key.push_str(&key::path_field(identifier.into().as_bytes()));
        }
        // Writing to a string cannot fail.
        let _infallible = write!(key, "/{}/{}/{}", self.amount(), self.multiples, self.granularity);
        if let Some(burst) = self.burst() {
            let _infallible = write!(key, "/burst/{burst}");
        }
        key
    }

    fn rank(&self) -> (Granularity, u64, u64, Option<u64>) {
        (self.granularity, self.multiples, self.amount(), self.burst())
    }
}

fn counted(multiples: impl Amount) -> Result<u64, ConfigurationError> {
    match multiples.amount() {
        Ok(0) => Err(ConfigurationError::ZeroMultiples),
        Ok(multiples) => Ok(multiples),
        Err(value) => Err(ConfigurationError::NotAnAmount { what: "multiples", value }),
    }
}

fn window(multiples: u64, granularity: Granularity) -> Result<Duration, ConfigurationError> {
    let window = granularity.length().get().checked_mul(multiples).map(Duration::from_micros);
    let window = window.filter(|window| *window <= Limit::MAX_WINDOW);
    window.ok_or(ConfigurationError::WindowTooLong { multiples, granularity })
}

impl PartialEq for RateLimit {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for RateLimit {}

impl Hash for RateLimit {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
    }
}

impl Ord for RateLimit {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for RateLimit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {} {}", self.amount(), self.multiples, self.granularity)?;
        match self.burst() {
            Some(burst) => write!(f, " burst {burst}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RateLimit({self})")
    }
}

impl FromStr for RateLimit {
    type Err = ConfigurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        notation::parse(text)
    }
}

impl From<RateLimit> for Limit {
    fn from(limit: RateLimit) -> Self {
        limit.limit
    }
}

impl From<&RateLimit> for Limit {
    fn from(limit: &RateLimit) -> Self {
        limit.limit
    }
}

#[cfg(feature = "serde")]
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl serde::Serialize for RateLimit {
    /// Its text: `"10 per 2 hour"`.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl<'de> serde::Deserialize<'de> for RateLimit {
    /// From any notation of one limit: `"10/2h"`.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;

    type Made = Result<RateLimit, ConfigurationError>;

    fn made(limit: Made) -> RateLimit {
        limit.expect("a limit")
    }

    #[test]
    fn a_month_has_30_days_and_a_year_360() {
        for (limit, seconds) in [
            (RateLimit::per_second(10), 1),
            (RateLimit::per_minute(10), 60),
            (RateLimit::per_hour(10), 3_600),
            (RateLimit::per_day(10), 86_400),
            (RateLimit::per_week(10), 604_800),
            (RateLimit::per_month(10), 2_592_000),
            (RateLimit::per_year(10), 31_104_000),
        ] {
            let limit = made(limit);
            assert_eq!(limit.expiry().as_secs(), seconds);
            assert_eq!(made(limit.every(3)).expiry().as_secs(), 3 * seconds);
        }
    }

    #[test]
    fn two_keys_are_equal_only_if_all_of_their_parts_are() {
        let limit = made(RateLimit::per_minute(10));
        let burst = made(limit.clone().with_burst(1));
        let keys = [
            limit.key_for([""; 0]),
            limit.key_for([""]),
            limit.key_for(["", ""]),
            limit.key_for(["a/b", "c"]),
            limit.key_for(["a", "b/c"]),
            limit.key_for(["a", "b", "c"]),
            limit.key_for(["a%2Fb", "c"]),
            limit.key_for(["10", "1", "minute"]),
            limit.key_for(["10", "1", "minute", "burst"]),
            limit.key_for([&b"\xff"[..]]),
            limit.key_for(["%FF"]),
            limit.key_for(["/".repeat(200)]),
            limit.key_for(["/".repeat(201)]),
            burst.key_for([""; 0]),
            made(RateLimit::per_minute(1)).key_for(["10", "1", "minute", "burst"]),
            limit.clone().with_namespace("LIMITER/a").key_for([""; 0]),
            limit.clone().with_namespace("").key_for([""; 0]),
        ];
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len(), "{keys:#?}");
        assert_eq!(keys[1], "LIMITER//10/1/minute", "as Python `limits` writes it");
        assert_eq!(burst.key_for(["a"]), "LIMITER/a/10/1/minute/burst/1");
    }

    #[test]
    fn equality_hash_and_order_agree() {
        let minute = made(RateLimit::per_minute(60));
        let limits = [
            minute.clone(),
            minute.clone().with_namespace("another"),
            made(RateLimit::new(60, 60, Granularity::Second)),
            made(RateLimit::per_minute(61)),
            made(minute.clone().with_burst(60)),
            made(minute.clone().every(2)),
            made(RateLimit::new(1, 90, Granularity::Second)),
        ];
        assert_eq!(limits[0], limits[1], "the namespace takes no part");
        assert_ne!(limits[0], limits[2], "60 per 60 second is written otherwise");
        assert!(limits[6] < limits[0], "the granularity comes first");
        for one in &limits {
            for other in &limits {
                assert_eq!(one == other, one.cmp(other).is_eq());
                assert_eq!(one.cmp(other), other.cmp(one).reverse());
            }
        }
        assert_eq!(limits.iter().collect::<HashSet<_>>().len(), limits.len() - 1);
        assert_eq!(limits.iter().collect::<BTreeSet<_>>().len(), limits.len() - 1);
    }

    #[cfg(feature = "serde")]
    #[test]
    fn a_limit_in_a_settings_file_is_its_text() {
        let limit: RateLimit = serde_json::from_str(r#""10/2h burst 5""#).expect("a limit");
        assert_eq!(serde_json::to_string(&limit).expect("text"), r#""10 per 2 hour burst 5""#);
        let error = serde_json::from_str::<RateLimit>(r#""10/hr""#).expect_err("no unit");
        assert!(error.to_string().contains("column 4"), "{error}");
    }

    #[test]
    fn a_limit_that_cannot_be_is_named_with_its_remedy() {
        let year = || made(RateLimit::per_year(1));
        for (limit, message) in [
            (RateLimit::per_day(0), "an amount of 0 would refuse every request; give at least 1"),
            (RateLimit::per_day(-1), "amount must be a whole number from 1 to 2^53 - 1, not -1"),
            (year().every(0), "0 times a unit is no window; give at least 1, or leave the multiple out"),
            (year().every(-2), "multiples must be a whole number from 1 to 2^53 - 1, not -2"),
            (year().every(102), "a window of 102 year is out of range; give one of at most 100 years"),
            (
                year().every(u64::MAX),
                "a window of 18446744073709551615 year is out of range; give one of at most 100 years",
            ),
            (
                year().with_burst(0),
                "a burst of 0 would refuse every request; give at least 1, or leave it out",
            ),
        ] {
            assert_eq!(limit.expect_err(message).to_string(), message);
        }
        let too_deep = year().with_burst(101).and_then(|limit| limit.every(2));
        assert!(matches!(too_deep, Err(ConfigurationError::BurstTooDeep { .. })), "{too_deep:?}");
        assert_eq!(made(RateLimit::per_second(u64::MAX)).amount(), Limit::MAX_AMOUNT);
    }
}
