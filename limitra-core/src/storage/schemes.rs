//! Storages by the scheme of their URL.

use std::sync::{Arc, PoisonError, RwLock};

use super::AnyStorage;
use super::memory::MemoryStorage;
use super::options::StorageOptions;
use super::url::StorageUrl;
use crate::error::{ConfigurationError, UrlProblem};

/// Opens a storage that limitra brings.
type Open = fn(&StorageUrl, &mut StorageOptions) -> Result<AnyStorage, ConfigurationError>;
/// Opens a storage that a user registered.
type Opener =
    dyn Fn(&StorageUrl, &mut StorageOptions) -> Result<AnyStorage, ConfigurationError> + Send + Sync;

struct Scheme {
    names: &'static [&'static str],
    feature: &'static str,
    /// `None` while its feature is off.
    open: Option<Open>,
    /// Whether the query is its client's as well: it takes its own options out of it itself.
    shares_query: bool,
}

impl Scheme {
    fn opener(&self, scheme: &str) -> Result<Open, ConfigurationError> {
        let (scheme, feature) = (scheme.to_owned(), self.feature);
        self.open.ok_or(ConfigurationError::SchemeFeatureOff { scheme, feature })
    }
}

macro_rules! opener {
    ($feature:literal, $open:path) => {{
        #[cfg(feature = $feature)]
        let open: Option<Open> = Some($open);
        #[cfg(not(feature = $feature))]
        let open: Option<Open> = None;
        open
    }};
}

const SCHEMES: &[Scheme] = &[
    Scheme { names: &["memory"], feature: "", open: Some(memory), shares_query: false },
    Scheme {
        names: &["redis", "redis+unix", "valkey", "valkey+unix", "unix"],
        feature: "redis",
        open: opener!("redis", super::redis::open),
        shares_query: false,
    },
    Scheme {
        names: &["rediss", "valkeys"],
        feature: "redis-tls",
        open: opener!("redis-tls", super::redis::open),
        shares_query: false,
    },
    Scheme {
        names: &["redis+cluster", "valkey+cluster"],
        feature: "redis-cluster",
        open: opener!("redis-cluster", super::redis::open_cluster),
        shares_query: false,
    },
    Scheme {
        names: &["redis+sentinel", "valkey+sentinel"],
        feature: "redis-sentinel",
        open: opener!("redis-sentinel", super::redis::open_sentinel),
        shares_query: false,
    },
    Scheme {
        names: &["memcached"],
        feature: "memcached",
        open: opener!("memcached", super::memcached::open),
        shares_query: false,
    },
    Scheme {
        names: &["mongodb", "mongodb+srv"],
        feature: "mongodb",
        open: opener!("mongodb", super::mongodb::open),
        shares_query: true,
    },
    Scheme {
        names: &["etcd"],
        feature: "etcd",
        open: opener!("etcd", super::etcd::open),
        shares_query: false,
    },
    Scheme {
        names: &["postgres", "postgresql"],
        feature: "postgres",
        open: opener!("postgres", super::postgres::open),
        shares_query: true,
    },
];

/// The schemes that users registered.
static REGISTERED: RwLock<Vec<(String, Arc<Opener>)>> = RwLock::new(Vec::new());

/// Opens a storage by its URL. No I/O: the first decision connects.
///
/// The schemes are those of the seed, with and without its `async+`: `memory`, `redis`, `rediss`, `redis+unix`,
/// `redis+cluster`, `redis+sentinel` (and `valkey` in place of `redis`), `memcached`, `mongodb`, `mongodb+srv`, `etcd`,
/// `postgres`, `postgresql`, and what was [registered](register). Each storage's page in the guide has its URLs and options;
/// an option may be given here or in the URL's query.
///
/// ```
/// use limitra_core::storage;
///
/// assert_eq!(storage::from_url("memory://", ())?.name(), "memory");
/// let error = storage::from_url("disk://", ()).unwrap_err();
/// assert!(error.to_string().starts_with("unknown storage scheme `disk`; known are memory, "));
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
///
/// # Errors
/// [`ConfigurationError`] if the scheme is unknown or its feature is off, the URL cannot be read, or an option is unknown
/// or cannot be read. No message holds a password.
pub fn from_url(url: &str, options: impl Into<StorageOptions>) -> Result<AnyStorage, ConfigurationError> {
    let mut options = options.into();
    let scheme = scheme_of(url)?;
    let registered = {
        let registered = REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
        registered.iter().find(|(name, _)| *name == scheme).map(|(_, open)| Arc::clone(open))
    };
    let storage = if let Some(open) = registered {
        let url: StorageUrl = url.parse()?;
        options.read_query(&url, None)?;
        open(&url, &mut options)?
    } else {
        let Some(found) = SCHEMES.iter().find(|known| known.names.contains(&scheme.as_str())) else {
            return Err(ConfigurationError::UnknownScheme { scheme, known: known() });
        };
        let open = found.opener(&scheme)?;
        let url: StorageUrl = url.parse()?;
        if !found.shares_query {
            options.read_query(&url, None)?;
        }
        open(&url, &mut options)?
    };
    options.end(&scheme)?;
    Ok(storage)
}

/// Registers a storage of your own under its own scheme, so that [`from_url`], `LimitraConfig::storage_url` and
/// `LIMITRA_STORAGE_URL` reach it.
///
/// `open` takes its options from the second argument; what it leaves there is an error that names the ones it asked for.
///
/// ```
/// use limitra_core::{MemoryStorage, storage};
///
/// storage::register("small", |_url, options| {
///     let max_keys = options.take_parsed("max_keys", "a number of keys")?.unwrap_or(1000);
///     Ok(MemoryStorage::with_max_keys(max_keys)?.into())
/// })?;
/// assert_eq!(storage::from_url("small://?max_keys=10", ())?.name(), "memory");
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
///
/// # Errors
/// [`ConfigurationError::SchemeTaken`] if the scheme is one of limitra's or registered already,
/// [`ConfigurationError::SchemeName`] if it cannot be one: ASCII letters and digits, `+`, `-` and `.`, a letter first, no `async+`.
pub fn register(
    scheme: &str,
    open: impl Fn(&StorageUrl, &mut StorageOptions) -> Result<AnyStorage, ConfigurationError>
    + Send
    + Sync
    + 'static,
) -> Result<(), ConfigurationError> {
    let name = scheme.to_ascii_lowercase();
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.');
    if !starts_well || !name.chars().all(is_name) || name.starts_with("async+") {
        return Err(ConfigurationError::SchemeName { scheme: scheme.to_owned() });
    }
    let mut registered = REGISTERED.write().unwrap_or_else(PoisonError::into_inner);
    let is_ours = SCHEMES.iter().any(|known| known.names.contains(&name.as_str()));
    if is_ours || registered.iter().any(|(other, _)| *other == name) {
        return Err(ConfigurationError::SchemeTaken { scheme: name });
    }
    registered.push((name, Arc::new(open)));
    Ok(())
}

fn memory(url: &StorageUrl, options: &mut StorageOptions) -> Result<AnyStorage, ConfigurationError> {
    let _always = options.take("wrap_exceptions");
    let says_where = !url.hosts().is_empty() || !matches!(url.path(), "" | "/") || url.username().is_some();
    if says_where || url.password().is_some() {
        let problem = "is of no use: memory is in this process";
        return Err(url.problem(UrlProblem::Part { part: "address", problem }));
    }
    let mut builder = MemoryStorage::builder();
    if let Some(max_keys) = options.take_parsed("max_keys", "a number of keys, at least 1")? {
        builder = builder.max_keys(max_keys);
    }
    if let Some(resolution) = options.take_duration("coarse_clock")? {
        builder = builder.coarse_clock(resolution);
    }
    Ok(builder.build()?.into())
}

/// The scheme in lower case, without `async+`.
fn scheme_of(url: &str) -> Result<String, ConfigurationError> {
    match url.trim().split_once("://") {
        Some((scheme, _)) => {
            let scheme = scheme.to_ascii_lowercase();
            Ok(scheme.strip_prefix("async+").unwrap_or(&scheme).to_owned())
        }
        // Says what is wrong with it.
        None => url.parse::<StorageUrl>().map(|url| url.scheme().to_owned()),
    }
}

fn known() -> String {
    let ours = SCHEMES.iter().flat_map(|known| known.names).map(|name| (*name).to_owned());
    let registered = REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
    let all: Vec<String> = ours.chain(registered.iter().map(|(name, _)| name.clone())).collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_whose_feature_is_off_names_the_feature() {
        let off = Scheme { names: &["etcd"], feature: "etcd", open: None, shares_query: false };
        let error = off.opener("etcd").expect_err("it is off");
        let message = "a storage url `etcd://` needs the feature `etcd` of limitra; turn it on in Cargo.toml";
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn what_is_off_is_off_and_what_is_on_is_on() {
        for scheme in SCHEMES.iter().filter(|scheme| !scheme.feature.is_empty()) {
            let is_on = match scheme.feature {
                "redis" => cfg!(feature = "redis"),
                "redis-tls" => cfg!(feature = "redis-tls"),
                "redis-cluster" => cfg!(feature = "redis-cluster"),
                "redis-sentinel" => cfg!(feature = "redis-sentinel"),
                "memcached" => cfg!(feature = "memcached"),
                "mongodb" => cfg!(feature = "mongodb"),
                "etcd" => cfg!(feature = "etcd"),
                "postgres" => cfg!(feature = "postgres"),
                other => panic!("{other}"),
            };
            assert_eq!(scheme.open.is_some(), is_on, "{}", scheme.feature);
        }
    }
}
