//! The list of planted defects: `tests/mutants/mutants.txt`.

use std::fs;
use std::path::Path;

/// One defect: a text that stands once in a file, what is put in its place, and the test that has to fail then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mutant {
    /// What the defect is.
    pub name: String,
    /// The file, from the root of the workspace.
    pub file: String,
    /// The text, of one line.
    pub find: String,
    /// What is put in its place.
    pub put: String,
    /// Where the test is: arguments of `cargo test`.
    pub target: String,
    /// The test's full name.
    pub test: String,
}

impl Mutant {
    /// All of the list in the workspace at `root`.
    pub fn all(root: &Path) -> Vec<Self> {
        let text = fs::read_to_string(root.join("tests/mutants/mutants.txt")).expect("the list of mutants");
        Self::parse(&text)
    }

    /// The mutants of a list.
    ///
    /// A line that begins with `mutant` begins one, and each further line says one thing of it; empty lines and those
    /// that begin with `#` say nothing.
    pub fn parse(text: &str) -> Vec<Self> {
        let mut mutants: Vec<Self> = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (what, value) = line.split_once(' ').unwrap_or((line, ""));
            let value = value.trim().to_owned();
            if what == "mutant" {
                mutants.push(Self { name: value, ..Self::default() });
                continue;
            }
            let mutant = mutants.last_mut().unwrap_or_else(|| panic!("no mutant before: {line}"));
            *match what {
                "file" => &mut mutant.file,
                "find" => &mut mutant.find,
                "put" => &mut mutant.put,
                "in" => &mut mutant.target,
                "test" => &mut mutant.test,
                _ => panic!("no such word: {line}"),
            } = value;
        }
        mutants
    }

    /// The file's text with the defect.
    ///
    /// # Errors
    /// How often the text was found, if not once.
    pub fn plant(&self, root: &Path) -> Result<String, usize> {
        let text = fs::read_to_string(root.join(&self.file)).unwrap_or_default();
        match text.matches(&self.find).count() {
            1 => Ok(text.replace(&self.find, &self.put)),
            found => Err(found),
        }
    }
}
