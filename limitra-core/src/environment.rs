//! The configuration that the environment names.

use std::env;
use std::str::FromStr;

use crate::algorithm::Algorithm;
use crate::backend::Backend;
use crate::config::LimitraConfig;
use crate::error::ConfigurationError;
use crate::outage::OnOutage;
use crate::storage::ladder::Breaker;
use crate::storage::options::{Flag, LengthOfTime};

const REDIS_URL: &str = "LIMITRA_REDIS_URL";
const STORAGE_URL: &str = "LIMITRA_STORAGE_URL";
const BACKENDS: &str = "memory, redis, memcached, mongodb, etcd or postgres";
const ALGORITHMS: &str = "sliding_window, fixed_window, fixed_window_aligned, fixed_window_elastic_expiry, \
    moving_window, token_bucket, leaky_bucket or gcra";

const POLICIES: &str = "error, open, closed, closed:5s or local:4";
#[cfg(feature = "deadline")]
const DEADLINES: &str = "a number of seconds above 0, like 0.5, or 500ms, or off";
const BREAKERS: &str =
    "a number of failures, with the pause behind a colon if it is not 1s, like 5 or 5:500ms, or off";

/// A setting, or none.
struct OrOff<T>(Option<T>);

impl<T: FromStr> FromStr for OrOff<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        if text.eq_ignore_ascii_case("off") { Ok(Self(None)) } else { text.parse().map(Some).map(Self) }
    }
}

/// A circuit breaker as text: `5` or `5:500ms`.
struct Settings(Breaker);

impl FromStr for Settings {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (failures, pause) = text.split_once(':').map_or((text, None), |(it, pause)| (it, Some(pause)));
        let breaker = Breaker::new().failures(failures.parse().map_err(drop)?);
        let Some(pause) = pause else { return Ok(Self(breaker)) };
        let LengthOfTime(pause) = pause.parse()?;
        Ok(Self(breaker.pause(pause)))
    }
}

pub(crate) fn config() -> Result<LimitraConfig, ConfigurationError> {
    let (mut config, mut environment) = (LimitraConfig::new(), Environment::default());
    if let Some(url) = environment.text(REDIS_URL)? {
        config = config.redis_url(url);
    }
    if let Some(url) = environment.text(STORAGE_URL)? {
        config = config.storage_url(url);
    }
    if let Some(redis_db) = environment.parsed("LIMITRA_REDIS_DB", "the number of a database")? {
        config = config.redis_db(redis_db);
    }
    if let Some(LengthOfTime(max_age)) = environment.parsed("LIMITRA_DENY_CACHE", LengthOfTime::EXPECTED)? {
        config = config.deny_cache(max_age);
    }
    if let Some(project) = environment.text("LIMITRA_PROJECT")? {
        config = config.project(project);
    }
    if let Some(prefix) = environment.text("LIMITRA_PREFIX")? {
        config = config.prefix(prefix);
    }
    if let Some(suffix) = environment.text("LIMITRA_SUFFIX")? {
        config = config.suffix(suffix);
    }
    if let Some(algorithm) = environment.parsed::<Algorithm>("LIMITRA_DEFAULT_ALGORITHM", ALGORITHMS)? {
        config = config.default_algorithm(algorithm);
    }
    if let Some(backend) = environment.parsed::<Backend>("LIMITRA_DEFAULT_BACKEND", BACKENDS)? {
        config = config.default_backend(backend);
    }
    #[cfg(feature = "deadline")]
    if let Some(OrOff(deadline)) = environment.parsed("LIMITRA_DEADLINE", DEADLINES)? {
        config = config.deadline(deadline.map(|LengthOfTime(deadline)| deadline));
    }
    if let Some(OrOff(breaker)) = environment.parsed("LIMITRA_BREAKER", BREAKERS)? {
        config = config.breaker(breaker.map(|Settings(breaker)| breaker));
    }
    if let Some(OrOff(most)) = environment.parsed("LIMITRA_MAX_IN_FLIGHT", "a number, or off")? {
        config = config.max_in_flight(most);
    }
    if let Some(policy) = environment.parsed::<OnOutage>("LIMITRA_ON_OUTAGE", POLICIES)? {
        config = config.on_outage(policy);
    }
    if let Some(Flag(fail_open)) = environment.parsed("LIMITRA_FAIL_OPEN", Flag::EXPECTED)? {
        config = config.fail_open(fail_open);
    }
    if let Some(Flag(enabled)) = environment.parsed("LIMITRA_ENABLED", Flag::EXPECTED)? {
        config = config.enabled(enabled);
    }
    if let Some(Flag(hash)) = environment.parsed("LIMITRA_HASH_IDENTIFIERS", Flag::EXPECTED)? {
        config = config.hash_identifiers(hash);
    }
    environment.warn_of_others();
    Ok(config)
}

/// The variables of this process that are limitra's.
#[derive(Default)]
struct Environment {
    /// Those that were read, whether they are there or not.
    read: Vec<&'static str>,
}

impl Environment {
    fn text(&mut self, variable: &'static str) -> Result<Option<String>, ConfigurationError> {
        self.read.push(variable);
        match env::var(variable) {
            Ok(value) if value.is_empty() => Ok(None),
            Ok(value) => Ok(Some(value)),
            Err(env::VarError::NotPresent) => Ok(None),
            Err(env::VarError::NotUnicode(value)) => Err(ConfigurationError::Environment {
                variable,
                // A URL may hold a password, also where it cannot be read.
                value: if [REDIS_URL, STORAGE_URL].contains(&variable) {
                    "..".to_owned()
                } else {
                    value.to_string_lossy().into_owned()
                },
                expected: "text in UTF-8",
            }),
        }
    }

    fn parsed<T: FromStr>(
        &mut self,
        variable: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, ConfigurationError> {
        let Some(value) = self.text(variable)? else {
            return Ok(None);
        };
        match value.parse() {
            Ok(parsed) => Ok(Some(parsed)),
            Err(_) => Err(ConfigurationError::Environment { variable, value, expected }),
        }
    }

    /// Tells of variables that look like settings and are none: they may be misspelt. No error, for others set such variables too: an
    /// orchestrator for a service that is called `limitra`.
    fn warn_of_others(&self) {
        let names = env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
        let is_other = |name: &String| name.starts_with("LIMITRA_") && !self.read.contains(&name.as_str());
        let mut others: Vec<_> = names.filter(is_other).collect();
        others.sort_unstable();
        if !others.is_empty() {
            let (others, settings) = (others.join(", "), self.read.join(", "));
            tracing::warn!(target: "limitra", variables = %others, "environment variables that set nothing; those that do are {settings}");
        }
    }
}
