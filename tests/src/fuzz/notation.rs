//! Limits and names as text.

use limitra::{Algorithm, Backend, ConfigurationError, RateLimit, parse, parse_many};

use super::tape::text;

pub(super) const WORDS: &[&str] = &[
    "/",
    "per",
    "second",
    "minutes",
    "hour",
    "day",
    "month",
    "year",
    "burst",
    ";",
    ",",
    "|",
    ":",
    " ",
    "0",
    "1",
    "10",
    "9007199254740992",
    "18446744073709551615",
    "sliding-window",
    "gcra",
    "１",
];

/// A mistake is told in a few words that name its place, however long the text is.
fn assert_short(error: &ConfigurationError, text: &str) {
    let told = error.to_string();
    assert!(told.len() < 1024, "{} bytes about {} bytes", told.len(), text.len());
}

/// Whatever is read is shown as a text that is read as the same; a mistake is told in short.
pub(super) fn run(bytes: &[u8]) {
    let text = text(bytes);
    match parse_many(&text) {
        Ok(limits) => {
            let shown: Vec<String> = limits.iter().map(RateLimit::to_string).collect();
            let again = parse_many(&shown.join("; ")).expect("what is shown can be read");
            assert_eq!(limits, again);
            assert_eq!(parse(&text).is_ok(), limits.len() == 1);
            for (limit, shown) in limits.iter().zip(&shown) {
                assert!(limit.amount() > 0 && !limit.expiry().is_zero());
                assert_eq!(shown.parse::<RateLimit>().as_ref(), Ok(limit));
                let json = serde_json::to_string(limit).unwrap();
                assert_eq!(serde_json::from_str::<RateLimit>(&json).unwrap(), *limit);
            }
        }
        Err(error) => {
            assert_short(&error, &text);
            assert!(parse(&text).is_err() && text.parse::<RateLimit>().is_err());
        }
    }
    if let Ok(algorithm) = text.parse::<Algorithm>() {
        assert_eq!(algorithm.name().parse(), Ok(algorithm));
    }
    if let Ok(backend) = text.parse::<Backend>() {
        assert_eq!(backend.to_string().parse(), Ok(backend));
    }
}
