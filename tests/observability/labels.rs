//! How many labels there can be: for a process, so these tests have one of their own.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

#[allow(dead_code)] // It serves other tests too.
mod recorder;

use std::collections::BTreeSet;

use limitra::RateLimiter;
use recorder::Kept;

#[tokio::test]
async fn a_process_has_at_most_a_thousand_labels_and_one_for_all_others() {
    let (kept, _guard) = Kept::here();
    for number in 0..1500 {
        let builder = RateLimiter::builder().requests(10).window(60).scope(format!("scope-{number}"));
        builder.build().unwrap().allow_request("ada").await.unwrap();
    }
    let keys = kept.keys();
    let labels: BTreeSet<&str> =
        keys.iter().filter_map(|key| key.split_once("of=\"")?.1.split('"').next()).collect();
    assert_eq!(labels.len(), 1001);
    let other = kept.counter(r#"limitra_decisions_total{of="other",outcome="allowed",storage="memory"}"#);
    assert_eq!(other, 500);
    let first = kept.counter(r#"limitra_decisions_total{of="scope-0",outcome="allowed",storage="memory"}"#);
    assert_eq!(first, 1);
}
