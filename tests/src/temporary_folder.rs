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
        Self::below(&std::env::temp_dir(), label)
    }

    /// The same in memory, where the system has a folder there.
    pub fn in_memory(label: &str) -> Self {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() { Self::below(memory, label) } else { Self::new(label) }
    }

    fn below(folder: &Path, label: &str) -> Self {
        let path = folder.join(format!("limitra-{label}-{}", fresh_id()));
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
