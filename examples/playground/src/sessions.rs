//! The runs of all pages, a bounded number.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::session::Session;

/// A run that its page's steps take turns at.
pub(crate) type Run = Arc<tokio::sync::Mutex<Session>>;

/// The runs of all pages; the one that has waited longest gives way to one too many. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions {
    /// Those used last stand at the end.
    runs: Arc<Mutex<VecDeque<(String, Run)>>>,
}

impl Sessions {
    /// Pages open at one time.
    const MOST: usize = 32;

    /// Keeps a run, in place of the one that its page had; under which name is said.
    pub(crate) fn keep(&self, session: Session, replaced: Option<&str>) -> String {
        let name = format!("{:016x}", RandomState::new().hash_one(0));
        let mut runs = self.runs();
        runs.retain(|(name, _)| Some(name.as_str()) != replaced);
        if runs.len() >= Self::MOST {
            runs.pop_front();
        }
        runs.push_back((name.clone(), Arc::new(tokio::sync::Mutex::new(session))));
        name
    }

    pub(crate) fn find(&self, name: &str) -> Option<Run> {
        let mut runs = self.runs();
        let place = runs.iter().position(|(known, _)| known == name)?;
        let found = runs.remove(place)?;
        let run = Arc::clone(&found.1);
        runs.push_back(found);
        Some(run)
    }

    fn runs(&self) -> MutexGuard<'_, VecDeque<(String, Run)>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
