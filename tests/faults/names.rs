//! Names that lead nowhere.
//!
//! A name that resolved and does not any more cannot be had here without another `/etc/hosts` for the whole machine. Nobody
//! asks for a name while a connection lives; the next connection finds what a name that never resolved finds.

use crate::load::{Load, SHARE};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_does_not_resolve_costs_a_deadline_until_it_is_left_alone() {
    let load = Load::start("redis://limitra.invalid:6379");
    load.strike();
    load.is_left_alone().await;
    for side in load.end().await {
        let seen = side.seen.lock().unwrap();
        assert_eq!((seen.admitted, seen.scarce_admitted), (0, 0), "{}", side.policy);
        assert!(seen.scarce_by_policy <= if side.policy == "open" { u64::MAX } else { SHARE });
        seen.write_row("a name that does not resolve", "Redis", side.policy, None);
    }
}
