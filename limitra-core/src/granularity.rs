//! The units of time that limits are written in.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use crate::error::ConfigurationError;
use crate::limit::Limit;
use crate::time::Micros;

/// The longest name that can be registered.
const LONGEST_NAME: usize = 32;

/// What users have registered, for the life of the process.
static REGISTERED: RwLock<Vec<RegisteredGranularity>> = RwLock::new(Vec::new());

/// A unit of time that limits are written in: a built-in one, or one that was [registered](Granularity::register).
///
/// A month is 30 days and a year 360, as in Python `limits`. They are ordered by their length, then by
/// their name.
///
/// ```
/// use limitra_core::Granularity;
/// use std::time::Duration;
///
/// assert_eq!(Granularity::Year.duration(), Duration::from_secs(360 * 86_400));
/// assert_eq!("minutes".parse(), Ok(Granularity::Minute));
/// assert_eq!("m".parse(), Ok(Granularity::Minute));
/// assert!(Granularity::Month > Granularity::Week);
/// ```
#[doc(alias = "GRANULARITIES")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Granularity {
    /// One second: `second`, `seconds` or `s`.
    Second,
    /// 60 seconds: `minute`, `minutes` or `m`.
    Minute,
    /// 3,600 seconds: `hour`, `hours` or `h`.
    Hour,
    /// 86,400 seconds: `day`, `days` or `d`.
    Day,
    /// 7 days: `week`, `weeks` or `w`.
    Week,
    /// 30 days: `month` or `months`.
    Month,
    /// 360 days: `year` or `years`.
    Year,
    /// One that a user has registered.
    Registered(RegisteredGranularity),
}

/// A granularity that [`Granularity::register`] has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RegisteredGranularity {
    name: &'static str,
    length: Micros,
}

impl Granularity {
    /// The built-in ones, from short to long.
    pub const BUILT_IN: &'static [Self] =
        &[Self::Second, Self::Minute, Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];

    /// Makes a granularity known under a name, for the whole process and as long as it lives.
    ///
    /// Notations then accept the name and its plural with an `s`, in upper and lower case. Registering the same
    /// name with the same length again changes nothing. The length is rounded to the nearest microsecond.
    ///
    /// ```
    /// use limitra_core::{Granularity, parse};
    /// use std::time::Duration;
    ///
    /// Granularity::register("fortnight", Duration::from_secs(14 * 86_400))?;
    /// assert_eq!(parse("500 per 2 fortnights")?.expiry(), Duration::from_secs(28 * 86_400));
    /// # Ok::<(), limitra_core::ConfigurationError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigurationError`] if the name is not 1 to 32 ASCII letters, is `per` or `burst`, is read as another
    /// granularity already (built in, short, registered, or the plural of one), or if the length is below 1 ms
    /// or above 100 years.
    pub fn register(name: &str, length: Duration) -> Result<Self, ConfigurationError> {
        let is_word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic());
        let name = name.to_ascii_lowercase();
        if !is_word || name.len() > LONGEST_NAME || name == "per" || name == "burst" {
            return Err(ConfigurationError::GranularityName { name });
        }
        let length = Limit::new(1, length)?.window_micros();
        let mut registered = REGISTERED.write().unwrap_or_else(PoisonError::into_inner);
        let plural = format!("{name}s");
        match find(&name, &registered).or_else(|| find(&plural, &registered)) {
            Some(same) if same.name() == name && same.length() == length => Ok(same),
            Some(other) => Err(ConfigurationError::GranularityTaken { name, by: other }),
            None => {
                // Granularities are for ever, so is the name.
                let new = RegisteredGranularity { name: String::leak(name), length };
                registered.push(new);
                Ok(Self::Registered(new))
            }
        }
    }

    /// All that there are: the built-in ones, then the registered ones in the order of their registration.
    pub fn all() -> Vec<Self> {
        let registered = REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
        let registered = registered.iter().copied().map(Self::Registered);
        Self::BUILT_IN.iter().copied().chain(registered).collect()
    }

    /// Its name, in the singular and in lower case.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
            Self::Registered(registered) => registered.name,
        }
    }

    /// How long it is.
    pub const fn duration(&self) -> Duration {
        self.length().to_duration()
    }

    pub(crate) const fn length(&self) -> Micros {
        let seconds = match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Week => 604_800,
            Self::Month => 2_592_000,
            Self::Year => 31_104_000,
            Self::Registered(registered) => return registered.length,
        };
        Micros::new(seconds * 1_000_000)
    }

    /// The one that a word of a notation means.
    pub(crate) fn named(word: &str) -> Option<Self> {
        // Most words are built in, and need no lock.
        find(word, &[]).or_else(|| find(word, &REGISTERED.read().unwrap_or_else(PoisonError::into_inner)))
    }

    const fn short(self) -> Option<&'static str> {
        match self {
            Self::Second => Some("s"),
            Self::Minute => Some("m"),
            Self::Hour => Some("h"),
            Self::Day => Some("d"),
            Self::Week => Some("w"),
            Self::Month | Self::Year | Self::Registered(_) => None,
        }
    }
}

fn find(word: &str, registered: &[RegisteredGranularity]) -> Option<Granularity> {
    let singular = word.strip_suffix(['s', 'S']).filter(|singular| !singular.is_empty()).unwrap_or(word);
    let is_meant = |granularity: &Granularity| {
        let name = granularity.name();
        word.eq_ignore_ascii_case(name)
            || singular.eq_ignore_ascii_case(name)
            || granularity.short().is_some_and(|short| word.eq_ignore_ascii_case(short))
    };
    let registered = registered.iter().copied().map(Granularity::Registered);
    Granularity::BUILT_IN.iter().copied().chain(registered).find(is_meant)
}

impl Ord for Granularity {
    fn cmp(&self, other: &Self) -> Ordering {
        // No two have the same name.
        self.length().cmp(&other.length()).then_with(|| self.name().cmp(other.name()))
    }
}

impl PartialOrd for Granularity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Granularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Granularity {
    type Err = ConfigurationError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::named(word).ok_or_else(|| ConfigurationError::UnknownGranularity { name: word.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_registered_name_is_read_in_any_case_and_in_the_plural() {
        let olympiad = Granularity::register("Olympiad", 1_440 * DAY).expect("a new name");
        assert_eq!(olympiad.to_string(), "olympiad");
        assert_eq!(Granularity::named("OLYMPIADS"), Some(olympiad));
        assert_eq!(Granularity::register("olympiad", 1_440 * DAY), Ok(olympiad));
        assert!(Granularity::all().contains(&olympiad));
    }

    #[test]
    fn a_name_that_is_read_already_cannot_be_registered() {
        Granularity::register("lustrum", 1_800 * DAY).expect("a new name");
        Granularity::register("glass", DAY).expect("a new name");
        for (name, by) in [
            ("minute", "minute"),
            ("Minutes", "minute"),
            ("WEEK", "week"),
            ("s", "second"),
            ("m", "minute"),
            ("w", "week"),
            ("lustrum", "lustrum"),
            ("lustrums", "lustrum"),
            ("glas", "glass"),
        ] {
            let error = Granularity::register(name, Duration::from_secs(7)).expect_err(name);
            let ConfigurationError::GranularityTaken { by: taken, .. } = error else { panic!("{error}") };
            assert_eq!(taken.name(), by);
        }
    }

    #[test]
    fn a_name_is_a_word_and_a_length_is_one_that_limits_have() {
        for name in ["", "two words", "f0rtnight", "fünfjahr", "per", "BURST", &"x".repeat(33)] {
            let error = Granularity::register(name, DAY).expect_err(name);
            assert!(matches!(error, ConfigurationError::GranularityName { .. }), "{error}");
        }
        for length in [Duration::ZERO, Duration::from_micros(999), Duration::MAX] {
            let error = Granularity::register("aeon", length).expect_err("out of range");
            assert_eq!(error, ConfigurationError::WindowOutOfRange { window: length });
        }
    }
}
