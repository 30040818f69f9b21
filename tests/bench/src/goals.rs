//! What limitra aims at.

use crate::row::Row;

/// A bound for one figure of limitra.
pub(crate) struct Goal {
    group: &'static str,
    case: &'static str,
    subject: &'static str,
    metric: &'static str,
    bound: Bound,
}

enum Bound {
    /// At least so many times better than this peer.
    Times(&'static str, f64),
    /// At most this.
    AtMost(f64),
}

const STRING: &str = "governor, a String per call";
const AT_HAND: &str = "governor, a String at hand";
const TIME: &str = "time per decision";

const fn times(case: &'static str, subject: &'static str, peer: &'static str, at_least: f64) -> Goal {
    Goal { group: "memory", case, subject, metric: TIME, bound: Bound::Times(peer, at_least) }
}

const fn at_most(case: &'static str, metric: &'static str, most: f64) -> Goal {
    Goal { group: "memory", case, subject: "limitra", metric, bound: Bound::AtMost(most) }
}

const fn redis(case: &'static str, metric: &'static str, peer: &'static str, at_least: f64) -> Goal {
    Goal { group: "redis", case, subject: "limitra", metric, bound: Bound::Times(peer, at_least) }
}

const EVALSHA: &str = "one EVALSHA each, same client";
const INCR: &str = "raw INCR, same client";
const POOL: &str = "deadpool-redis, a checkout each";
const BY_HAND: &str = "a script written by hand";
const RATE: &str = "decisions a second";
const BUSY: &str = "server time per decision";

const fn http(case: &'static str, metric: &'static str, bound: Bound) -> Goal {
    Goal { group: "http", case, subject: "limitra", metric, bound }
}

const OVER: &str = "time over a layer that does nothing";
const REQUESTS: &str = "requests a second";

const GOALS: &[Goal] = &[
    times("unkeyed, 1 thread", "limitra", "governor", 1.0 / 1.1),
    times("unkeyed, 1 thread", "limitra, coarse clock", "governor", 1.0 / 0.55),
    times("1,000 keys, 1 thread", "limitra", STRING, 3.0),
    times("1,000 keys, 1 thread", "limitra", AT_HAND, 2.0),
    times("1,000 keys, 2 threads", "limitra", STRING, 2.2),
    times("one key, exceeded, 2 threads", "limitra", STRING, 3.5),
    times("1,000,000 keys, 1 thread", "limitra", STRING, 2.3),
    times("1,000,000 keys, 2 threads", "limitra", STRING, 2.3),
    times("1,000,000 keys, 1 thread", "limitra, check_many of 16", STRING, 8.0),
    times("1,000,000 keys, 1 thread", "limitra, check_many of 64", STRING, 8.0),
    at_most("1,000,000 keys of 12 bytes", "bytes per key", 48.0),
    at_most("1,000,000 keys of 200 bytes", "bytes per key", 48.0),
    at_most("a key of text, allowed", "allocations per decision", 0.0),
    at_most("a key of text, exceeded", "allocations per decision", 0.0),
    at_most("an integer key, allowed", "allocations per decision", 0.0),
    at_most("a function with #[rate_limit]", "allocations per decision", 0.0),
    at_most("1,000,000 keys", "longest call while keys are inserted", 1000.0),
    at_most("1,000,000 keys", "longest call while keys expire", 1000.0),
    at_most("a function with #[rate_limit], 1,000 keys", "time over asking the limiter by hand", 25.0),
    redis("1 task, 1 worker thread", RATE, EVALSHA, 0.95),
    redis("1 task, 2 worker threads", RATE, EVALSHA, 0.95),
    redis("64 tasks, 1 worker thread", RATE, EVALSHA, 1.35),
    redis("64 tasks, 2 worker threads", RATE, EVALSHA, 1.35),
    redis("512 tasks, 1 worker thread", RATE, EVALSHA, 1.8),
    redis("512 tasks, 2 worker threads", RATE, EVALSHA, 1.8),
    redis("64 tasks, 1 worker thread", RATE, INCR, 0.5),
    redis("64 tasks, 2 worker threads", RATE, INCR, 0.5),
    redis("512 tasks, 1 worker thread", RATE, INCR, 0.65),
    redis("512 tasks, 2 worker threads", RATE, INCR, 0.65),
    redis("64 tasks, 1 worker thread", RATE, POOL, 4.0),
    redis("64 tasks, 2 worker threads", RATE, POOL, 4.0),
    redis("check_many of 128, 4 in flight", RATE, "a pipeline of EVALSHAs", 1.6),
    redis("server time, gcra, 1 task", BUSY, BY_HAND, 0.8),
    redis("server time, fixed_window, 1 task", BUSY, BY_HAND, 0.8),
    redis("server time, sliding_window, 1 task", BUSY, BY_HAND, 0.8),
    redis("server time, moving_window, 1 task", BUSY, BY_HAND, 0.8),
    http("a layer, a counter for all, allowed", OVER, Bound::AtMost(60.0)),
    http("a layer, allowed", OVER, Bound::AtMost(60.0)),
    http("a layer, allowed, with headers", OVER, Bound::AtMost(150.0)),
    http("a layer, refused", "a refused request, in allowed ones", Bound::AtMost(1.5)),
    http("over loopback, refused", REQUESTS, Bound::Times("tower_governor", 3.0)),
    http("over loopback, allowed", REQUESTS, Bound::Times("no limit", 0.95)),
    http(
        "over loopback, 16 at once on each connection, refused",
        REQUESTS,
        Bound::Times("tower_governor", 3.0),
    ),
    http("over loopback, 16 at once on each connection, allowed", REQUESTS, Bound::Times("no limit", 0.95)),
];

/// The goal for this figure by itself or, if there is one, beside this peer's: what it says, and whether it is reached.
pub(crate) fn goal(ours: &Row, peer: Option<&Row>) -> Option<(String, bool)> {
    let is_meant = |goal: &&Goal| {
        goal.group == ours.group
            && goal.case == ours.case
            && goal.subject == ours.subject
            && goal.metric == ours.metric
            && match goal.bound {
                Bound::Times(subject, _) => peer.is_some_and(|peer| peer.subject == subject),
                Bound::AtMost(_) => peer.is_none(),
            }
    };
    let goal = GOALS.iter().find(is_meant)?;
    Some(match (&goal.bound, peer) {
        (Bound::Times(_, at_least), Some(peer)) => {
            (format!("at least {at_least:.2}x"), ours.times_better(peer) >= *at_least)
        }
        (Bound::Times(..), None) => return None,
        (Bound::AtMost(most), _) => (format!("at most {most}"), ours.value <= *most),
    })
}
