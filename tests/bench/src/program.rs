//! This program once more, in a process of its own.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Where this program is.
pub(crate) struct Program {
    path: PathBuf,
}

impl Program {
    pub(crate) fn this() -> Self {
        Self { path: env::current_exe().unwrap() }
    }

    pub(crate) fn path(&self) -> &PathBuf {
        &self.path
    }

    /// The number that it prints.
    pub(crate) fn number(&self, arguments: &[String]) -> f64 {
        let output = Command::new(&self.path).args(arguments).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", output.status);
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    }

    /// What the program beside it prints that counts allocations; it is built if it is not there.
    pub(crate) fn allocations(&self) -> Option<String> {
        const NAME: &str = "limitra-bench-allocations";
        let path = self.path.with_file_name(format!("{NAME}{}", env::consts::EXE_SUFFIX));
        // Cargo sets this for what it runs; `cargo run` builds only what it is told to run.
        if let Some(cargo) = env::var_os("CARGO") {
            let mut build = Command::new(cargo);
            build.args(["build", "-q", "-p", "limitra-bench", "--bin", NAME]);
            if !cfg!(debug_assertions) {
                build.arg("--release");
            }
            build.current_dir(env!("CARGO_MANIFEST_DIR")).status().ok()?;
        }
        let output = Command::new(path).stderr(Stdio::inherit()).output().ok()?;
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }
}
