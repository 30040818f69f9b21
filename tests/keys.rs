//! Keys: readable for ordinary values, different for different ones, bounded for all.
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use limitra::{
    Attempt, Error, Key, Limitra, LimitraConfig, MemoryStorage, Outcome, RateLimiter, Storage, StorageError,
    rate_limit,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tokio::runtime::Runtime;

/// What a key is made of. An absent prefix is `limitra`.
#[derive(Clone, Debug, PartialEq)]
struct Fields {
    prefix: String,
    project: Option<String>,
    scope: String,
    identifier: Vec<u8>,
    suffix: Option<String>,
}

impl Fields {
    fn limiter(&self, storage: &MemoryStorage) -> RateLimiter {
        let mut builder = RateLimiter::builder()
            .algorithm("fixed_window")
            .requests(1)
            .window(60)
            .storage(storage)
            .prefix(&self.prefix)
            .scope(&self.scope);
        if let Some(project) = &self.project {
            builder = builder.project(project);
        }
        if let Some(suffix) = &self.suffix {
            builder = builder.suffix(suffix);
        }
        builder.build().unwrap()
    }

    fn key(&self) -> String {
        self.limiter(&MemoryStorage::new()).key(&self.identifier)
    }
}

/// Whatever a key gives a meaning to, what stands for it, and some ordinary text.
fn atom() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        ":", ":", "%", "{", "}", ",", "\0", " ", "\n", "\u{7f}", "\u{85}", "~", "%~", "%empty", "empty",
        "%3A", "3A", "%25", "a", "b", "é", "用", "/", "*", "limitra",
    ])
}

/// Five fields cut out of one text, at these of its places.
fn cut(atoms: &[&str], cuts: &[prop::sample::Index], absent: (bool, bool)) -> Fields {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(atoms.len() + 1)).collect();
    places.sort_unstable();
    let field = |from: usize, to: usize| atoms[from..to].concat();
    let (first, last) = (field(places[0], places[1]), field(places[3], atoms.len()));
    Fields {
        prefix: field(0, places[0]),
        // What is empty may as well be absent, which is something else.
        project: (!(first.is_empty() && absent.0)).then_some(first),
        scope: field(places[1], places[2]),
        identifier: field(places[2], places[3]).into_bytes(),
        suffix: (!(last.is_empty() && absent.1)).then_some(last),
    }
}

fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    vec(any::<prop::sample::Index>(), 4)
}

/// A key that every storage and every log can take, of all its fields.
fn assert_well_formed(key: &str) {
    assert_eq!(key.matches(':').count(), 5, "{key}");
    assert!(!key.contains(['{', '}', ' ', '\0']) && !key.chars().any(|c| c.is_ascii_control()), "{key:?}");
    assert!(key.len() < 1200, "{} bytes", key.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn one_text_cut_into_different_fields_makes_different_keys(
        atoms in vec(atom(), 0..10),
        (one, other) in (cuts(), cuts()),
        (absent_of_one, absent_of_other) in any::<((bool, bool), (bool, bool))>(),
    ) {
        let (one, other) = (cut(&atoms, &one, absent_of_one), cut(&atoms, &other, absent_of_other));
        prop_assert_eq!(one.key() == other.key(), one == other, "{:?} {:?}", one, other);
        assert_well_formed(&one.key());
    }

    #[test]
    fn identifiers_of_any_bytes_make_different_keys_and_different_counters(
        one in vec(prop_oneof![any::<u8>(), proptest::sample::select(b"%:,{}~a\xc3\xa9\xff".to_vec())], 0..6),
        other in vec(prop_oneof![any::<u8>(), proptest::sample::select(b"%:,{}~a\xc3\xa9\xff".to_vec())], 0..6),
        hashed in any::<bool>(),
    ) {
        let storage = MemoryStorage::new();
        let builder = RateLimiter::builder().algorithm("fixed_window").requests(1).window(60);
        let builder = builder.storage(&storage).hash_identifiers(hashed);
        let limiter = builder.build().unwrap();
        prop_assert_eq!(limiter.key(&one) == limiter.key(&other), one == other);
        assert_well_formed(&limiter.key(&one));
        wait(async {
            assert!(limiter.allow_request(&one).await.unwrap());
            assert_eq!(limiter.allow_request(&other).await.unwrap(), one != other);
        });
    }

    #[test]
    fn long_fields_that_differ_anywhere_make_different_keys(
        length in 110_usize..280,
        filler in atom(),
        at in any::<prop::sample::Index>(),
        shorter in any::<bool>(),
    ) {
        let mut one: Vec<u8> = filler.bytes().cycle().take(length).collect();
        let mut other = one.clone();
        let at = at.index(length);
        if shorter {
            other.truncate(at);
        } else {
            other[at] ^= 1;
        }
        let limiter = RateLimiter::builder().requests(1).window(60).build().unwrap();
        prop_assert_ne!(limiter.key(&one), limiter.key(&other));
        assert_well_formed(&limiter.key(&one));
        // Nor does a field that was cut short meet one that was so from the start.
        let key = limiter.key(&one);
        let shown = key.split(':').nth(4).unwrap();
        prop_assert_eq!(limiter.key(shown) == key, shown.as_bytes() == one);
        one.extend_from_slice(shown.as_bytes());
        prop_assert_ne!(limiter.key(&one), key);
    }

    #[test]
    fn fields_of_any_length_make_a_bounded_key(
        prefix in vec(any::<char>(), 0..200),
        project in option::of(vec(any::<char>(), 0..200)),
        scope in vec(any::<char>(), 0..200),
        identifier in vec(any::<u8>(), 0..600),
        suffix in option::of(vec(any::<char>(), 0..200)),
    ) {
        let text = String::from_iter;
        let fields = Fields {
            prefix: text(prefix),
            project: project.map(text),
            scope: text(scope),
            identifier,
            suffix: suffix.map(text),
        };
        assert_well_formed(&fields.key());
    }

    #[test]
    fn tuples_of_a_function_make_different_keys(
        atoms in vec(atom(), 0..8),
        (one, other) in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let (witness, limits) = Witness::with_handle();
        let pair = |at: prop::sample::Index| {
            let at = at.index(atoms.len() + 1);
            (atoms[..at].concat(), atoms[at..].concat())
        };
        let (one, other) = (pair(one), pair(other));
        for (a, b) in [&one, &other] {
            wait(create_post(a, b, &limits)).unwrap();
        }
        let keys = witness.keys();
        prop_assert_eq!(keys[0] == keys[1], one == other, "{:?}", keys);
        assert_well_formed(&keys[0]);
    }
}

#[rate_limit(requests = 5, window = 60, key = ("a", "b"), limitra = limits)]
async fn create_post(a: &str, b: &str, limits: &Limitra) -> Result<(), Error> {
    Ok(())
}

fn wait<F: Future>(future: F) -> F::Output {
    thread_local! {
        static RUNTIME: Runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// Memory that remembers the keys of its subjects.
#[derive(Clone, Debug, Default)]
struct Witness {
    memory: MemoryStorage,
    keys: Arc<Mutex<Vec<String>>>,
}

impl Witness {
    fn with_handle() -> (Self, Limitra) {
        let witness = Self::default();
        let limits = LimitraConfig::new().storage(Arc::new(witness.clone()) as Arc<dyn Storage>).build();
        (witness, limits.unwrap())
    }

    fn keys(&self) -> Vec<String> {
        self.keys.lock().unwrap().clone()
    }
}

#[async_trait]
impl Storage for Witness {
    fn name(&self) -> &'static str {
        "witness"
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        let keys = attempt.subjects.iter().map(|subject| subject.key.text().into_owned());
        self.keys.lock().unwrap().extend(keys);
        self.memory.decide(attempt).await
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        self.memory.clear(key).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

#[test]
fn ordinary_values_stand_in_a_key_as_they_are() {
    let limiter = RateLimiter::builder().requests(1).window(60).project("blog").suffix("v2").build().unwrap();
    for identifier in [
        "u1",
        "ada@example.org",
        "127.0.0.1",
        "user/7",
        "a-b_c.d",
        "O'Neill",
        "é",
        "用户",
        "#1",
        "(x)[y]",
        "~*?&=\"<>|",
    ] {
        assert_eq!(limiter.key(identifier), format!("limitra:blog::user:{identifier}:v2"));
    }
    assert_eq!(limiter.key(42), "limitra:blog::user:42:v2");
    assert_eq!(limiter.key(-42_i64), "limitra:blog::user:-42:v2");
}

#[test]
fn what_a_key_gives_a_meaning_to_is_escaped() {
    let limiter = RateLimiter::builder().requests(1).window(60).build().unwrap();
    for (identifier, escaped) in [
        (&b""[..], "%empty"),
        (b"%empty", "%25empty"),
        (b"%", "%25"),
        (b"%3A", "%253A"),
        (b"::1", "%3A%3A1"),
        (b"a,b", "a%2Cb"),
        (b"{tag}", "%7Btag%7D"),
        (b"a b", "a%20b"),
        (b"\0\r\n\x1b\x7f", "%00%0D%0A%1B%7F"),
        (b"\xff", "%FF"),
        (b"a\xc3", "a%C3"),
        (b"\xed\xa0\x80", "%ED%A0%80"),
    ] {
        assert_eq!(limiter.key(identifier), format!("limitra:::user:{escaped}:"));
    }
}

#[test]
fn a_field_of_128_bytes_stands_whole_and_a_longer_one_ends_in_a_digest() {
    let limiter = RateLimiter::builder().requests(1).window(60).build().unwrap();
    let whole = "a".repeat(128);
    assert_eq!(limiter.key(&whole), format!("limitra:::user:{whole}:"));
    let key = limiter.key("a".repeat(129));
    let start = format!("limitra:::user:{}%~", "a".repeat(64));
    assert!(key.starts_with(&start), "{key}");
    assert_eq!(key.len(), start.len() + 32 + 1);
    // Cut between characters, not within one.
    let key = limiter.key(format!("a{}", "é".repeat(100)));
    assert!(key.starts_with(&format!("limitra:::user:a{}%~", "é".repeat(31))), "{key}");
}

#[test]
fn a_digest_is_the_same_in_every_process() {
    let limiter = RateLimiter::builder().requests(1).window(60).hash_identifiers(true).build().unwrap();
    // The first 128 bits of SHA-256, as `printf ada | sha256sum` has them.
    assert_eq!(limiter.key("ada"), format!("limitra:::user:%~{SHA_256_OF_ADA}:"));
}

const SHA_256_OF_ADA: &str = "fdee430d40bd57deeac186cd9790033d";

#[test]
fn an_identifier_of_a_megabyte_has_a_bounded_key() {
    for byte in [b'a', b':', 0, 0xff] {
        let long = |length| vec![byte; length];
        let fields = Fields {
            prefix: ":".repeat(1 << 16),
            project: Some("é".repeat(1 << 16)),
            scope: "\0".repeat(1 << 16),
            identifier: long(1 << 20),
            suffix: Some("%".repeat(1 << 16)),
        };
        assert_well_formed(&fields.key());
        let one_less = Fields { identifier: long((1 << 20) - 1), ..fields.clone() };
        assert_ne!(fields.key(), one_less.key());
    }
}

#[tokio::test]
async fn an_absent_identifier_is_not_an_empty_one() {
    #[rate_limit(requests = 1, window = 60, name = "post", scope = "all", limitra = limits)]
    async fn of_nobody(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit(requests = 1, window = 60, name = "post", scope = "all", key = "who", limitra = limits)]
    async fn of_somebody(who: &str, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (witness, limits) = Witness::with_handle();
    of_nobody(&limits).await.unwrap();
    of_somebody("", &limits).await.unwrap();
    of_somebody("%empty", &limits).await.unwrap();
    assert_eq!(
        witness.keys(),
        ["limitra::post:all::", "limitra::post:all:%empty:", "limitra::post:all:%25empty:"]
    );
}

#[tokio::test]
async fn the_name_of_a_function_is_a_field_of_its_own() {
    #[rate_limit(requests = 1, window = 60, name = "a", scope = "b:c", limitra = limits)]
    async fn one(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit(requests = 1, window = 60, name = "a:b", scope = "c", limitra = limits)]
    async fn other(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (witness, limits) = Witness::with_handle();
    one(&limits).await.unwrap();
    other(&limits).await.unwrap();
    assert_eq!(witness.keys(), ["limitra::a:b%3Ac::", "limitra::a%3Ab:c::"]);
}

#[tokio::test]
async fn a_limiter_and_a_function_never_share_a_key() {
    #[rate_limit(requests = 1, window = 60, name = " ", key = "who", limitra = limits)]
    async fn create_post(who: &str, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (witness, limits) = Witness::with_handle();
    let limiter = limits.limiter().requests(1).window(60).build().unwrap();
    limiter.check("ada").await.unwrap();
    create_post("ada", &limits).await.unwrap();
    assert_eq!(witness.keys(), ["limitra:::user:ada:", "limitra::%20:user:ada:"]);
}

#[test]
fn a_key_of_text_is_that_text() {
    let limiter = RateLimiter::builder().requests(1).window(60).build().unwrap();
    let text = limiter.key("ada");
    let key = Key::from_text(&text);
    let mut pieces = String::new();
    key.pieces(&mut |piece| pieces.push_str(piece));
    assert_eq!((key.text().as_ref(), &pieces), (&*text, &text));
}
