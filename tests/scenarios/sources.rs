//! No panic that a stranger could reach: what may panic stands in a list, with the reason why it does not.

use std::path::{Path, PathBuf};

/// What ends a program where it goes wrong.
const WORDS: [&str; 9] = [
    ".unwrap()",
    ".expect(",
    ".unwrap_err()",
    ".expect_err(",
    "panic!(",
    "unreachable!(",
    "todo!(",
    "unimplemented!(",
    "assert",
];

/// Where one of them may stand in the library: the file, what stands there, and why it is never reached.
const ALLOWED: &[(&str, &str, &str)] = &[(
    "limitra-core/src/storage/postgres/mod.rs",
    "unreachable!(\"the default settings of a PostgreSQL storage are right\")",
    "nothing in the settings comes from outside; each test of a pool goes this way",
)];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("tests.rs")
            && !path.ends_with("models.rs")
        {
            found.push(path);
        }
    }
}

/// The lines of code that end up in a program, with their numbers: no comments, no tests.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_start()));
    lines.filter(|(_, line)| !line.starts_with("//") && !line.starts_with("#[doc"))
}

#[test]
fn nothing_in_the_library_may_panic_but_what_is_listed_with_its_reason() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for library in ["limitra-core/src", "limitra-macros/src", "limitra/src"] {
        sources(&project.join(library), &mut files);
    }
    assert!(files.len() > 100, "{} files", files.len());
    let (mut unlisted, mut used) = (Vec::new(), 0);
    for file in files {
        let name = file.strip_prefix(project).unwrap().display().to_string();
        let text = std::fs::read_to_string(&file).unwrap();
        for (number, line) in code(&text).filter(|(_, line)| WORDS.iter().any(|word| line.contains(word))) {
            if ALLOWED.iter().any(|(place, what, _)| *place == name && line.contains(what)) {
                used += 1;
            } else {
                unlisted.push(format!("{name}:{number}: {line}"));
            }
        }
    }
    assert!(unlisted.is_empty(), "may panic, and is not listed:\n{}", unlisted.join("\n"));
    assert_eq!(used, ALLOWED.len(), "what is listed is not there any more");
}
