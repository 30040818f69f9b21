//! Every bad setting is a typed error at construction that names the value; odd identifiers are fine.

use std::time::Duration;

use limitra::{
    Algorithm, Backend, ConfigurationError, Error, Limit, LimitraConfig, MemoryStorage, RateLimiter,
    RateLimiterBuilder, Rule, UrlProblem,
};

use crate::{MINUTE, five_per_minute};

/// Checks that these settings are refused by a message with all of these words.
#[track_caller]
fn assert_refused(builder: RateLimiterBuilder, words: &[&str]) {
    let shown = format!("{builder:?}");
    let Err(error) = builder.build() else { panic!("accepted: {shown}") };
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "`{word}` is missing in: {message}");
    }
    assert!(message.starts_with(|first: char| !first.is_uppercase()), "{message}");
}

fn bare() -> RateLimiterBuilder {
    RateLimiter::builder()
}

#[test]
fn a_capacity_or_requests_of_no_use_is_refused_by_name_and_value() {
    for (builder, value) in [
        (bare().requests(0), "0"),
        (bare().requests(0_u64), "0"),
        (bare().requests(-5), "-5"),
        (bare().requests(i128::MIN), "-170141183460469231731687303715884105728"),
        (bare().requests(u128::from(u64::MAX) + 1), "18446744073709551616"),
        (bare().requests(u128::MAX), "340282366920938463463374607431768211455"),
    ] {
        assert_refused(builder.window(60), &["requests must be", "from 1 to", &format!("not {value}")]);
    }
    for (builder, value) in [
        (bare().capacity(0), "0"),
        (bare().capacity(-1_i8), "-1"),
        (bare().capacity(i64::MIN), "-9223372036854775808"),
        (bare().capacity(u128::from(u64::MAX) + 1), "18446744073709551616"),
    ] {
        assert_refused(builder.fill_rate(1.0), &["capacity must be", "from 1 to", &format!("not {value}")]);
    }
}

#[test]
fn a_window_of_no_use_is_refused_by_name_and_value() {
    for (builder, value) in [
        (bare().window(0), "0"),
        (bare().window(0.0), "0"),
        (bare().window(-0.0), "-0"),
        (bare().window(-60), "-60"),
        (bare().window(-0.5), "-0.5"),
        (bare().window(f64::NAN), "NaN"),
        (bare().window(f32::NAN), "NaN"),
        (bare().window(f64::INFINITY), "inf"),
        (bare().window(f64::NEG_INFINITY), "-inf"),
        (bare().window(f64::MAX), "1.7976931348623157e308"),
        (bare().window(1e20), "1e20"),
        (bare().window(1e-10), "1e-10"),
        (bare().window(f64::MIN_POSITIVE), "2.2250738585072014e-308"),
        (bare().window(u128::MAX), "340282366920938463463374607431768211455"),
        (bare().window(Duration::ZERO), "0"),
    ] {
        assert_refused(
            builder.requests(5),
            &["window must be", "seconds", "100 years", &format!("not {value}")],
        );
    }
}

#[test]
fn a_window_below_a_millisecond_or_above_a_century_is_refused_by_its_value() {
    for (builder, value) in [
        (bare().window(Duration::from_nanos(1)), "1ns"),
        (bare().window(Duration::from_micros(999)), "999µs"),
        (bare().window(0.0004), "400µs"),
        (bare().window(Limit::MAX_WINDOW + Duration::from_nanos(1)), "3155760000.000000001s"),
        (bare().window(3_155_760_001_u64), "3155760001s"),
        (bare().window(1e12), "1000000000000s"),
        (bare().window(u64::MAX), "18446744073709551615s"),
        (bare().window(Duration::MAX), "18446744073709551615.999999999s"),
    ] {
        assert_refused(builder.requests(5), &["a window of", value, "from 1 ms to 100 years"]);
    }
    for window in [Limit::MIN_WINDOW, Limit::MAX_WINDOW] {
        for &algorithm in Algorithm::ALL {
            assert!(
                bare().algorithm(algorithm).requests(5).window(window).build().is_ok(),
                "{algorithm} {window:?}"
            );
        }
    }
}

#[test]
fn a_fill_rate_of_no_use_is_refused_by_name_and_value() {
    for (fill_rate, value) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (-1.5, "-1.5"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
    ] {
        let words = ["fill_rate must be", "positive", &format!("not {value}")];
        assert_refused(bare().capacity(5).fill_rate(fill_rate), &words);
    }
    for &algorithm in Algorithm::ALL {
        for (fill_rate, value) in
            [(1e-300, "1e-300"), (5e-324, "5e-324"), (1e-11, "1e-11"), (1e5, "100000"), (f64::MAX, "e308")]
        {
            let builder = bare().algorithm(algorithm).capacity(5).fill_rate(fill_rate);
            assert_refused(builder, &["a fill_rate of", value, "capacity of 5", "from 1 ms to 100 years"]);
        }
    }
}

#[test]
fn a_burst_of_no_use_is_refused_by_its_value() {
    let bucket = || bare().algorithm("token_bucket").requests(5).window(60);
    assert_refused(bucket().burst(0), &["burst must be", "from 1 to", "not 0"]);
    assert_refused(bucket().burst(-3), &["burst must be", "not -3"]);
    assert_refused(
        bucket().burst(u128::MAX),
        &["burst must be", "not 340282366920938463463374607431768211455"],
    );
    assert_refused(
        bucket().burst(u64::MAX),
        &["burst of 9007199254740991", "100 years", "5 requests per 60s"],
    );
    let with_burst = Limit::new(5, MINUTE).unwrap().with_burst(7).unwrap();
    for builder in [bare().notation("10/second; 5/minute burst 7"), bare().limits([with_burst])] {
        let words = ["a burst of 9 is set", "burst 7", "keep one"];
        assert_refused(builder.algorithm("token_bucket").burst(9), &words);
    }
    for &algorithm in Algorithm::ALL.iter().filter(|algorithm| !algorithm.is_bucket()) {
        let builder = bare().algorithm(algorithm).requests(5).window(60).burst(7);
        assert_refused(builder, &[algorithm.name(), "no burst (7)", "token_bucket, leaky_bucket or gcra"]);
        let limit = Limit::new(5, MINUTE).unwrap().with_burst(7).unwrap();
        assert!(matches!(
            Rule::new(algorithm, limit),
            Err(ConfigurationError::BurstWithoutBucket { burst: 7, .. })
        ));
    }
}

#[test]
fn half_a_limit_two_limits_in_one_or_none_is_refused_with_what_to_set() {
    for (builder, words) in [
        (bare(), &["no limit is given", "`requests` and `window`"][..]),
        (bare().limits([]), &["no limit is given", "`limits`"]),
        (bare().requests(5), &["`requests` is set without `window`", "set both"]),
        (bare().window(5), &["`window` is set without `requests`", "set both"]),
        (bare().capacity(5), &["`capacity` is set without `fill_rate`", "set both"]),
        (bare().fill_rate(5.0), &["`fill_rate` is set without `capacity`", "set both"]),
        (bare().requests(5).fill_rate(1.0), &["`requests` is set without `window`"]),
        (bare().capacity(5).window(1.0), &["`window` is set without `requests`"]),
        (bare().requests(5).window(60).capacity(5), &["both `requests` and `capacity`", "keep one"]),
        (bare().requests(5).window(60).fill_rate(1.0), &["both `window` and `fill_rate`", "keep one"]),
        (bare().requests(5).capacity(5), &["both `requests` and `capacity`", "keep one"]),
        (bare().window(5).fill_rate(5.0), &["both `window` and `fill_rate`", "keep one"]),
        (bare().notation("5/minute").requests(5), &["both `limits` and `requests`", "keep one"]),
        (bare().window(60).notation("5/minute"), &["both `limits` and `window`", "keep one"]),
        (bare().limit(Limit::UNLIMITED).capacity(5), &["both `limits` and `capacity`", "keep one"]),
        (bare().notation("5/minute").fill_rate(1.0), &["both `limits` and `fill_rate`", "keep one"]),
    ] {
        assert_refused(builder, words);
    }
}

#[test]
fn two_rules_that_would_share_a_counter_are_refused() {
    for &algorithm in Algorithm::ALL {
        let limits =
            [Limit::new(5, MINUTE), Limit::new(500, MINUTE * 60), Limit::new(7, MINUTE)].map(Result::unwrap);
        let builder = bare().algorithm(algorithm).limits(limits);
        assert_refused(builder, &["two limits", algorithm.name(), "60s", "keep the smaller one"]);
    }
}

#[test]
fn more_rules_than_a_record_holds_are_refused() {
    let limits = |count| (1..=count).map(|seconds| Limit::new(5, Duration::from_secs(seconds)).unwrap());
    assert!(bare().limits(limits(32)).build().is_ok());
    assert_refused(bare().limits(limits(33)), &["33 limits", "at most 32"]);
}

#[test]
fn an_unknown_algorithm_or_backend_is_refused_with_those_that_are_known() {
    for name in ["", "slidingwindow", "Sliding_Window", " gcra", "fixed window", "token_bucket\0"] {
        let builder = bare().algorithm(name).requests(5).window(60);
        let known = Algorithm::ALL.iter().map(|algorithm| algorithm.name());
        let words: Vec<String> =
            known.map(str::to_owned).chain([format!("unknown algorithm `{name}`")]).collect();
        assert_refused(builder, &words.iter().map(String::as_str).collect::<Vec<_>>());
    }
    for name in ["", "disk", "Redis", "memory "] {
        let builder = bare().backend(name).requests(5).window(60);
        assert_refused(builder, &[&format!("unknown backend `{name}`"), "known are memory, redis"]);
    }
}

#[test]
fn a_storage_is_said_once() {
    let client = || redis::Client::open("redis://127.0.0.1:1/").unwrap();
    let bare = || bare().requests(5).window(60);
    let memory = MemoryStorage::new();
    for (builder, words) in [
        (bare().backend("redis"), &["backend is redis", "`redis_url`, `redis_client` or `storage`"][..]),
        (bare().backend("memory").redis_client(client()), &["`backend` and `redis_client`", "keep one"]),
        (bare().backend("postgres").redis_client(client()), &["`backend` and `redis_client`", "keep one"]),
        (bare().storage(&memory).redis_client(client()), &["`storage` and `redis_client`", "keep one"]),
        (bare().storage(&memory).backend("memory"), &["`backend` and `storage`", "keep one"]),
        (bare().storage(&memory).backend("redis"), &["`backend` and `storage`", "keep one"]),
    ] {
        assert_refused(builder, words);
    }
    assert_eq!(bare().redis_client(client()).build().unwrap().config().backend, "redis");
    assert_eq!(bare().backend("redis").redis_client(client()).build().unwrap().config().backend, "redis");
}

#[test]
fn a_backend_that_nothing_leads_to_is_refused_and_is_never_memory() {
    for backend in Backend::ALL.iter().copied().filter(|backend| *backend != Backend::Memory) {
        let builder = bare().backend(backend).requests(5).window(60);
        assert_refused(builder, &[&format!("the backend is {backend} but nothing says where it is")]);
    }
}

#[test]
fn the_first_of_several_mistakes_is_told() {
    let builder = bare().requests(-1).window(f64::NAN).algorithm("none").backend("disk");
    assert_refused(builder, &["requests", "-1"]);
}

#[test]
fn a_limit_of_no_use_is_refused() {
    assert_eq!(Limit::new(0, MINUTE), Err(ConfigurationError::ZeroAmount));
    let limit = Limit::new(5, MINUTE).unwrap();
    assert_eq!(limit.with_burst(0), Err(ConfigurationError::ZeroBurst));
    for (amount, window) in [(1, Duration::ZERO), (1, Duration::MAX), (u64::MAX, Duration::from_micros(999))]
    {
        assert_eq!(Limit::new(amount, window), Err(ConfigurationError::WindowOutOfRange { window }));
    }
}

#[test]
fn a_memory_of_no_keys_is_refused() {
    let error = MemoryStorage::with_max_keys(0).unwrap_err();
    assert_eq!(error.to_string(), "max_keys must be at least 1, not 0");
}

#[test]
fn a_malformed_url_or_an_unknown_scheme_is_refused_without_its_password() {
    for (url, expected) in [
        ("", UrlProblem::Malformed),
        ("localhost", UrlProblem::Malformed),
        ("localhost:6379", UrlProblem::Malformed),
        ("redis:s3cret@localhost", UrlProblem::Malformed),
        ("redis://:s3cret@", UrlProblem::NoHost),
        ("redis://ada:s3cret@localhost:port/", UrlProblem::BadPort { port: "port".into() }),
        ("redis://ada:s3cret@localhost:99999/", UrlProblem::BadPort { port: "99999".into() }),
        ("redis://:s3cret@localhost/first", UrlProblem::Database),
        ("http://ada:s3cret@localhost/", UrlProblem::UnknownScheme),
        ("memcached://localhost", UrlProblem::UnknownScheme),
        ("REDIS:// local host", UrlProblem::BadHost { host: "local host".into() }),
    ] {
        let Err(error) = LimitraConfig::new().redis_url(url).build() else { panic!("accepted: {url}") };
        let ConfigurationError::Url { problem, .. } = &error else { panic!("{url}: {error:?}") };
        assert_eq!(*problem, expected, "{url}");
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(!shown.contains("s3cret"), "{shown}");
        }
        assert!(error.to_string().contains("write it like redis://"), "{error}");
    }
}

#[tokio::test]
async fn every_identifier_has_a_counter_of_its_own_and_a_bounded_key() {
    let megabyte = vec![b'a'; 1 << 20];
    let mut one_more = megabyte.clone();
    one_more.push(b'a');
    let mut other_end = megabyte.clone();
    other_end[(1 << 20) - 1] = b'b';
    let mut identifiers =
        vec![Vec::new(), megabyte, one_more, other_end, vec![0; 1 << 20], vec![0xff; 1 << 20]];
    identifiers.extend((0..=u8::MAX).map(|byte| vec![byte]));
    identifiers.extend((0..=u8::MAX).map(|byte| vec![byte; 2]));
    identifiers
        .extend(["%empty", "%~", "%00", "{}", "é", "\u{85}", "用户"].map(|text| text.as_bytes().to_vec()));

    let (limiter, _) = five_per_minute(Algorithm::FixedWindow);
    for identifier in &identifiers {
        let key = limiter.key(identifier);
        assert!(key.len() < 1200, "{} bytes", key.len());
        let decision = limiter.check_cost(identifier, 5).await.unwrap();
        assert!(decision.is_allowed(), "{key} was met before");
        assert!(!limiter.allow_request(identifier).await.unwrap(), "{key}");
    }
}

#[tokio::test]
async fn a_negative_or_zero_cost_cannot_be_written_and_the_largest_is_an_error() {
    let (limiter, _) = five_per_minute(Algorithm::FixedWindow);
    assert!(limiter.check_cost("ada", 0).await.unwrap().is_allowed());
    let error = limiter.check_cost("ada", u64::MAX).await.unwrap_err();
    assert!(matches!(error, Error::CostAboveLimit { cost: u64::MAX, .. }), "{error:?}");
}

#[test]
fn a_notation_that_is_no_limit_is_refused_with_its_column() {
    for (notation, words) in [
        ("", &["column 1", "an amount"][..]),
        ("10/minute; 100/hr", &["column 16", "`hr` is no unit"]),
        ("10/minute; 0/hour", &["column 12", "at least 1"]),
        ("10/minute; 20/60 seconds", &["the same algorithm and window"]),
        ("10/minute burst 20", &["no burst (20)", "token_bucket, leaky_bucket or gcra"]),
    ] {
        assert_refused(bare().algorithm(Algorithm::FixedWindow).notation(notation), words);
    }
}
