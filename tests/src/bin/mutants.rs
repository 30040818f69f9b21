//! Plants each defect of the list in a copy of the workspace, and looks whether its test fails.
//!
//! Arguments are parts of a mutant's name, file or test; without any all are planted. The exit status is 1 if a defect survives, its text is
//! not found once, or it cannot be built.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::time::Instant;

use limitra_tests::{Mutant, TemporaryFolder};

/// A test that a defect keeps from ending is stopped, and has failed.
const SECONDS: &str = "900";

/// What became of a defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Killed,
    Survived,
    NoLongerApplies,
    DoesNotBuild,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Killed => "killed",
            Self::Survived => "SURVIVED",
            Self::NoLongerApplies => "NO LONGER APPLIES",
            Self::DoesNotBuild => "DOES NOT BUILD",
        })
    }
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let parts: Vec<String> = std::env::args().skip(1).collect();
    let is_named = |mutant: &Mutant, part: &String| {
        [&mutant.name, &mutant.file, &mutant.target, &mutant.test].into_iter().any(|text| text.contains(part))
    };
    let is_wanted = |mutant: &Mutant| parts.is_empty() || parts.iter().any(|part| is_named(mutant, part));
    let mutants: Vec<Mutant> = Mutant::all(root).into_iter().filter(is_wanted).collect();
    let workshop = Workshop::copy_of(root);

    let tests: BTreeSet<(&str, &str)> =
        mutants.iter().map(|mutant| (mutant.target.as_str(), mutant.test.as_str())).collect();
    for (target, test) in tests {
        if workshop.judge(target, test).0 != Fate::Survived {
            println!("without any defect this fails: {target} {test}");
            return ExitCode::FAILURE;
        }
    }

    let mut fates = Vec::new();
    for mutant in &mutants {
        let began = Instant::now();
        let (fate, seed) = workshop.plant(mutant);
        println!("{fate:<18}{:>4} s  {:<55} {} {seed}", began.elapsed().as_secs(), mutant.name, mutant.test);
        fates.push(fate);
    }
    let killed = fates.iter().filter(|fate| **fate == Fate::Killed).count();
    println!("{killed} of {} killed", fates.len());
    if killed == fates.len() && killed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A copy of the workspace that may be spoilt, and goes with this.
struct Workshop {
    folder: TemporaryFolder,
    target: PathBuf,
}

impl Workshop {
    /// Of all files that are not ignored, as they are now.
    fn copy_of(root: &Path) -> Self {
        let folder = TemporaryFolder::new("mutants");
        let list = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .unwrap();
        assert!(list.status.success(), "git does not list the files");
        for file in String::from_utf8(list.stdout).unwrap().split('\0').filter(|file| !file.is_empty()) {
            let (from, to) = (root.join(file), folder.path().join(file));
            // What was removed and not yet committed is listed still.
            if from.is_file() {
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                fs::copy(from, to).unwrap();
            }
        }
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        // Not the tree's own: cargo would take what was built of a copy for the tree's.
        Self { folder, target: root.join(target).join("mutants") }
    }

    fn plant(&self, mutant: &Mutant) -> (Fate, String) {
        let root = self.folder.path();
        let Ok(spoilt) = mutant.plant(root) else {
            return (Fate::NoLongerApplies, String::new());
        };
        let file = root.join(&mutant.file);
        let whole = fs::read_to_string(&file).unwrap();
        fs::write(&file, spoilt).unwrap();
        let fate = self.judge(&mutant.target, &mutant.test);
        fs::write(&file, whole).unwrap();
        fate
    }

    /// Whether this test fails, and by which seed if it is the simulation.
    fn judge(&self, target: &str, test: &str) -> (Fate, String) {
        let arguments: Vec<&str> = target.split_whitespace().collect();
        if !self.cargo(&[&arguments[..], &["--no-run"]].concat()).status.success() {
            return (Fate::DoesNotBuild, String::new());
        }
        let found = self.cargo(&[&arguments[..], &["--", "--exact", test]].concat());
        let told = String::from_utf8_lossy(&found.stdout);
        assert!(told.contains("running 1 test\n"), "there is no test {test} in {target}: {told}");
        let seed = told.split_once("LIMITRA_SIMULATION_SEED=").and_then(|(_, rest)| rest.split(':').next());
        let seed = seed.map(|seed| format!("(seed {seed})")).unwrap_or_default();
        (if found.status.success() { Fate::Survived } else { Fate::Killed }, seed)
    }

    fn cargo(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("timeout");
        // What cargo told this program of its own package is not for the cargo that it calls: build scripts look at it.
        for (name, _) in std::env::vars() {
            if name.starts_with("CARGO_") && !matches!(name.as_str(), "CARGO_HOME" | "CARGO_TARGET_DIR") {
                command.env_remove(name);
            }
        }
        command
            .args([SECONDS, "cargo", "test"])
            .args(arguments)
            .current_dir(self.folder.path())
            .env("CARGO_TARGET_DIR", &self.target)
            // A defect may fail a thousand times while a test looks for the least that shows it.
            .env("RUST_BACKTRACE", "0")
            .output()
            .unwrap()
    }
}
