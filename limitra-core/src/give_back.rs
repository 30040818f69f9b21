//! The way from a decision back to the storage.

use crate::attempt::Subject;
use crate::decide::Desk;
use crate::decision::Decision;
use crate::error::{Error, StorageError, StorageErrorKind};
use crate::pending::Pending;
use crate::receipt::Receipt;

/// Whether anything was given back, on its way.
pub(crate) type Returning = Pending<Result<bool, Error>>;

impl Desk {
    /// Gives back what a decision charged to these subjects: at once where the storage is memory, else when the answer is
    /// awaited.
    ///
    /// What is returned borrows nothing of the question.
    pub(crate) fn give_back(&self, subjects: &[Subject<'_>], decision: &Decision) -> Returning {
        let receipt = match Receipt::of(decision, subjects) {
            Ok(Some(receipt)) => receipt,
            Ok(None) => return Pending::ready(Ok(false)),
            Err(mistake) => return Pending::ready(Err(mistake.into())),
        };
        let clock = self.clock_of(&receipt.subjects());
        if let Some(memory) = self.storage.memory() {
            return Pending::ready(self.returned(Ok(receipt.give_back_now(memory, clock))));
        }
        let desk = self.clone();
        Pending::running(async move {
            let answer = receipt.give_back(&*desk.asked(), clock).await;
            desk.returned(answer)
        })
    }

    /// What came of it. An error is an outage as with a decision, but no policy answers in the storage's place: the charge stays.
    pub(crate) fn returned(&self, answer: Result<bool, StorageError>) -> Result<bool, Error> {
        match &answer {
            Ok(_) => self.outages.decided(|| self.whose()),
            // Nothing is out that was never there.
            Err(error) if error.kind() == StorageErrorKind::Unsupported => {}
            Err(error) => self.outages.failed(self.whose(), error),
        }
        Ok(answer?)
    }
}
