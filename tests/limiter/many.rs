//! `check_many`: many identifiers, each for itself.

use limitra::{Error, ManualClock, RateLimiter};

fn limiter(requests: u64) -> RateLimiter {
    RateLimiter::builder().requests(requests).window(60).algorithm("gcra").build().unwrap()
}

#[tokio::test]
async fn many_are_decided_as_one_after_the_other_would_be() {
    let (many, single) = (limiter(2), limiter(2));
    let identifiers: Vec<String> = (0..200).map(|index| format!("user-{}", index * 7 % 60)).collect();
    let decided = many.check_many(&identifiers).await;
    assert_eq!(decided.len(), identifiers.len());
    for (identifier, decision) in identifiers.iter().zip(decided) {
        let alone = single.check(identifier).await.unwrap();
        assert_eq!(decision.unwrap().is_allowed(), alone.is_allowed(), "{identifier}");
    }
}

#[tokio::test]
async fn none_at_all_is_an_empty_answer() {
    assert!(limiter(1).check_many(Vec::<String>::new()).await.is_empty());
}

#[tokio::test]
async fn a_limiter_that_is_switched_off_allows_each_of_them() {
    let off = limitra::LimitraConfig::new().enabled(false).build().unwrap();
    let limiter = off.limiter().requests(1).window(60).build().unwrap();
    let decided = limiter.check_many(["ada", "ada", "ada"]).await;
    assert!(decided.into_iter().all(|decision| decision.unwrap().is_allowed()));
}

#[tokio::test]
async fn many_are_decided_at_the_instant_of_a_clock_set_by_hand() {
    let clock = ManualClock::new();
    let limiter = RateLimiter::builder().requests(1).window(60).clock(clock.clone()).build().unwrap();
    let decided = limiter.check_many([7_u64, 7]).await;
    let decided: Vec<_> = decided.into_iter().collect::<Result<_, Error>>().unwrap();
    assert!(decided[0].is_allowed() && !decided[1].is_allowed());
    assert_eq!(decided[1].exceeded().unwrap().requests, 1);
}
