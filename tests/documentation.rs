//! What the documentation says that there is, is there.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") && !path.ends_with(".git") {
                files(&path, extension, found);
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every function of the project.
fn functions() -> HashSet<String> {
    let mut sources = Vec::new();
    files(&project(), "rs", &mut sources);
    let mut functions = HashSet::new();
    for source in sources {
        let text = std::fs::read_to_string(source).unwrap();
        let names = text.split("fn ").skip(1).map(|rest| {
            rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
        });
        functions.extend(names);
    }
    functions
}

#[test]
fn every_test_that_the_table_of_python_names_refers_to_exists() {
    let table = std::fs::read_to_string(project().join("docs/python-names.md")).unwrap();
    let functions = functions();
    let mut rows = 0;
    for row in table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Python |")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let &[_, rust, tests] = cells.as_slice() else { panic!("not three cells: {row}") };
        let tests: Vec<&str> = tests.trim().split(", ").filter(|test| !test.is_empty()).collect();
        assert!(!tests.is_empty() || rust.contains("not offered"), "neither a test nor a reason: {row}");
        for test in tests {
            let name = test.trim_matches('`');
            assert!(test.starts_with('`') && functions.contains(name), "there is no test {test}: {row}");
        }
        rows += 1;
    }
    assert!(rows > 60, "{rows} rows");
}

#[test]
fn every_test_that_is_said_to_hold_against_an_attack_exists() {
    let page = std::fs::read_to_string(project().join("docs/attacks.md")).unwrap();
    let functions = functions();
    let mut rows = 0;
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| seen elsewhere |")) {
        let tests: Vec<&str> = row.split('`').skip(1).step_by(2).filter(|name| name.contains('_')).collect();
        assert!(!tests.is_empty(), "no test: {row}");
        for test in tests {
            let exists = functions.contains(test) || project().join(test).exists();
            assert!(exists, "there is no test {test}: {row}");
        }
        rows += 1;
    }
    assert!(rows > 40, "{rows} rows");
}

#[test]
fn every_test_that_holds_a_guarantee_exists() {
    let page = std::fs::read_to_string(project().join("docs/guarantees.md")).unwrap();
    let functions = functions();
    let mut rows = 0;
    let mut is_heading = true;
    for line in page.lines() {
        if !line.starts_with("| ") {
            // The line between a table's heading and its rows begins without a space.
            is_heading = !line.starts_with("|-");
            continue;
        }
        if is_heading {
            continue;
        }
        let cell = line.trim_end_matches('|').rsplit(" | ").next().unwrap();
        let tests: Vec<&str> = cell.split_whitespace().map(|name| name.trim_matches('`')).collect();
        assert!(!tests.is_empty(), "no test: {line}");
        for test in tests {
            assert!(functions.contains(test), "there is no test {test}: {line}");
        }
        rows += 1;
    }
    assert!(rows > 40, "{rows} rows");
}

/// Links between the pages lead somewhere.
#[test]
fn every_link_from_one_page_to_another_leads_to_a_page_and_a_heading() {
    let mut pages = Vec::new();
    files(&project().join("docs"), "md", &mut pages);
    pages.extend(
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"].map(|page| project().join(page)),
    );
    let mut links = 0;
    for page in &pages {
        let text = prose(&std::fs::read_to_string(page).unwrap());
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.contains("://") || link.is_empty() {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
            links += 1;
            if !heading.is_empty() && target.extension().is_some_and(|extension| extension == "md") {
                let text = std::fs::read_to_string(&target).unwrap();
                let headings: HashSet<String> = text.lines().filter_map(anchor).collect();
                assert!(headings.contains(heading), "{}: {link} leads to no heading", page.display());
            }
        }
    }
    assert!(links > 20, "{links} links");
}

/// The text without its code.
fn prose(text: &str) -> String {
    let blocks: Vec<&str> = text.split("\n```").step_by(2).collect();
    blocks.join("\n").split('`').step_by(2).collect()
}

/// What a heading is linked by.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let heading = heading.to_lowercase();
    let letters = heading.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        letter if letter.is_alphanumeric() || letter == '-' || letter == '_' => Some(letter),
        _ => None,
    });
    Some(letters.collect::<String>())
}
