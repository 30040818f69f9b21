//! Who is limited: every form of `key`.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use limitra::{Error, Limitra, rate_limit};

use crate::witness::Witness;

struct Path<T>(T);

struct User {
    id: u64,
    tenant: String,
    pair: (u8, u8),
}

fn user() -> User {
    User { id: 7, tenant: "acme".to_owned(), pair: (1, 2) }
}

fn tenant_of<'a>(user: &'a User, _limits: &Limitra) -> &'a str {
    &user.tenant
}

/// Each function is called once; what it was keyed by is what stands on the right.
macro_rules! keyed_by {
    ($limits:ident; $($sentence:ident: $(#[$attribute:meta])* ($argument:pat_param = $value:expr, $type:ty) => $identifier:literal;)*) => {$(
        #[tokio::test]
        async fn $sentence() {
            $(#[$attribute])*
            #[allow(unused_mut, unused_variables, clippy::needless_pass_by_value)]
            async fn create_post($argument: $type, $limits: &Limitra) -> Result<(), Error> {
                Ok(())
            }

            let (witness, limits) = Witness::with_handle();
            create_post($value, &limits).await.expect("the first");
            assert_eq!(witness.identifier(), $identifier);
        }
    )*};
}

keyed_by! {
    limits;

    an_integer_is_a_key:
        #[rate_limit(requests = 1, window = 60, key = "id", limitra = limits)]
        (id = 42, u64) => "42";
    a_negative_integer_is_a_key:
        #[rate_limit(requests = 1, window = 60, key = "id", limitra = limits)]
        (id = -42, i8) => "-42";
    a_borrowed_text_is_a_key:
        #[rate_limit(requests = 1, window = 60, key = "name", limitra = limits)]
        (name = "ada", &str) => "ada";
    an_owned_text_is_a_key:
        #[rate_limit(requests = 1, window = 60, key = "name", limitra = limits)]
        (name = "ada".to_owned(), String) => "ada";
    a_shared_text_is_a_key:
        #[rate_limit(requests = 1, window = 60, key = "name", limitra = limits)]
        (name = Arc::from("ada"), Arc<str>) => "ada";
    a_text_that_may_be_borrowed_is_a_key:
        #[rate_limit(requests = 1, window = 60, key = "name", limitra = limits)]
        (name = Cow::Borrowed("ada"), Cow<'_, str>) => "ada";
    bytes_are_a_key:
        #[rate_limit(requests = 1, window = 60, key = "name", limitra = limits)]
        (name = b"ada", &[u8]) => "ada";
    an_address_is_a_key:
        #[rate_limit(requests = 1, window = 60, key = "address", limitra = limits)]
        (address = Ipv4Addr::LOCALHOST.into(), IpAddr) => "127.0.0.1";
    an_ipv4_address_in_ipv6_clothes_is_the_same_key:
        #[rate_limit(requests = 1, window = 60, key = "address", limitra = limits)]
        (address = Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(), IpAddr) => "127.0.0.1";
    whatever_displays_is_a_key:
        #[rate_limit(requests = 1, window = 60, key = "ratio", limitra = limits)]
        (ratio = 0.5, f64) => "0.5";
    a_trait_object_that_displays_is_a_key:
        #[rate_limit(requests = 1, window = 60, key = "shown", limitra = limits)]
        (shown = &7, &(dyn std::fmt::Display + Sync)) => "7";
    an_opaque_argument_that_displays_is_a_key:
        #[rate_limit(requests = 1, window = 60, key = "shown", limitra = limits)]
        (shown = 7, impl std::fmt::Display) => "7";
    an_argument_at_an_index_is_a_key:
        #[rate_limit(requests = 1, window = 60, key = 0, limitra = limits)]
        (_ = 42, u64) => "42";
    a_name_inside_a_pattern_is_a_key:
        #[rate_limit(requests = 1, window = 60, key = "id", limitra = limits)]
        (Path(id) = Path(42), Path<u64>) => "42";
    a_mutable_name_inside_a_pattern_is_a_key:
        #[rate_limit(requests = 1, window = 60, key = "id", limitra = limits)]
        (Path(mut id) = Path(42), Path<u64>) => "42";
    a_borrowed_name_inside_a_pattern_is_a_key:
        #[rate_limit(requests = 1, window = 60, key = "tenant", limitra = limits)]
        (User { ref tenant, .. } = user(), User) => "acme";
    a_field_is_a_key:
        #[rate_limit(requests = 1, window = 60, key = "user.tenant", limitra = limits)]
        (user = &user(), &User) => "acme";
    a_field_of_a_field_is_a_key:
        #[rate_limit(requests = 1, window = 60, key = "user.pair.1", limitra = limits)]
        (user = user(), User) => "2";
    a_field_of_a_name_inside_a_pattern_is_a_key:
        #[rate_limit(requests = 1, window = 60, key = "user.id", limitra = limits)]
        (Path(user) = Path(user()), Path<User>) => "7";
    a_closure_makes_a_key:
        #[rate_limit(requests = 1, window = 60, key = |user, _| user.id * 2, limitra = limits)]
        (user = user(), User) => "14";
    a_closure_with_types_makes_a_key:
        #[rate_limit(requests = 1, window = 60, key = |user: &User, _: &Limitra| user.id + 1, limitra = limits)]
        (user = &user(), &User) => "8";
    a_closure_may_borrow_its_key_from_an_argument:
        #[rate_limit(requests = 1, window = 60, key = |user, _| &user.tenant, limitra = limits)]
        (user = user(), User) => "acme";
    a_closure_sees_the_whole_of_a_pattern:
        #[rate_limit(requests = 1, window = 60, key = |path, _| path.0.id, limitra = limits)]
        (Path(user) = Path(user()), Path<User>) => "7";
    a_function_makes_a_key:
        #[rate_limit(requests = 1, window = 60, key = tenant_of, limitra = limits)]
        (user = user(), User) => "acme";
    a_function_makes_a_key_of_a_borrowed_argument:
        #[rate_limit(requests = 1, window = 60, key = tenant_of, limitra = limits)]
        (user = &user(), &User) => "acme";
    a_tuple_is_a_key_of_several_parts:
        #[rate_limit(requests = 1, window = 60, key = ("user.tenant", |user, _| user.pair.0, "user.id"), limitra = limits)]
        (user = user(), User) => "acme,1,7";
    a_whole_pattern_and_its_names_can_be_keys_together:
        #[rate_limit(requests = 1, window = 60, key = ("id", |path, _| path.0 + 1, "id"), limitra = limits)]
        (Path(mut id) = Path(42), Path<u64>) => "42,43,42";
}

#[tokio::test]
async fn every_key_has_a_counter_of_its_own() {
    #[rate_limit(requests = 1, window = 60, key = ("a", "b"), limitra = limits)]
    async fn create_post(a: &str, b: &str, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (_, limits) = Witness::with_handle();
    for (a, b) in [("x", "y"), ("x,y", ""), ("", "x,y"), ("x:y", ""), ("x", ":y")] {
        create_post(a, b, &limits).await.expect("the first of each");
        create_post(a, b, &limits).await.expect_err("the second of each");
    }
}

#[tokio::test]
async fn an_argument_keeps_its_pattern_where_its_whole_is_needed_too() {
    #[rate_limit(requests = 5, window = 60, key = |pair, _| pair.0, limitra = limits)]
    async fn sum((mut first, second): (u64, u64), limits: &Limitra) -> Result<u64, Error> {
        first += second;
        Ok(first)
    }

    let (witness, limits) = Witness::with_handle();
    assert_eq!(sum((1, 2), &limits).await.expect("the first"), 3);
    assert_eq!(witness.identifier(), "1");
}
