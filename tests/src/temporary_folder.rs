//! A folder that goes with its value.

use std::fs;
use std::path::{Path, PathBuf};

use crate::fresh_id;

/// A new, empty folder below the system's temporary one, removed with all it holds when this value is dropped.
#[derive(Debug)]
pub struct TemporaryFolder {
    path: PathBuf,
}

impl TemporaryFolder {
    /// Makes a folder whose name begins with `limitra-` and this label.
    pub fn new(label: &str) -> Self {
        let path = std::env::temp_dir().join(format!("limitra-{label}-{}", fresh_id()));
        fs::create_dir_all(&path).expect("a temporary folder cannot be made");
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
