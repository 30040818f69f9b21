//! Who, as a storage key.

use limitra::{
    Algorithm, Attempt, Clock, Key, Limit, MemoryStorage, Mode, RateLimiter, Rule, Storage as _, Subject,
};

use super::at_once;
use super::tape::{Tape, text};

pub(super) const WORDS: &[&str] = &[
    ":",
    "%",
    "{",
    "}",
    ",",
    "\0",
    " ",
    "\n",
    "\u{7f}",
    "\u{85}",
    "~",
    "%~",
    "%empty",
    "%3A",
    "%25",
    "%2C",
    "é",
    "用",
    "/",
    "limitra:::user:",
    "limitra",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

/// Of forty years: none ends between two questions.
fn limit() -> Limit {
    Limit::new(1, Limit::MAX_WINDOW * 2 / 5).unwrap()
}

#[derive(Debug, PartialEq)]
struct Fields {
    prefix: String,
    project: Option<String>,
    scope: String,
    identifier: Vec<u8>,
    suffix: Option<String>,
}

impl Fields {
    /// The text, cut at four places; what is empty may as well be absent.
    fn cut(text_of_all: &[u8], tape: &mut Tape<'_>) -> Self {
        let mut places = [(); 4].map(|()| usize::from(tape.byte()) % (text_of_all.len() + 1));
        places.sort_unstable();
        let absent = tape.byte();
        let field = |from: usize, to: usize| text(&text_of_all[from..to]).into_owned();
        let (project, suffix) = (field(places[0], places[1]), field(places[3], text_of_all.len()));
        Self {
            prefix: field(0, places[0]),
            project: Some(project).filter(|project| !project.is_empty() || absent & 1 == 0),
            scope: field(places[1], places[2]),
            identifier: text_of_all[places[2]..places[3]].to_vec(),
            suffix: Some(suffix).filter(|suffix| !suffix.is_empty() || absent & 2 == 0),
        }
    }

    fn limiter(&self, memory: &MemoryStorage, hashed: bool) -> RateLimiter {
        let mut builder = RateLimiter::builder().limit(limit()).storage(memory);
        builder = builder.prefix(&self.prefix).scope(&self.scope).hash_identifiers(hashed);
        if let Some(project) = &self.project {
            builder = builder.project(project);
        }
        if let Some(suffix) = &self.suffix {
            builder = builder.suffix(suffix);
        }
        builder.build().unwrap()
    }
}

/// Whether one hit of the key of this text is allowed.
fn allowed(memory: &MemoryStorage, key: &str) -> bool {
    let rules = [Rule::new(Algorithm::default(), limit()).unwrap()];
    let subjects = [Subject { key: Key::from_text(key), rules: rules[..].into(), cost: 1 }];
    let attempt = Attempt { subjects: &subjects, clock: Clock::Storage, mode: Mode::Hit };
    at_once(memory.decide(&attempt)).unwrap().is_allowed()
}

/// Two callers share a key and a counter exactly if all of their fields are equal; a key's text is the same counter; two
/// texts that differ, made by whomever, are two counters.
pub(super) fn run(bytes: &[u8]) {
    let mut tape = Tape::new(bytes);
    let hashed = tape.byte() & 1 == 1;
    let mut places = Tape::new(tape.bytes(10));
    let all = tape.rest();
    let (one, other) = (Fields::cut(all, &mut places), Fields::cut(all, &mut places));
    let memory = MemoryStorage::new();
    let (of_one, of_other) = (one.limiter(&memory, hashed), other.limiter(&memory, hashed));
    let (key, other_key) = (of_one.key(&one.identifier), of_other.key(&other.identifier));
    assert_eq!(key == other_key, one == other, "{key} {other_key}");
    for key in [&key, &other_key] {
        assert_eq!(key.matches(':').count(), 5, "{key}");
        assert!(
            key.len() < 1200 && !key.contains(['{', '}', ' ']) && !key.contains(char::is_control),
            "{key}"
        );
    }
    assert!(at_once(of_one.allow_request(&one.identifier)).unwrap());
    assert_eq!(at_once(of_other.allow_request(&other.identifier)).unwrap(), one != other);
    assert!(!allowed(&memory, &key), "its text is another counter: {key}");

    let (whole, memory) = (text(all), MemoryStorage::new());
    let half = whole.get(..whole.len() / 2).unwrap_or_default();
    let _shown = format!("{:?}", Key::from_text(&whole));
    assert!(allowed(&memory, &whole) && !allowed(&memory, &whole), "{whole}");
    assert_eq!(allowed(&memory, half), *whole != *half, "{whole}");
}
