//! Whose counter it is. By fixed windows: one that the clock begins might begin between two questions.

use std::collections::HashSet;
use std::time::Duration;

use limitra::{
    Algorithm, Attempt, Clock, Error, Key, Limit, Limitra, LimitraConfig, MemoryStorage, Mode, RateLimiter,
    Rule, Storage as _, Subject, rate_limit,
};
use proptest::collection::vec;
use proptest::prelude::*;

// Functions of one name: free ones of two modules, of two types, a trait's own and its default ones.

mod posts {
    use super::*;

    #[rate_limit(requests = 1, window = 60, key = "who", algorithm = "fixed_window", limitra = limits)]
    pub(super) fn create_post(who: &[u8], limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
}

mod drafts {
    use super::*;

    #[rate_limit(requests = 1, window = 60, key = "who", algorithm = "fixed_window", limitra = limits)]
    pub(super) fn create_post(who: &[u8], limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
}

struct Blog;
struct Forum;

impl Blog {
    #[rate_limit(requests = 1, window = 60, key = "who", algorithm = "fixed_window", limitra = limits)]
    fn create_post(who: &[u8], limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
}

impl Forum {
    #[rate_limit(requests = 1, window = 60, key = "who", algorithm = "fixed_window", limitra = limits)]
    fn create_post(who: &[u8], limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
}

trait Board {
    fn create_post(&self, who: &[u8], limits: &Limitra) -> Result<(), Error>;

    #[rate_limit(requests = 1, window = 60, key = "who", algorithm = "fixed_window", limitra = limits)]
    fn delete_post(&self, who: &[u8], limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
}

impl Board for Blog {
    #[rate_limit(requests = 1, window = 60, key = "who", algorithm = "fixed_window", limitra = limits)]
    fn create_post(&self, who: &[u8], limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
}

impl Board for Forum {
    #[rate_limit(requests = 1, window = 60, key = "who", algorithm = "fixed_window", limitra = limits)]
    fn create_post(&self, who: &[u8], limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
}

type Function = fn(&[u8], &Limitra) -> Result<(), Error>;

const FUNCTIONS: [Function; 8] = [
    posts::create_post,
    drafts::create_post,
    Blog::create_post,
    Forum::create_post,
    |who, limits| Board::create_post(&Blog, who, limits),
    |who, limits| Board::create_post(&Forum, who, limits),
    |who, limits| Blog.delete_post(who, limits),
    |who, limits| Forum.delete_post(who, limits),
];

/// What a key gives a meaning to, and lengths at which a key changes its form: 42 bytes, and 128 as they stand in it.
fn identifier() -> impl Strategy<Value = Vec<u8>> {
    let atom = proptest::sample::select(vec![
        &b""[..],
        b":",
        b"%",
        b"{}",
        b",",
        b"\0",
        b" ",
        b"\xff",
        b"\xc3",
        b"%empty",
        b"%~",
        b"create_post",
        b"::",
        b"a",
    ]);
    let short = vec(atom, 0..3).prop_map(|atoms| atoms.concat());
    let lengths = prop_oneof![40_usize..46, 125_usize..131];
    let long = (lengths, proptest::sample::select(b"a:%\xff".to_vec()), any::<bool>()).prop_map(
        |(length, byte, differs)| {
            let mut bytes = vec![byte; length];
            bytes[length - 1] ^= u8::from(differs);
            bytes
        },
    );
    prop_oneof![short, long]
}

/// Whether a hit of the key of this text is allowed.
fn is_allowed(memory: &MemoryStorage, key: &str) -> bool {
    let limit = Limit::new(1, Duration::from_secs(60)).unwrap();
    let rules = [Rule::new(Algorithm::FixedWindow, limit).unwrap()];
    let subjects = [Subject { key: Key::from_text(key), rules: rules[..].into(), cost: 1 }];
    let attempt = Attempt { subjects: &subjects, clock: Clock::Storage, mode: Mode::Hit };
    at_once(memory.decide(&attempt)).unwrap().is_allowed()
}

fn at_once<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn functions_that_differ_in_module_type_or_trait_and_callers_that_differ_in_a_byte_never_share_a_counter(
        calls in vec((0..FUNCTIONS.len(), identifier()), 1..40),
    ) {
        let limits = LimitraConfig::new().build().unwrap();
        let mut seen = HashSet::new();
        for (function, who) in calls {
            let is_first = seen.insert((function, who.clone()));
            prop_assert_eq!(FUNCTIONS[function](&who, &limits).is_ok(), is_first, "{} {:?}", function, who);
        }
    }

    #[test]
    fn an_identifier_around_the_lengths_at_which_keys_change_their_form_has_one_counter_and_that_is_its_own(
        identifiers in vec(identifier(), 1..20),
        hashed in any::<bool>(),
    ) {
        let memory = MemoryStorage::new();
        let builder = RateLimiter::builder().algorithm(Algorithm::FixedWindow).requests(1).window(60).storage(&memory).hash_identifiers(hashed);
        let limiter = builder.build().unwrap();
        let mut seen = HashSet::new();
        for identifier in identifiers {
            let is_first = seen.insert(identifier.clone());
            // Asked by its parts the first time, and by its text.
            prop_assert_eq!(at_once(limiter.allow_request(&identifier)).unwrap(), is_first, "{:?}", &identifier);
            prop_assert!(!is_allowed(&memory, &limiter.key(&identifier)), "{:?}", &identifier);
        }
    }
}
