//! Keys made of keys: no two callers become one.

use limitra::web::{Key, key};
use proptest::prelude::*;

use crate::requests::{at_once, parts, request, who, with};

/// How a key is made of others.
#[derive(Clone, Debug)]
enum Shape {
    Header(usize),
    Both(Box<Shape>, Box<Shape>),
    Either(Box<Shape>, Box<Shape>),
}

const NAMES: [&str; 3] = ["x-a", "x-b", "x-c"];

/// What a request says of each header.
type Values = [Option<&'static str>; 3];

/// What a shape is worth: which leaves were asked, and what they said.
#[derive(Clone, Debug, PartialEq)]
enum Worth {
    Value(&'static str),
    Both(Box<Worth>, Box<Worth>),
    First(Box<Worth>),
    Second(Box<Worth>),
}

impl Shape {
    fn key(&self, is_waited_for: bool) -> Key {
        match self {
            Self::Header(index) if is_waited_for => {
                let name: http::HeaderName = NAMES[*index].parse().unwrap();
                key::by_async(move |request| {
                    let value = request.header(&name).next().map(<[u8]>::to_vec);
                    async move { value }
                })
            }
            Self::Header(index) => key::header(NAMES[*index]).unwrap(),
            Self::Both(one, other) => one.key(is_waited_for).and(other.key(false)),
            Self::Either(one, other) => one.key(false).or(other.key(is_waited_for)),
        }
    }

    fn worth(&self, values: &Values) -> Option<Worth> {
        match self {
            Self::Header(index) => values[*index].map(Worth::Value),
            Self::Both(one, other) => {
                Some(Worth::Both(Box::new(one.worth(values)?), Box::new(other.worth(values)?)))
            }
            Self::Either(one, other) => match one.worth(values) {
                Some(worth) => Some(Worth::First(Box::new(worth))),
                None => other.worth(values).map(|worth| Worth::Second(Box::new(worth))),
            },
        }
    }
}

fn shape() -> impl Strategy<Value = Shape> {
    (0..3_usize).prop_map(Shape::Header).prop_recursive(3, 8, 2, |inner| {
        let pair = (inner.clone(), inner).prop_map(|(one, other)| (Box::new(one), Box::new(other)));
        (pair, any::<bool>()).prop_map(
            |((one, other), both)| {
                if both { Shape::Both(one, other) } else { Shape::Either(one, other) }
            },
        )
    })
}

fn values() -> impl Strategy<Value = Values> {
    let value = prop::sample::select(vec!["", "1", "2", "a", ",", "1,2", "%empty", "a,", ",a"]);
    prop::array::uniform3(prop::option::weighted(0.7, value))
}

fn headers(values: &Values) -> Vec<(&'static str, &'static str)> {
    NAMES.iter().zip(values).filter_map(|(name, value)| value.map(|value| (*name, value))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn two_requests_are_one_caller_exactly_if_all_that_was_asked_said_the_same(
        shape in shape(), one in values(), other in values(), is_waited_for: bool,
    ) {
        let key = shape.key(is_waited_for);
        let found = [one, other].map(|values| parts(&key, &request(None, &headers(&values))).ok());
        let worth = [one, other].map(|values| shape.worth(&values));
        prop_assert_eq!(found[0].is_some(), worth[0].is_some());
        prop_assert_eq!(found[1].is_some(), worth[1].is_some());
        prop_assert_eq!(found[0] == found[1], worth[0] == worth[1], "{:?} {:?} {:?}", shape, one, other);
    }
}

#[test]
fn both_keys_are_parts_of_their_own() {
    let key = key::header("x-a").unwrap().and(key::header("x-b").unwrap());
    let of = |a, b| parts(&key, &with(&[("x-a", a), ("x-b", b)])).unwrap();
    assert_eq!(of("a", "bc"), [b"a".to_vec(), b"bc".to_vec()]);
    assert_ne!(of("a", "bc"), of("ab", "c"));
    assert_ne!(of("a,b", "c"), of("a", "b,c"));
    assert_eq!(who(&key, &with(&[("x-a", "a")])), "no such header");
}

#[test]
fn a_caller_by_the_second_key_is_never_one_by_the_first() {
    let key = key::header("x-a").unwrap().or(key::header("x-b").unwrap());
    assert_eq!(who(&key, &with(&[("x-a", "ada")])), "1,ada");
    assert_eq!(who(&key, &with(&[("x-b", "ada")])), "2,ada");
    assert_eq!(who(&key, &with(&[("x-a", "ada"), ("x-b", "bob")])), "1,ada");
    assert_eq!(who(&key, &with(&[])), "no such header");
}

#[test]
fn a_key_that_failed_is_not_made_up_for_by_another() {
    let failed = || key::by(|_| Err::<String, _>("the session store is down"));
    let key = failed().or(key::constant("anybody"));
    assert_eq!(who(&key, &with(&[])), "who is calling could not be found out: the session store is down");
    let waited = key::by_async(|_| async { Err::<String, _>("the session store is down") });
    let key = waited.or(key::constant("anybody"));
    assert_eq!(who(&key, &with(&[])), "who is calling could not be found out: the session store is down");
}

#[test]
fn a_key_that_is_missing_after_a_wait_is_made_up_for() {
    let waited = || {
        key::by_async(|_| async {
            std::future::ready(()).await;
            None::<u64>
        })
    };
    assert_eq!(who(&waited().or(key::constant(7_u64)), &with(&[])), "2,7");
    assert_eq!(who(&waited().and(key::constant(7_u64)), &with(&[])), "no caller");
    assert_eq!(who(&key::constant(7_u64).and(waited().or(key::constant(8_u64))), &with(&[])), "7,2,8");
}

#[test]
fn what_is_waited_for_borrows_nothing_of_the_request() {
    let long = "a".repeat(100);
    let key = key::header("x-a").unwrap().and(key::by_async(|_| async { Some(7_u64) }));
    let found = {
        let request = with(&[("x-a", &long)]);
        key.identify(&limitra::web::Request::of(&request))
    };
    let found = at_once(found).unwrap();
    assert_eq!(found[0].as_bytes(), long.as_bytes());
    assert_eq!(found[1].as_bytes(), b"7");
}
