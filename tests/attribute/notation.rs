//! Limits as text.

use std::time::Duration;

use limitra::{Algorithm, ConfigurationError, Error, Granularity, Limit, Limitra, rate_limit};

use crate::witness::{Witness, limits};

fn of(amount: u64, seconds: u64) -> Limit {
    Limit::new(amount, Duration::from_secs(seconds)).expect("a limit")
}

#[tokio::test]
async fn the_limits_of_a_text_are_those_of_the_function() {
    #[rate_limit("10/minute; 100 per 2 hours", key = "user_id", limitra = limits)]
    async fn first(limits: &Limitra, user_id: u64) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit(limits = "5/s burst 20 | 7/w burst 7", algorithm = "gcra", limitra = limits)]
    async fn named(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (witness, limits) = Witness::with_handle();
    first(&limits, 1).await.expect("the first of ten");
    named(&limits).await.expect("the first of five");
    let seen: Vec<Vec<Limit>> = witness
        .attempts()
        .iter()
        .flatten()
        .map(|subject| subject.rules.iter().map(limitra::Rule::limit).collect())
        .collect();
    let with_burst = |limit: Limit, burst| limit.with_burst(burst).expect("a burst");
    assert_eq!(
        seen,
        [vec![of(10, 60), of(100, 7_200)], vec![with_burst(of(5, 1), 20), with_burst(of(7, 604_800), 7)]]
    );
    assert_eq!(witness.attempts()[1][0].rules[0].algorithm(), Algorithm::Gcra);
}

#[tokio::test]
async fn every_limit_of_a_text_has_to_allow() {
    #[rate_limit("2/second; 3/minute", algorithm = "fixed_window", limitra = limits)]
    async fn create_post(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (limits, clock) = limits();
    create_post(&limits).await.expect("the first of two");
    create_post(&limits).await.expect("the second of two");
    create_post(&limits).await.expect_err("the third of two in a second");
    clock.advance(Duration::from_secs(1));
    create_post(&limits).await.expect("the third of three");
    let Err(Error::RateLimitExceeded(exceeded)) = create_post(&limits).await else {
        panic!("the fourth of three was let through");
    };
    assert_eq!(exceeded.retry_after, Duration::from_secs(59));
}

#[tokio::test]
async fn a_registered_granularity_is_looked_up_at_the_first_call() {
    #[rate_limit("1/fortnight", algorithm = "fixed_window", limitra = limits)]
    async fn registered(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit("1/decade", limitra = limits)]
    async fn unknown(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    Granularity::register("fortnight", Duration::from_secs(14 * 86_400)).expect("a new name");
    let (limits, _clock) = limits();
    registered(&limits).await.expect("the first of one");
    let Err(Error::RateLimitExceeded(exceeded)) = registered(&limits).await else {
        panic!("the second of one was let through");
    };
    assert_eq!(exceeded.window, Duration::from_secs(14 * 86_400));
    let Err(Error::Function { function, source }) = unknown(&limits).await else {
        panic!("a unit that nobody knows was let through");
    };
    assert!(function.ends_with("unknown"), "{function}");
    assert!(matches!(&source, ConfigurationError::Notation(error) if error.column() == 3), "{source}");
}

#[tokio::test]
async fn a_burst_beside_that_of_a_text_that_only_runs_is_told_by_the_first_call() {
    const TEXT: &str = "5/minute burst 20";
    #[rate_limit(limits = TEXT, burst = 7, algorithm = "gcra", limitra = limits)]
    async fn create_post(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (limits, _clock) = limits();
    let Err(Error::Function { source, .. }) = create_post(&limits).await else {
        panic!("two bursts were let through");
    };
    assert!(matches!(source, ConfigurationError::TwoBursts { burst: 7, .. }), "{source}");
}
