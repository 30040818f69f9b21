//! The list of planted defects fits the code; `tests/mutants/run` plants each and looks whether its test fails.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;

use limitra_tests::Mutant;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn the_text_of_every_mutant_stands_once_in_its_file() {
    let stale: Vec<String> = Mutant::all(root())
        .iter()
        .filter_map(|mutant| {
            let found = mutant.plant(root()).err()?;
            Some(format!("{}: {found} times in {}: {}", mutant.name, mutant.file, mutant.find))
        })
        .collect();
    assert!(stale.is_empty(), "{stale:#?}");
}

#[test]
fn every_mutant_has_a_name_of_its_own_and_a_test_and_changes_something() {
    let mutants = Mutant::all(root());
    assert!(mutants.len() >= 20, "only {} mutants", mutants.len());
    let names: BTreeSet<&str> = mutants.iter().map(|mutant| mutant.name.as_str()).collect();
    assert_eq!(names.len(), mutants.len());
    for mutant in &mutants {
        assert_ne!(mutant.find, mutant.put, "{}", mutant.name);
        assert!(!mutant.target.is_empty() && !mutant.test.is_empty(), "{}", mutant.name);
    }
}

#[test]
fn a_text_that_stands_twice_or_nowhere_is_not_planted() {
    let mutant = Mutant { file: "tests/mutants/mutants.txt".to_owned(), ..Mutant::default() };
    let plant = |find: &str| Mutant { find: find.to_owned(), ..mutant.clone() }.plant(root());
    assert_eq!(plant("no such text stands in the list"), Err(0));
    assert!(plant("mutant ").unwrap_err() > 1);
}
