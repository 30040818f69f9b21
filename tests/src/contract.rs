//! What every storage on a server is held against, whichever it is.
//!
//! A storage's tests call [`storage_contract!`](crate::storage_contract) with an expression that makes a [`Place`], and have a test
//! for each sentence here.

use std::any::Any;

use limitra::storage::{self, StorageOptions};
use limitra::{Algorithm, AnyStorage, ConfigurationError, Error, Limit, RateLimiter, check_all, conformance};

use crate::{fresh_prefix, oracle, race};

/// A storage to be tested: its URL and options, and the servers behind it.
pub struct Place {
    url: String,
    options: Vec<(String, String)>,
    /// Ended when the place is.
    _servers: Box<dyn Any + Send + Sync>,
}

impl Place {
    /// A place with deadlines that a loaded machine does not miss.
    pub fn new(url: impl Into<String>, servers: impl Any + Send + Sync) -> Self {
        let place = Self { url: url.into(), options: Vec::new(), _servers: Box::new(servers) };
        place.option("response_timeout", "60").option("connect_timeout", "60")
    }

    /// The same with an option.
    #[must_use]
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.options.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Opens the storage, each time anew.
    pub fn open(&self) -> AnyStorage {
        self.open_with(&[])
    }

    /// Opens the storage with more options.
    pub fn open_with(&self, more: &[(&str, &str)]) -> AnyStorage {
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let options: StorageOptions = self.options.iter().cloned().chain(more).collect();
        storage::from_url(&self.url, options).unwrap()
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its options.
    pub fn options(&self) -> &[(String, String)] {
        &self.options
    }
}

/// The conformance suite.
pub async fn it_keeps_every_promise(place: &Place) {
    conformance::check(place.open()).await.unwrap_or_else(|violations| panic!("{violations:#?}"));
}

/// The reference libraries' recorded decisions.
pub async fn it_agrees_with_every_recorded_decision(place: &Place) {
    let storage = place.open();
    let name = storage.name();
    oracle::replay(storage, name).await;
}

/// Hundreds of tasks of one process.
pub async fn racing_tasks_admit_exactly_the_limit(place: &Place) {
    race::racing_tasks_admit_exactly_the_limit(place.open()).await;
    race::racing_tasks_with_costs_spend_no_more_than_the_limit(place.open()).await;
    race::racing_tasks_charge_every_limit_or_none(place.open()).await;
}

/// Tasks of which half give back.
pub async fn racing_tasks_that_give_back_lose_and_gain_nothing(place: &Place) {
    race::racing_tasks_that_give_back_lose_and_gain_nothing(place.open()).await;
}

/// Several subjects, where the storage can; else a mistake that says so.
pub async fn several_subjects_are_charged_all_or_none_or_not_offered(place: &Place) {
    let storage = place.open();
    if storage.bounds().subjects > 1 {
        race::racing_tasks_charge_every_subject_or_none(storage.clone()).await;
        race::a_refused_subject_charges_no_other(storage).await;
        return;
    }
    let limiter = |scope: &str| {
        let limiter = RateLimiter::builder().requests(5).window(60).storage(&storage).scope(scope);
        limiter.prefix(fresh_prefix()).fail_open(true).build().unwrap()
    };
    let (user, tenant) = (limiter("user"), limiter("tenant"));
    let error = check_all([user.of("ada"), tenant.of("acme")]).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Configuration(ConfigurationError::TooManySubjects { subjects: 2, most: 1, .. })
        ),
        "{error}"
    );
    assert_eq!(user.usage("ada").await.unwrap().count, 0);
}

/// Callers that give up anywhere on the way.
pub async fn dropped_tasks_leave_all_limits_with_one_count(place: &Place) {
    race::dropped_tasks_leave_all_limits_with_one_count(place.open()).await;
}

/// Several processes; `racer` is the program.
pub fn racing_processes_admit_exactly_the_limit(place: &Place, racer: &str) {
    race::racing_processes_admit_exactly_the_limit(racer, place.url(), place.options());
}

/// Many storages at the defaults.
pub async fn racing_storages_do_not_run_out_of_retries(place: &Place) {
    race::racing_storages_do_not_run_out_of_retries(|| place.open()).await;
}

/// A storage with a prefix removes what it wrote, and nothing that another wrote.
pub async fn reset_removes_its_own_records_and_no_others(place: &Place) {
    let prefix = fresh_prefix().replace(':', "-");
    // Characters that mean something in patterns.
    let (mine, similar, pattern) =
        (format!("{prefix}_a"), format!("{prefix}xa"), format!("{prefix}*[a-z]?%"));
    let storages = [&mine, &similar, &pattern].map(|prefix| place.open_with(&[("key_prefix", prefix)]));
    let limiters = storages
        .each_ref()
        .map(|storage| RateLimiter::builder().requests(1).window(3600).storage(storage).build().unwrap());
    for limiter in &limiters {
        for who in 0..250 {
            assert!(limiter.allow_request(who).await.unwrap());
        }
    }
    assert_eq!(storages[2].reset().await.unwrap(), 250);
    assert_eq!(storages[0].reset().await.unwrap(), 250);
    assert_eq!(storages[0].reset().await.unwrap(), 0);
    for who in 0..250 {
        assert!(limiters[0].allow_request(who).await.unwrap(), "{who} is still counted");
        assert!(limiters[2].allow_request(who).await.unwrap(), "{who} is still counted");
        assert!(!limiters[1].allow_request(who).await.unwrap(), "{who} of another prefix is gone");
    }
    // One storage's prefix keeps its counters apart from those of a storage without one.
    let plain = RateLimiter::builder().requests(1).window(3600).storage(place.open());
    assert!(plain.build().unwrap().allow_request(&*fresh_prefix()).await.unwrap());
}

/// Health is yes or no.
pub async fn it_says_that_it_is_there(place: &Place) {
    let storage = place.open();
    storage.ping().await.unwrap();
    assert!(storage.check().await);
    assert!(storage.shared().check().await);
}

/// What is too large is said when the limiter is built.
pub async fn a_moving_window_that_it_cannot_carry_is_a_mistake(place: &Place) {
    let storage = place.open();
    let build = |amount| {
        let limit = Limit::new(amount, std::time::Duration::from_secs(3600)).unwrap();
        let limiter = RateLimiter::builder().algorithm(Algorithm::MovingWindow).limit(limit);
        limiter.storage(&storage).prefix(fresh_prefix()).build()
    };
    let bytes = storage.bounds().record_bytes;
    if bytes == usize::MAX {
        build(Limit::MAX_AMOUNT).unwrap();
        return;
    }
    let Err(ConfigurationError::RecordTooLarge { most, .. }) = build(Limit::MAX_AMOUNT) else {
        panic!("a record that is larger than {bytes} bytes was accepted");
    };
    let limiter = build(most).unwrap();
    assert!(build(most + 1).is_err());
    // One instant is one entry, whatever it costs.
    assert!(limiter.check_cost("ada", most).await.unwrap().is_allowed());
    assert!(!limiter.allow_request("ada").await.unwrap());
}

/// The tests of a storage: one for each sentence, each at a place of its own.
#[macro_export]
macro_rules! storage_contract {
    ($place:expr) => {
        mod contract {
            #[allow(unused_imports)]
            use super::*;

            $crate::storage_contract! { @tests $place;
                it_keeps_every_promise
                it_agrees_with_every_recorded_decision
                racing_tasks_admit_exactly_the_limit
                racing_tasks_that_give_back_lose_and_gain_nothing
                several_subjects_are_charged_all_or_none_or_not_offered
                dropped_tasks_leave_all_limits_with_one_count
                racing_storages_do_not_run_out_of_retries
                reset_removes_its_own_records_and_no_others
                it_says_that_it_is_there
                a_moving_window_that_it_cannot_carry_is_a_mistake
            }

            #[test]
            fn racing_processes_admit_exactly_the_limit() {
                let racer = env!("CARGO_BIN_EXE_racer");
                $crate::contract::racing_processes_admit_exactly_the_limit(&$place, racer);
            }
        }
    };
    (@tests $place:expr; $($sentence:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $sentence() {
            $crate::contract::$sentence(&$place).await;
        })*
    };
}
