//! Many decisions: together with those of the same slot, beside those of others.

use std::collections::BTreeMap;

use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::super::is_down;
use super::redirection::Redirection;
use super::slots::slot;
use super::{Inner, NAME};
use crate::attempt::{Attempt, Outcome};
use crate::error::StorageError;
use crate::storage::Storage as _;
use crate::storage::redis::ask::Ask;
use crate::storage::redis::failure::Failed;

type Decided = Result<Outcome, StorageError>;

impl Inner {
    /// Decides each of these for itself; those of one slot in their order.
    pub(super) async fn decide_by_slot(&self, attempts: &[Attempt<'_>]) -> Vec<Decided> {
        let mut by_slot: BTreeMap<u16, Vec<(usize, Attempt<'_>)>> = BTreeMap::new();
        for (place, attempt) in attempts.iter().enumerate() {
            let first = attempt.subjects.first();
            let slot = first.map_or(0, |subject| slot(&self.key_prefix.full(subject.key)));
            by_slot.entry(slot).or_default().push((place, attempt.clone()));
        }
        let mut running = FuturesUnordered::new();
        for (slot, group) in by_slot {
            running.push(self.decide_group(slot, group));
        }
        let mut decided = Vec::with_capacity(attempts.len());
        while let Some(group) = running.next().await {
            decided.extend(group);
        }
        decided.sort_unstable_by_key(|(place, _)| *place);
        decided.into_iter().map(|(_, outcome)| outcome).collect()
    }

    /// Those of one slot, with their places.
    async fn decide_group(&self, slot: u16, group: Vec<(usize, Attempt<'_>)>) -> Vec<(usize, Decided)> {
        let (places, attempts): (Vec<usize>, Vec<Attempt<'_>>) = group.into_iter().unzip();
        places.into_iter().zip(self.decide_in(slot, &attempts).await).collect()
    }

    /// The same within one slot.
    async fn decide_in(&self, slot: u16, attempts: &[Attempt<'_>]) -> Vec<Decided> {
        let (mut outcomes, mut rest) = (Vec::with_capacity(attempts.len()), attempts);
        // Whoever comes after one that nobody answered is not kept waiting for the same.
        let mut down: Option<StorageError> = None;
        while let Some((first, others)) = rest.split_first() {
            let asks = Ask::first_of(rest, &self.key_prefix);
            if asks.len() < 2 {
                outcomes.push(self.decide(first).await);
                rest = others;
                continue;
            }
            let (batch, later) = rest.split_at_checked(asks.len()).unwrap_or((rest, &[]));
            match self.in_time("decide", self.decide_together(slot, &asks)).await {
                Ok(Some(together)) => outcomes.extend(together),
                // Not here, or not for all: nothing was run, and each finds its own way.
                Ok(None) => {
                    for attempt in batch {
                        let decided = match &down {
                            Some(error) => Err(error.clone()),
                            None => self.decide(attempt).await,
                        };
                        if let Err(error) = &decided
                            && is_down(error)
                        {
                            down.get_or_insert_with(|| error.clone());
                        }
                        outcomes.push(decided);
                    }
                }
                Err(error) => outcomes.extend(batch.iter().map(|_| Err(error.clone()))),
            }
            rest = later;
        }
        outcomes
    }

    /// One command to the slot's master; `None` if that would not run it.
    async fn decide_together(&self, slot: u16, asks: &[Ask]) -> Result<Option<Vec<Decided>>, StorageError> {
        let map = self.topology.get().await?;
        let Some(node) = map.connection.slots.master(slot) else {
            return Ok(None);
        };
        let answers = match node.server.connected().await {
            Ok(connected) => node.server.decide_together(&connected, asks.iter()).await,
            Err(failed) => Err(failed),
        };
        match answers {
            Ok(answers) => {
                let decided = |answer: Result<Outcome, Failed>| {
                    answer.map_err(|failed| failed.storage_error(NAME, "decide"))
                };
                Ok(Some(answers.into_iter().map(decided).collect()))
            }
            Err(failed) if failed.has_run_nothing() => Ok(None),
            Err(failed) => {
                let redirection = Redirection::after(&failed, &node.address.host);
                if matches!(redirection, Redirection::Elsewhere | Redirection::Lost) {
                    self.renew(&map);
                }
                Err(failed.storage_error(NAME, "decide"))
            }
        }
    }
}
