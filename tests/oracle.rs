//! The decisions recorded from the two reference libraries, step by step, on memory, on Redis and in the reference limiter.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

use std::path::Path;

use limitra::MemoryStorage;
use limitra_tests::oracle::{Report, Verb, read, recorded, replay};
use limitra_tests::{Reference, ReferenceRule, ReferenceSubject, TemporaryFolder, patient_storage, shared};

#[tokio::test]
async fn memory_agrees_with_every_recorded_decision() {
    replay(MemoryStorage::new().into(), "memory").await;
}

#[tokio::test]
async fn redis_agrees_with_every_recorded_decision() {
    let storage = patient_storage(&shared().url());
    replay(storage.into(), "Redis").await;
}

#[test]
fn the_reference_limiter_agrees_with_every_recorded_decision() {
    let mut report = Report::default();
    for trace in recorded() {
        let rule = ReferenceRule::of(trace.algorithm, trace.limit);
        let of = |cost| [ReferenceSubject { key: String::new(), rules: vec![rule], cost }];
        let mut reference = Reference::default();
        for step in &trace.steps {
            let answer = match step.verb {
                Verb::Hit { .. } => Some(reference.hit(&of(step.cost), step.instant)),
                Verb::Test { .. } => Some(reference.test(&of(step.cost), step.instant)),
                Verb::Stats => None,
                Verb::Clear => {
                    reference.clear("");
                    None
                }
            };
            let allowed = answer.map(|answer| answer.is_ok_and(|decision| decision.is_allowed()));
            let left = reference.test(&of(1), step.instant).unwrap().remaining();
            report.compare(&trace, step, allowed, left);
        }
    }
    report.conclude("the reference limiter");
}

#[test]
fn a_folder_without_traces_or_with_a_malformed_one_is_a_failure() {
    let folder = TemporaryFolder::new("oracle");
    let message = |folder: &Path| read(folder).err().unwrap().to_string();
    assert!(message(&folder.path().join("nowhere")).contains("nowhere"));
    assert!(message(folder.path()).contains("no recorded decision"));
    std::fs::write(folder.path().join("notes.txt"), "not a trace").unwrap();
    std::fs::write(folder.path().join("empty.jsonl"), "\n").unwrap();
    assert!(message(folder.path()).contains("no recorded decision"));

    let good = r#"{"algorithm":"fixed_window","amount":1,"window_us":1000,"steps":[{"t":1,"op":"hit","cost":1,"allowed":true,"remaining":0}]}"#;
    let mistakes = [
        ("fixed_window", "fixed_door", "fixed_door"),
        (r#""amount":1,"#, "", "`amount`"),
        (r#""amount":1"#, r#""amount":0"#, "amount of 0"),
        (r#""window_us":1000"#, r#""window_us":-1"#, "`window_us`"),
        (r#""allowed":true,"#, "", "`allowed`"),
        (r#""op":"hit""#, r#""op":"hop""#, "hop"),
        (r#","remaining":0"#, "", "`remaining`"),
        (r#""t":1,"#, "", "`t`"),
        ("}]}", "}]", "EOF"),
    ];
    let file = folder.path().join("traces.jsonl");
    for (right, wrong, complaint) in mistakes {
        std::fs::write(&file, format!("{good}\n{}\n", good.replacen(right, wrong, 1))).unwrap();
        let message = message(folder.path());
        assert!(message.contains(complaint), "{wrong}: {message}");
        assert!(message.contains("traces.jsonl:2"), "{message}");
    }
    std::fs::write(&file, good).unwrap();
    assert_eq!(read(folder.path()).unwrap().len(), 1);
}
