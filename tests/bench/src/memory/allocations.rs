//! How often a decision on a key that is there asks for memory.

use limitra::Algorithm;

use crate::limiters::{Allowance, limits};
use crate::pass::at_once;
use crate::program::{Program, say};
use crate::row::{ALLOCATIONS, Row};

use super::GROUP;
use super::attribute::attributed;
use super::keyed::{BY_REFERENCE, BY_STRING};
use super::unkeyed::EVERYBODY;

pub(super) fn measure(program: &Program) -> Vec<Row> {
    let counts = program.allocations(GROUP).unwrap_or_default();
    counts.into_iter().map(|(name, count)| Row::of(GROUP, &name, ALLOCATIONS, vec![count])).collect()
}

/// Says how often each subject allocates, as `count` counts it.
pub(crate) fn print(count: fn(&mut dyn FnMut()) -> u64) {
    let say = |case: &str, subject: &str, call: &mut dyn FnMut()| say(GROUP, case, subject, count, call);
    let key = "user-0000001".to_owned();

    let limitra = Allowance::Ample.limitra(Algorithm::Gcra, 1000);
    say("unkeyed", "limitra", &mut || assert!(at_once(limitra.check(EVERYBODY)).unwrap().is_allowed()));
    say("a key of text, allowed", "limitra", &mut || {
        assert!(at_once(limitra.check(key.as_str())).unwrap().is_allowed());
    });
    say("an integer key, allowed", "limitra", &mut || {
        assert!(at_once(limitra.check(42_u64)).unwrap().is_allowed());
    });
    let one = Allowance::One.limitra(Algorithm::Gcra, 1000);
    say("a key of text, exceeded", "limitra", &mut || drop(at_once(one.check(key.as_str())).unwrap()));
    let handle = limits();
    say("a function with #[rate_limit]", "limitra", &mut || {
        at_once(attributed(&key, &handle)).unwrap();
    });
    let keys: Vec<String> = (0..16).map(|number| crate::keys::key(number, 12)).collect();
    say("check_many of 16, for all of them", "limitra", &mut || {
        drop(at_once(limitra.check_many(keys.iter())));
    });

    let governor = Allowance::Ample.governor();
    say("unkeyed", "governor", &mut || assert!(governor.check().is_ok()));
    let governor = Allowance::Ample.governor_by_key::<String>();
    say("a key of text, allowed", BY_REFERENCE, &mut || assert!(governor.check_key(&key).is_ok()));
    say("a key of text, allowed", BY_STRING, &mut || {
        assert!(governor.check_key(&key.as_str().to_owned()).is_ok());
    });
    let governor = Allowance::Ample.governor_by_key::<u64>();
    say("an integer key, allowed", "governor", &mut || assert!(governor.check_key(&42).is_ok()));
    let mut throttlecrab = Allowance::Ample.throttlecrab(1000);
    say("a key of text, allowed", "throttlecrab", &mut || assert!(throttlecrab.allows(&key)));
    let limitador = Allowance::Ample.limitador(1000);
    say("a key of text, allowed", "limitador", &mut || assert!(limitador.allows(&key)));
    let leaky = Allowance::Ample.leaky_bucket();
    say("unkeyed", "leaky-bucket", &mut || assert!(leaky.try_acquire(1)));
}
