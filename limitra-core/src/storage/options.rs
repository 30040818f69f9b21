//! A storage's options, by name.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::url::StorageUrl;
use crate::error::{ConfigurationError, UrlProblem};

/// Options of a storage, by name: what [`from_url`](crate::storage::from_url) takes beside the URL.
///
/// An option may also stand in the URL's query; one that is given here wins. `()` is none.
///
/// ```
/// use limitra_core::storage::StorageOptions;
///
/// let options = StorageOptions::new().set("key_prefix", "shop").set("max_retries", 8);
/// assert_eq!(format!("{options:?}"), r#"StorageOptions["key_prefix", "max_retries"]"#);
/// ```
#[derive(Clone, Default)]
pub struct StorageOptions {
    given: Vec<(String, String)>,
    /// Every name that was asked for, for the message about one that is unknown.
    known: Vec<&'static str>,
}

impl StorageOptions {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more, or another value for it.
    #[allow(clippy::needless_pass_by_value)] // A number is written without an ampersand.
    pub fn set(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        let name = name.into();
        self.given.retain(|(other, _)| *other != name);
        self.given.push((name, value.to_string()));
        self
    }

    /// Takes an option's text.
    pub fn take(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let place = self.given.iter().position(|(given, _)| given == name)?;
        Some(self.given.remove(place).1)
    }

    /// Takes an option that is a number, a flag or the like; `expected` says what for the message.
    ///
    /// # Errors
    /// [`ConfigurationError::StorageOption`] if it cannot be read.
    pub fn take_parsed<T: FromStr>(
        &mut self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, ConfigurationError> {
        let Some(text) = self.take(name) else { return Ok(None) };
        match text.trim().parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(ConfigurationError::StorageOption { name, value: text, expected }),
        }
    }

    /// Takes a duration: `0.5` and `0.5s` are half a second, as is `500ms`.
    ///
    /// # Errors
    /// [`ConfigurationError::StorageOption`] if it cannot be read, or is zero.
    pub fn take_duration(&mut self, name: &'static str) -> Result<Option<Duration>, ConfigurationError> {
        let expected = LengthOfTime::EXPECTED;
        let length = self.take_parsed::<LengthOfTime>(name, expected)?;
        Ok(length.map(|LengthOfTime(duration)| duration))
    }

    /// Takes what every storage on a network knows.
    #[cfg(any(
        feature = "redis",
        feature = "memcached",
        feature = "mongodb",
        feature = "etcd",
        feature = "postgres"
    ))]
    pub(crate) fn take_common(&mut self) -> Result<CommonOptions, ConfigurationError> {
        // The seed's; here an error of a storage always is a `StorageError` with its cause.
        let _always = self.take_parsed::<Flag>("wrap_exceptions", Flag::EXPECTED)?;
        Ok(CommonOptions {
            key_prefix: self
                .take("key_prefix")
                .map(super::key_prefix::KeyPrefix::new)
                .transpose()?
                .unwrap_or_default(),
            response_timeout: self.take_duration("response_timeout")?,
            connect_timeout: self.take_duration("connect_timeout")?,
        })
    }

    /// Takes over what stands in the URL's query and was not given here: everything, or only these names.
    pub(crate) fn read_query(
        &mut self,
        url: &StorageUrl,
        only: Option<&[&str]>,
    ) -> Result<(), ConfigurationError> {
        let beside = self.given.len();
        for (name, value) in url.query() {
            if only.is_some_and(|names| !names.contains(&name.as_str())) {
                continue;
            }
            match self.given.iter().position(|(given, _)| given == name) {
                None => self.given.push((name.clone(), value.clone())),
                // What is given beside the URL wins.
                Some(place) if place < beside => {}
                Some(_) => {
                    let problem = "names an option twice";
                    return Err(url.problem(UrlProblem::Part { part: "query", problem }));
                }
            }
        }
        Ok(())
    }

    /// Whether everything was taken.
    pub(crate) fn end(self, scheme: &str) -> Result<(), ConfigurationError> {
        match self.given.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => {
                let mut known = self.known;
                known.sort_unstable();
                known.dedup();
                Err(ConfigurationError::UnknownStorageOption {
                    name,
                    scheme: scheme.to_owned(),
                    known: known.join(", "),
                })
            }
        }
    }
}

/// What every storage on a network knows.
#[cfg(any(
    feature = "redis",
    feature = "memcached",
    feature = "mongodb",
    feature = "etcd",
    feature = "postgres"
))]
pub(crate) struct CommonOptions {
    pub(crate) key_prefix: super::key_prefix::KeyPrefix,
    pub(crate) response_timeout: Option<Duration>,
    pub(crate) connect_timeout: Option<Duration>,
}

/// `true` or `false`, as text has them.
pub(crate) struct Flag(pub(crate) bool);

impl Flag {
    pub(crate) const EXPECTED: &'static str = "true, false, 1 or 0";
}

impl FromStr for Flag {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Self(true)),
            "false" | "0" | "no" | "off" => Ok(Self(false)),
            _ => Err(()),
        }
    }
}

/// A length of time above zero, as text has it: `0.5` and `0.5s` are half a second, as is `500ms`.
pub(crate) struct LengthOfTime(pub(crate) Duration);

impl LengthOfTime {
    pub(crate) const EXPECTED: &'static str = "a number of seconds above 0, like 0.5, or 500ms";
}

impl FromStr for LengthOfTime {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (number, unit) = match text.strip_suffix("ms") {
            Some(number) => (number, 0.001),
            None => (text.strip_suffix('s').unwrap_or(text), 1.0),
        };
        let seconds = number.trim().parse::<f64>().map_err(drop)? * unit;
        let duration = Duration::try_from_secs_f64(seconds).map_err(drop)?;
        if duration.is_zero() { Err(()) } else { Ok(Self(duration)) }
    }
}

impl fmt::Debug for StorageOptions {
    /// Names only: a value may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StorageOptions")?;
        f.debug_list().entries(self.given.iter().map(|(name, _)| name)).finish()
    }
}

impl From<()> for StorageOptions {
    fn from((): ()) -> Self {
        Self::new()
    }
}

impl<N: Into<String>, V: ToString, const COUNT: usize> From<[(N, V); COUNT]> for StorageOptions {
    fn from(options: [(N, V); COUNT]) -> Self {
        options.into_iter().collect()
    }
}

impl<N: Into<String>, V: ToString> FromIterator<(N, V)> for StorageOptions {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(options: I) -> Self {
        options.into_iter().fold(Self::new(), |all, (name, value)| all.set(name, value))
    }
}
