//! One limit for everybody.

use limitra::Algorithm;

use crate::limiters::{Allowance, coarse, memory};
use crate::pass::{at_once, nanoseconds};
use crate::rounds::Rounds;
use crate::row::Name;
use crate::scale::Scale;

use super::threads;

/// Asked for all that a decision tells: what remains, and how long to wait.
pub(super) const WHOLE: &str = "limitra, a whole decision";
/// The identifier of everybody: none.
pub(crate) const EVERYBODY: () = ();

pub(super) fn add(rounds: &mut Rounds<'_>, scale: Scale) {
    let count = scale.operations(2_000_000);
    for workers in [1, 2] {
        let case = format!("unkeyed, {}", threads(workers));
        for (subject, storage) in [("limitra", memory(1)), ("limitra, coarse clock", coarse())] {
            let limitra = Allowance::Ample.limitra_over(&storage, Algorithm::Gcra);
            rounds.time(Name::new(&case, subject), move || {
                nanoseconds(workers, count, |_| {
                    || assert!(at_once(limitra.allow_request(EVERYBODY)).unwrap())
                })
            });
        }
        let limitra = Allowance::Ample.limitra_over(&memory(1), Algorithm::Gcra);
        rounds.time(Name::new(&case, WHOLE), move || {
            nanoseconds(workers, count, |_| {
                || assert!(at_once(limitra.check(EVERYBODY)).unwrap().is_allowed())
            })
        });
        let governor = Allowance::Ample.governor();
        rounds.time(Name::new(&case, "governor"), move || {
            nanoseconds(workers, count, |_| || assert!(governor.check().is_ok()))
        });
        let leaky = Allowance::Ample.leaky_bucket();
        rounds.time(Name::new(&case, "leaky-bucket"), move || {
            nanoseconds(workers, count / 2, |_| || assert!(leaky.try_acquire(1)))
        });
    }
}
