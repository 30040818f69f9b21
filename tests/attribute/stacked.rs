//! Several `#[rate_limit]`s on one function.

use limitra::{Error, Limitra, rate_limit};

use crate::witness::{Witness, limits};

#[tokio::test]
async fn stacked_attributes_are_one_attempt_of_several_subjects() {
    #[rate_limit(requests = 10, window = 1, key = "user", limitra = limits)]
    #[rate_limit(
        requests = 100,
        window = 60,
        scope = "tenant",
        key = "tenant",
        algorithm = "token_bucket",
        cost = 2
    )]
    #[limitra::rate_limit(limits = [(1000, 60), (5000, 3600)])]
    async fn create_post(user: u64, tenant: &str, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (witness, limits) = Witness::with_handle();
    create_post(7, "acme", &limits).await.expect("the first");
    let attempts = witness.attempts();
    assert_eq!(attempts.len(), 1);
    let [user, tenant, all] = &attempts[0][..] else {
        panic!("three subjects: {attempts:?}");
    };
    assert!(user.key.ends_with(":user:7:"), "{}", user.key);
    assert!(tenant.key.ends_with(":tenant:acme:"), "{}", tenant.key);
    assert!(all.key.ends_with(":global::"), "{}", all.key);
    assert_eq!((user.cost, tenant.cost, all.cost), (1, 2, 1));
    assert_eq!((user.rules.len(), tenant.rules.len(), all.rules.len()), (1, 1, 2));
}

#[tokio::test]
async fn all_stacked_subjects_are_charged_or_none() {
    #[rate_limit(requests = 2, window = 60, key = "user", limitra = limits, decision = seen)]
    #[rate_limit(requests = 3, window = 60, scope = "tenant", key = "tenant")]
    async fn create_post(user: &str, tenant: &str, limits: &Limitra) -> Result<u64, Error> {
        Ok(seen.remaining())
    }

    let (limits, _) = limits();
    create_post("ada", "acme", &limits).await.expect("ada's first");
    create_post("ada", "acme", &limits).await.expect("ada's second");
    for _ in 0..5 {
        let Err(Error::RateLimitExceeded(exceeded)) = create_post("ada", "acme", &limits).await else {
            panic!("ada has had her two");
        };
        assert_eq!((exceeded.requests, &*exceeded.scope), (2, "user"));
    }
    // The refused ones have not cost the tenant anything.
    create_post("bob", "acme", &limits).await.expect("the tenant's third");
    let Err(Error::RateLimitExceeded(exceeded)) = create_post("bob", "acme", &limits).await else {
        panic!("the tenant has had its three");
    };
    assert_eq!((exceeded.requests, &*exceeded.scope), (3, "tenant"));
    // Nor have they cost bob anything: one of his two is left elsewhere.
    assert_eq!(create_post("bob", "other", &limits).await.expect("bob's second"), 0);
}

#[tokio::test]
async fn an_exempt_layer_leaves_the_others_in_force() {
    #[rate_limit(requests = 1, window = 60, key = "user", limitra = limits, exempt_when = |user, _| *user == 0)]
    #[rate_limit(requests = 3, window = 60)]
    async fn create_post(user: u64, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (limits, _) = limits();
    create_post(0, &limits).await.expect("exempt, the first of all");
    create_post(0, &limits).await.expect("exempt, the second of all");
    create_post(1, &limits).await.expect("the first of one, the third of all");
    let Err(Error::RateLimitExceeded(exceeded)) = create_post(0, &limits).await else {
        panic!("all have had their three");
    };
    assert_eq!((exceeded.requests, &*exceeded.scope), (3, "global"));
}

#[tokio::test]
async fn stacked_attributes_of_one_scope_count_apart_by_their_keys() {
    #[rate_limit(requests = 1, window = 60, key = "sender", limitra = limits)]
    #[rate_limit(requests = 1, window = 60, key = "receiver")]
    async fn send(sender: &str, receiver: &str, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (limits, _) = limits();
    send("ada", "ada", &limits).await.expect("ada to herself: two subjects, not one");
    send("ada", "bob", &limits).await.expect_err("ada has sent");
    send("bob", "ada", &limits).await.expect_err("ada has received");
    send("bob", "bob", &limits).await.expect("bob has done neither");
}

#[tokio::test]
async fn stacked_attributes_of_one_name_whose_keys_come_out_alike_count_for_themselves() {
    #[rate_limit(requests = 2, window = 60, name = "posts", key = "user", limitra = limits)]
    #[rate_limit(requests = 1000, window = 3600, name = "posts", key = |user, _| *user)]
    async fn create_post(user: u64, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (witness, limits) = Witness::with_handle();
    create_post(7, &limits).await.expect("the first");
    let attempts = witness.attempts();
    let [one, other] = &attempts[0][..] else {
        panic!("two subjects: {attempts:?}");
    };
    assert_ne!(one.key, other.key);
}
