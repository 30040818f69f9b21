//! Settings that cannot work.

use std::fmt;
use std::time::Duration;

use super::NotationError;
use crate::algorithm::Algorithm;
use crate::backend::Backend;
use crate::granularity::Granularity;
use crate::limit::Limit;
use crate::outage::OnOutage;

/// A setting that cannot work: what it is, and what to write in its place.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigurationError {
    /// An `HttpLimiter` without a limit.
    #[error("there is no limit in front of the service; say `limit(&limiter, key)`")]
    NoHttpLimit,
    /// Two limits in front of a service that would count in the same place.
    #[error(
        "two limits have the same scope `{scope}` and would share counters; give each limiter a `scope` of its own"
    )]
    SameCounters {
        /// The scope of both.
        scope: String,
    },
    /// An amount of 0.
    #[error("an amount of 0 would refuse every request; give at least 1")]
    ZeroAmount,
    /// A number that no amount, cost or burst can be.
    #[error("{what} must be a whole number from 1 to 2^53 - 1, not {value}")]
    NotAnAmount {
        /// The setting's name.
        what: &'static str,
        /// What was given.
        value: Number,
    },
    /// A number that no window can be.
    #[error("{what} must be a number of seconds from 0.001 to 3155760000 (100 years), not {value}")]
    NotAWindow {
        /// The setting's name.
        what: &'static str,
        /// What was given.
        value: Number,
    },
    /// A number that no fill rate can be.
    #[error("fill_rate must be a positive, finite number, not {fill_rate}")]
    NotARate {
        /// What was given.
        fill_rate: Number,
    },
    /// A window that is too short or too long.
    #[error("a window of {window:?} is out of range; give one from 1 ms to 100 years")]
    WindowOutOfRange {
        /// What was given.
        window: Duration,
    },
    /// A multiple of 0.
    #[error("0 times a unit is no window; give at least 1, or leave the multiple out")]
    ZeroMultiples,
    /// So many granularities that the window is too long.
    #[error("a window of {multiples} {granularity} is out of range; give one of at most 100 years")]
    WindowTooLong {
        /// What was given.
        multiples: u64,
        /// Of what.
        granularity: Granularity,
    },
    /// A notation that cannot be read.
    #[error(transparent)]
    Notation(#[from] NotationError),
    /// A granularity's name that is none.
    #[error(
        "unknown granularity `{name}`; known are second, minute, hour, day, week, month, year and what was registered"
    )]
    UnknownGranularity {
        /// What was given.
        name: String,
    },
    /// A name that no granularity can have.
    #[error("`{name}` cannot name a granularity; give 1 to 32 ASCII letters, but not `per` or `burst`")]
    GranularityName {
        /// What was given.
        name: String,
    },
    /// A name that is read as another granularity already.
    #[error("the granularity `{name}` would be read as {by} ({:?}); give it another name", by.duration())]
    GranularityTaken {
        /// What was given.
        name: String,
        /// The one that it is read as.
        by: Granularity,
    },
    /// A fill rate that no window follows from.
    #[error(
        "a fill_rate of {fill_rate} with a capacity of {capacity} is out of range: the window that follows must be from 1 ms to 100 years"
    )]
    FillRateOutOfRange {
        /// What was given.
        fill_rate: Number,
        /// The capacity that it was given with.
        capacity: u64,
    },
    /// A burst of 0.
    #[error("a burst of 0 would refuse every request; give at least 1, or leave it out")]
    ZeroBurst,
    /// A burst for an algorithm that has none.
    #[error("{algorithm} has no burst ({burst}); leave it out, or use token_bucket, leaky_bucket or gcra")]
    BurstWithoutBucket {
        /// What was given.
        burst: u64,
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// A bucket that would take more than 100 years to fill.
    #[error("a burst of {burst} would take more than 100 years to fill at {limit}; give a smaller burst")]
    BurstTooDeep {
        /// What was given.
        burst: u64,
        /// The limit that it was given for.
        limit: Limit,
    },
    /// A burst for a limit that has one.
    #[error("a burst of {burst} is set beside that of {limit}; keep one of them")]
    TwoBursts {
        /// What was given.
        burst: u64,
        /// The limit that it was given for.
        limit: Limit,
    },
    /// No limit was given.
    #[error(
        "no limit is given; set `requests` and `window`, `capacity` and `fill_rate`, `limits` or a `notation`"
    )]
    NoLimit,
    /// Only one half of a limit was given.
    #[error("`{given}` is set without `{missing}`; set both")]
    HalfALimit {
        /// The half that is there.
        given: &'static str,
        /// The half that is not.
        missing: &'static str,
    },
    /// Two ways of saying the same thing.
    #[error("both `{one}` and `{other}` are set; keep one of them")]
    Both {
        /// The one.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// Two rules of one subject that would share a counter.
    #[error("two limits have the same algorithm and window ({algorithm}, {window:?}); keep the smaller one")]
    DuplicateRule {
        /// Their algorithm.
        algorithm: Algorithm,
        /// Their window.
        window: Duration,
    },
    /// More rules than a record holds.
    #[error("{count} limits for one subject are too many; a record holds at most {most}")]
    TooManyRules {
        /// How many were given.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// An algorithm's name that is none.
    #[error("unknown algorithm `{name}`; known are {}", Names(Algorithm::ALL))]
    UnknownAlgorithm {
        /// What was given.
        name: String,
    },
    /// A strategy's name that is none.
    #[error("unknown strategy `{name}`; known are {}", crate::strategies::NAMES.join(", "))]
    UnknownStrategy {
        /// What was given.
        name: String,
    },
    /// A backend's name that is none.
    #[error("unknown backend `{name}`; known are memory, redis, memcached, mongodb, etcd and postgres")]
    UnknownBackend {
        /// What was given.
        name: String,
    },
    /// Redis as the backend with nothing to reach it by.
    #[error(
        "the backend is redis but nothing says where it is; set `redis_url`, `redis_client` or `storage`"
    )]
    NoRedisClient,
    /// A backend that is not the storage's kind.
    #[error(
        "the backend is {backend} but nothing says where it is; set `storage_url` or `storage`, or leave the backend out"
    )]
    NoSuchBackend {
        /// What was given.
        backend: Backend,
    },
    /// A storage URL's scheme that is none.
    #[error("unknown storage scheme `{scheme}`; known are {known}")]
    UnknownScheme {
        /// What was given.
        scheme: String,
        /// Those there are.
        known: String,
    },
    /// A storage URL whose feature is off.
    #[error("a storage url `{scheme}://` needs the feature `{feature}` of limitra; turn it on in Cargo.toml")]
    SchemeFeatureOff {
        /// What was given.
        scheme: String,
        /// The feature.
        feature: &'static str,
    },
    /// A scheme to be registered that is another storage's.
    #[error("the storage scheme `{scheme}` is taken; register another")]
    SchemeTaken {
        /// What was given.
        scheme: String,
    },
    /// A scheme to be registered that cannot be one.
    #[error(
        "`{scheme}` cannot be a storage scheme; give ASCII letters, digits, `+`, `-` and `.`, a letter first, and no `async+`"
    )]
    SchemeName {
        /// What was given.
        scheme: String,
    },
    /// A storage's option that cannot be read.
    #[error("the storage option `{name}` is `{value}`; give {expected}")]
    StorageOption {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A storage's option that it does not have.
    #[error("the storage `{scheme}` has no option `{name}`; known are {known}")]
    UnknownStorageOption {
        /// What was given.
        name: String,
        /// The storage.
        scheme: String,
        /// Those there are.
        known: String,
    },
    /// A storage's prefix that keys cannot begin with.
    #[error("`{key_prefix}` cannot be a key_prefix; give 1 to 128 printable ASCII characters without spaces")]
    KeyPrefix {
        /// What was given.
        key_prefix: String,
    },
    /// A deadline, or an age, of zero.
    #[error("{what} must be longer than zero")]
    ZeroDeadline {
        /// The setting's name.
        what: &'static str,
    },
    /// The feature that a setting needs is off.
    #[error("{what} needs the feature `{feature}` of limitra; turn it on in Cargo.toml")]
    FeatureOff {
        /// The setting.
        what: &'static str,
        /// The feature.
        feature: &'static str,
    },
    /// More than one source for the storage.
    #[error("`{one}` and `{other}` both say where to store; keep one of them")]
    TwoSources {
        /// The one.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// A storage URL that cannot be read; its password is not shown.
    #[error("the storage url `{url}` cannot be used: {problem}; write it like {example}")]
    Url {
        /// The URL without its credentials.
        url: String,
        /// What is wrong with it.
        problem: UrlProblem,
        /// One that works.
        example: &'static str,
    },
    /// `redis_db` against the database in the URL, or with a client.
    #[error("`redis_db` {redis_db} is set, but {other}; name the database once, where the server is named")]
    RedisDb {
        /// What was given.
        redis_db: i64,
        /// What it stands against.
        other: &'static str,
    },
    /// A second `init()`.
    #[error("`init()` was called twice; call it once at startup, or use `build()` for a handle of its own")]
    AlreadyInitialised,
    /// An `init()` that comes too late.
    #[error(
        "`init()` came after `{function}` had already decided with the defaults; call it before, at startup"
    )]
    InitTooLate {
        /// The function that decided.
        function: String,
    },
    /// An environment variable that cannot be read.
    #[error("the environment variable {variable} is `{value}`; give {expected}")]
    Environment {
        /// Its name.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// Subjects of one decision that live in different storages.
    #[error(
        "limiters of one decision must share a storage and a clock; build them from one `Limitra` handle"
    )]
    DifferentStorages,
    /// Moving windows that a storage cannot carry.
    #[error(
        "a moving window of {amount} is too large for {storage}, which carries {most} at most; lower the amount or use another algorithm or storage"
    )]
    RecordTooLarge {
        /// The storage.
        storage: &'static str,
        /// The amounts of all moving windows of the subject together.
        amount: u64,
        /// What they may be.
        most: u64,
    },
    /// More subjects than a storage can decide at once.
    #[error(
        "{subjects} subjects in one decision are too many for {storage}, which changes {most} atomically; decide them one by one, or use redis, etcd, postgres or memory"
    )]
    TooManySubjects {
        /// The storage.
        storage: &'static str,
        /// How many there are.
        subjects: usize,
        /// How many there may be.
        most: usize,
    },
    /// One subject named twice in one decision.
    #[error("a subject is named twice in one decision; name it once with the sum of the costs")]
    SubjectTwice,
    /// A decision given back to others than those whom it charged.
    #[error(
        "the decision was not made of these limits, subjects and costs; give it back to the limiter and identifier (or the charges) that it is of"
    )]
    OtherDecision,
    /// No subject in a decision.
    #[error("a decision needs at least one subject")]
    NoSubject,
    /// A bound on the number of tries that is none.
    #[error("max_retries must be at least 1, not 0")]
    ZeroRetries,
    /// A number of failures that no circuit breaker can count.
    #[error(
        "a circuit breaker opens after 1 to 16383 failures, not {failures}; give such a number, or no breaker"
    )]
    BreakerFailures {
        /// What was given.
        failures: u32,
    },
    /// A bound on waiting decisions that lets none in.
    #[error("max_in_flight must be at least 1, not 0; give `None` for no bound")]
    ZeroInFlight,
    /// A limit that nobody shares.
    #[error("a local share needs at least 1 replica, not 0; give the number of processes that share a limit")]
    ZeroReplicas,
    /// A wait that nobody can be told.
    #[error("a retry_after of {retry_after:?} is out of range; give one from 1 µs to 100 years")]
    RetryAfterOutOfRange {
        /// What was given.
        retry_after: Duration,
    },
    /// An outage policy that is none.
    #[error("unknown outage policy `{text}`; write error, open, closed, closed:5s or local:4")]
    UnknownOutagePolicy {
        /// What was given.
        text: String,
    },
    /// Two words about an outage that do not go together.
    #[error(
        "fail_open = {fail_open} and on_outage = \"{on_outage}\" contradict each other; leave out `fail_open`"
    )]
    OutagePolicies {
        /// What one says.
        fail_open: bool,
        /// What the other says.
        on_outage: OnOutage,
    },
    /// A bound on the number of keys that is none.
    #[error("max_keys must be at least 1, not 0")]
    ZeroMaxKeys,
    /// A coarse clock that would be no use, or too coarse.
    #[error("a coarse clock's resolution is 100 µs to 1 s, not {resolution:?}")]
    ClockResolutionOutOfRange {
        /// What was given.
        resolution: Duration,
    },
    /// The thread of a coarse clock cannot be started.
    #[error("the thread limitra-clock cannot be started ({kind}); leave coarse_clock out")]
    ClockNotStarted {
        /// Why not.
        kind: std::io::ErrorKind,
    },
    /// A TLS certificate that cannot be used.
    #[error("the CA certificate cannot be used; give PEM text that starts with -----BEGIN CERTIFICATE-----")]
    Certificate,
    /// A trusted proxy that is neither an address nor a network.
    #[error(
        "`{value}` is no trusted proxy; give an address such as 192.0.2.1, a network such as 10.0.0.0/8, or loopback or private"
    )]
    TrustedProxy {
        /// What was given, its first 64 characters.
        value: String,
    },
    /// A network of trusted proxies that everybody is in.
    #[error(
        "to trust `{value}` lets every caller name any address; give the networks of your proxies, or how many there are: `TrustedProxies::hops`"
    )]
    EverybodyTrusted {
        /// What was given.
        value: String,
    },
    /// A number of leading bits that no address has.
    #[error("a prefix of IPv{version} addresses has 1 to {most} bits, not {prefix}")]
    AddressPrefix {
        /// 4 or 6.
        version: u8,
        /// What was given.
        prefix: u8,
        /// How many there may be.
        most: u8,
    },
    /// An exempt path that no request has.
    #[error(
        "no request has the path `{path}`; write it from its first `/`, with `/*` at its end for all below it, such as /health or /static/*"
    )]
    ExemptPath {
        /// What was given, its first 64 characters.
        path: String,
    },
    /// What no header of HTTP can be called.
    #[error("`{name}` cannot be a header's name; give one such as x-api-key")]
    HeaderName {
        /// What was given, its first 64 characters.
        name: String,
    },
    /// What no cookie can be called.
    #[error("`{name}` cannot be a cookie's name; give letters, digits and `-_.`, such as session")]
    CookieName {
        /// What was given, its first 64 characters.
        name: String,
    },
    /// A TLS certificate where no TLS is spoken.
    #[error("a CA certificate is given, but {to} speaks no TLS by it; give a `rediss://` url")]
    CertificateWithoutTls {
        /// What it was given with.
        to: &'static str,
    },
}

/// A number as a user wrote it, of whatever type.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Number {
    /// An integer.
    Integer(i128),
    /// An integer above [`i128::MAX`].
    Huge(u128),
    /// A floating-point number.
    Float(f64),
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Huge(number) => number.fmt(f),
            // With an exponent where there would be dozens of zeros.
            Self::Float(number) => write!(f, "{number:?}"),
        }
    }
}

/// What is wrong with a storage URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlProblem {
    /// The scheme is none of ours.
    #[error(
        "its scheme is unknown, known are redis, rediss, redis+unix, valkey, valkeys and valkey+unix; a url of another storage is given as `storage_url`"
    )]
    UnknownScheme,
    /// It cannot be read at all.
    #[error("it is malformed, or not of the form `scheme://host`")]
    Malformed,
    /// It names no server.
    #[error("it names no host")]
    NoHost,
    /// It names a server where there is none.
    #[error("it names a host, and this storage has none")]
    NoHostHere,
    /// A comma too many, or nothing before a port.
    #[error("one of its hosts is empty")]
    EmptyHost,
    /// A server that cannot be one.
    #[error("its host `{host}` cannot be one")]
    BadHost {
        /// What was given.
        host: String,
    },
    /// A server without a port.
    #[error("its host `{host}` has no port")]
    NoPort {
        /// The server.
        host: String,
    },
    /// A port that cannot be one.
    #[error("its port `{port}` is not a number from 1 to 65535")]
    BadPort {
        /// What was given.
        port: String,
    },
    /// An escape that is none, or text that is not UTF-8.
    #[error("its {part} is not percent-encoded UTF-8")]
    Encoding {
        /// Where it stands.
        part: &'static str,
    },
    /// Something that this storage's URLs lack.
    #[error("its {part} {problem}")]
    Part {
        /// Where it stands.
        part: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The database is no number.
    #[error("its database is not a number")]
    Database,
    /// A setting in its query that the storage's client does not take.
    #[error("its setting `{name}` is unknown or has a value that it cannot have")]
    Setting {
        /// Its name.
        name: String,
    },
}

struct Names(&'static [Algorithm]);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, algorithm) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{algorithm}")?;
        }
        Ok(())
    }
}
