//! Decisions on several subjects at once.

use std::borrow::Cow;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use crate::attempt::{Mode, Subject};
use crate::decide::Desk;
use crate::decision::Decision;
use crate::error::{ConfigurationError, Error};
use crate::give_back::Returning;
use crate::identifier::Identifier;
use crate::limiter::RateLimiter;
use crate::pending::Pending;
use crate::question::Subjects;

/// One subject of a decision of several: a limiter, an identifier and a cost. See [`check_all`].
#[derive(Clone, Debug)]
pub struct Charge<'a> {
    limiter: &'a RateLimiter,
    /// What it is counted by: one identifier, or the parts of one.
    parts: SmallVec<[Identifier<'a>; 1]>,
    cost: u64,
}

impl<'a> Charge<'a> {
    pub(crate) fn new(limiter: &'a RateLimiter, identifier: Identifier<'a>) -> Self {
        Self { limiter, parts: smallvec![identifier], cost: 1 }
    }

    /// With an identifier in parts.
    #[cfg(feature = "http")]
    pub(crate) fn of_parts(limiter: &'a RateLimiter, parts: impl Iterator<Item = Identifier<'a>>) -> Self {
        Self { limiter, parts: parts.collect(), cost: 1 }
    }

    /// The same with a cost other than 1.
    pub fn cost(mut self, cost: u64) -> Self {
        self.cost = cost;
        self
    }
}

/// Decides several subjects at once, all or nothing: this user and the whole tenant, say.
///
/// The limiters may have different algorithms and limits; they share a storage (and clock). It is
/// one atomic command on Redis and one locked step in memory. A refusal by one charges none.
///
/// ```
/// use limitra_core::{Error, MemoryStorage, RateLimiter, check_all};
/// # fn block_on<F: std::future::Future>(future: F) -> F::Output {
/// #     let mut future = std::pin::pin!(future);
/// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// #     loop { if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) { return value; } }
/// # }
/// # block_on(async {
///
/// let memory = MemoryStorage::new();
/// let user = RateLimiter::builder().requests(10).window(60).storage(&memory).build()?;
/// let tenant = RateLimiter::builder()
///     .algorithm("token_bucket").requests(1).window(60).scope("tenant").storage(&memory).build()?;
///
/// assert!(check_all([user.of("ada"), tenant.of("acme")]).await?.is_allowed());
/// assert!(!check_all([user.of("ada"), tenant.of("acme")]).await?.is_allowed());
/// assert_eq!(user.usage("ada").await?.count, 1);
/// # Ok::<(), Error>(()) }).unwrap();
/// ```
///
/// # Errors
/// As [`RateLimiter::check_cost`]; a [`ConfigurationError`] if there is no subject, one is named
/// twice, or the limiters do not share a storage. An outage policy applies if all of them have
/// the same one (for a local share: of the same handle); else the error does.
pub async fn check_all<'a>(charges: impl IntoIterator<Item = Charge<'a>>) -> Result<Decision, Error> {
    let charges: Charges<'a> = charges.into_iter().collect();
    let (_, pending) = charges.ask()?;
    Ok(pending.await?.of_scopes(charges.scopes()))
}

/// Gives back what an allowed decision of [`check_all`] charged to the same subjects, as far as it still counts; whether
/// anything did. See [`RateLimiter::give_back`].
///
/// ```
/// use limitra_core::{Error, MemoryStorage, RateLimiter, check_all, give_back_all};
/// # fn block_on<F: std::future::Future>(future: F) -> F::Output {
/// #     let mut future = std::pin::pin!(future);
/// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// #     loop { if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) { return value; } }
/// # }
/// # block_on(async {
///
/// let memory = MemoryStorage::new();
/// let user = RateLimiter::builder().requests(5).window(60).storage(&memory).build()?;
/// let address = RateLimiter::builder().requests(50).window(60).scope("address").storage(&memory).build()?;
///
/// let decision = check_all([user.of("ada"), address.of("192.0.2.1")]).await?;
/// assert!(give_back_all([user.of("ada"), address.of("192.0.2.1")], decision).await?);
/// assert_eq!(address.usage("192.0.2.1").await?.count, 0);
/// # Ok::<(), Error>(()) }).unwrap();
/// ```
///
/// # Errors
/// As [`RateLimiter::give_back`]; a [`ConfigurationError`] as [`check_all`].
#[allow(clippy::needless_pass_by_value)] // It is given back once.
pub async fn give_back_all<'a>(
    charges: impl IntoIterator<Item = Charge<'a>>,
    decision: Decision,
) -> Result<bool, Error> {
    let charges: Charges<'a> = charges.into_iter().collect();
    let (_, returning) = charges.return_charge(&decision)?;
    returning.await
}

/// The subjects of a decision of several.
#[derive(Debug)]
pub(crate) struct Charges<'a>(SmallVec<[Charge<'a>; 4]>);

impl<'a> FromIterator<Charge<'a>> for Charges<'a> {
    fn from_iter<I: IntoIterator<Item = Charge<'a>>>(charges: I) -> Self {
        Self(charges.into_iter().collect())
    }
}

impl Charges<'_> {
    /// Asks for the decision: at which desk, and its answer on its way, which borrows nothing of the charges.
    pub(crate) fn ask(&self) -> Result<(Option<Desk>, Pending), Error> {
        Ok(match self.named()? {
            Some((desk, subjects)) => {
                let pending = desk.decide(&subjects, Mode::Hit);
                (Some(desk), pending)
            }
            None => (None, Pending::ready(Ok(Decision::unlimited()))),
        })
    }

    /// Asks to give back what a decision charged to these: at which desk, and the answer on its way.
    pub(crate) fn return_charge(&self, decision: &Decision) -> Result<(Option<Desk>, Returning), Error> {
        Ok(match self.named()? {
            Some((desk, subjects)) => {
                let returning = desk.give_back(&subjects, decision);
                (Some(desk), returning)
            }
            None => (None, Pending::ready(Ok(false))),
        })
    }

    /// The desk that these are asked at, and the subjects; `None` if all of them are off.
    fn named(&self) -> Result<Option<(Desk, Subjects<'_>)>, Error> {
        if self.0.is_empty() {
            return Err(ConfigurationError::NoSubject.into());
        }
        let Some(first) = self.0.iter().find(|charge| charge.limiter.inner.enabled) else {
            return Ok(None);
        };
        let mut desk = first.limiter.inner.desk.clone();
        let mut subjects = Subjects::new();
        let mut keys: SmallVec<[String; 4]> = SmallVec::new();
        for charge in &self.0 {
            let inner = &charge.limiter.inner;
            if !inner.enabled {
                // It asks nothing, but keeps its place: decisions name subjects by it.
                let (key, rules) = (inner.space.key(&charge.parts), Cow::Owned(Vec::new()));
                subjects.push(Subject { key, rules, cost: charge.cost });
                continue;
            }
            if !desk.is_same(&inner.desk) {
                return Err(ConfigurationError::DifferentStorages.into());
            }
            desk.join(&inner.desk);
            let key = inner.space.key(&charge.parts);
            keys.push(key.text().into_owned());
            subjects.push(Subject { key, rules: Cow::Borrowed(&inner.rules), cost: charge.cost });
        }
        // Sorted, for a caller's subjects may be a client's list.
        let named = keys.len();
        keys.sort_unstable();
        keys.dedup();
        if keys.len() < named {
            return Err(ConfigurationError::SubjectTwice.into());
        }
        Ok(Some((desk, subjects)))
    }

    /// The scopes of the subjects, in their order.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = Arc<str>> + '_ {
        self.0.iter().map(|charge| Arc::clone(&charge.limiter.inner.desk.label))
    }
}
