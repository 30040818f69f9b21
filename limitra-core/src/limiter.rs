//! The limiter: rules, who asks, and a storage.

use std::borrow::Cow;
use std::fmt;
use std::iter;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use smallvec::{SmallVec, smallvec};

use crate::attempt::{Mode, Subject};
use crate::charge::Charge;
use crate::decide::Desk;
use crate::deciding::{Deciding, Read};
use crate::decision::Decision;
use crate::error::Error;
use crate::give_back::Returning;
use crate::identifier::Identifier;
use crate::key::KeySpace;
use crate::limiter_config::LimiterConfig;
use crate::pending::{Answer, Pending};
use crate::question::Subjects;
use crate::rule::Rule;
use crate::rule_decision::RuleDecision;
use crate::status::{Status, Usage};
#[cfg(feature = "http")]
use crate::straight::Found;
use crate::straight::Straight;

/// A limiter of any algorithm over any storage, with one or several limits. Clones share it.
///
/// Every method takes `&self`, and an identifier: a string, bytes, an integer or an IP address. On memory a
/// decision is taken at once and never yields; on Redis it is one round trip.
///
/// ```
/// use limitra_core::{Error, RateLimiter};
/// # fn block_on<F: std::future::Future>(future: F) -> F::Output {
/// #     let mut future = std::pin::pin!(future);
/// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// #     loop { if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) { return value; } }
/// # }
/// # block_on(async {
///
/// let limiter = RateLimiter::builder().requests(2).window(60).build()?;
/// assert!(limiter.allow_request("ada").await?);
/// assert!(limiter.allow_request("ada").await?);
/// assert!(!limiter.allow_request("ada").await?);
/// assert!(limiter.allow_request("bob").await?);
/// # Ok::<(), Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct RateLimiter {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// The way of nearly every decision, if there is such a one.
    pub(crate) straight: Option<Straight>,
    pub(crate) rules: SmallVec<[Rule; 1]>,
    pub(crate) space: KeySpace,
    pub(crate) desk: Desk,
    pub(crate) config: LimiterConfig,
    /// Off by the config: everything is allowed and nothing counted.
    pub(crate) enabled: bool,
}

impl RateLimiter {
    pub(crate) fn from_inner(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// Whether this request is allowed; if so it is counted.
    ///
    /// # Errors
    /// [`Error::Storage`] if no decision could be had and no outage policy answers in its place.
    #[inline]
    pub fn allow_request<'a>(
        &self,
        identifier: impl Into<Identifier<'a>>,
    ) -> impl Future<Output = Result<bool, Error>> {
        self.decide(identifier, 1, Mode::Hit, |read| read.is_allowed())
    }

    /// Decides a request and counts it if it is allowed.
    ///
    /// # Errors
    /// As [`RateLimiter::allow_request`].
    #[inline]
    pub fn check<'a>(
        &self,
        identifier: impl Into<Identifier<'a>>,
    ) -> impl Future<Output = Result<Decision, Error>> {
        self.check_cost(identifier, 1)
    }

    /// Decides a request that costs `cost` units; all of them are counted or none. A cost of 0 is
    /// allowed without counting anything.
    ///
    /// # Errors
    /// As [`RateLimiter::allow_request`]; [`Error::CostAboveLimit`] if it could never be allowed.
    #[inline]
    pub fn check_cost<'a>(
        &self,
        identifier: impl Into<Identifier<'a>>,
        cost: u64,
    ) -> impl Future<Output = Result<Decision, Error>> {
        #[allow(clippy::redundant_closure_for_method_calls)] // The method is not general over lifetimes.
        self.decide(identifier, cost, Mode::Hit, |read| read.decision())
    }

    /// Decides many requests at once, each for itself and in their order: what as many calls of [`RateLimiter::check`]
    /// one after the other would answer. An identifier that is named twice is counted twice.
    ///
    /// On Redis it is one command for up to 128 of them. On memory the records of single buckets are asked for some decisions ahead:
    /// where there are more identifiers than the processor's caches hold, each then costs about a third of a call of its own.
    ///
    /// # Errors
    /// Each answer has its own: as [`RateLimiter::allow_request`].
    ///
    /// ```
    /// use limitra_core::{Error, RateLimiter};
    ///
    /// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    /// let limiter = RateLimiter::builder().requests(1).window(60).build()?;
    /// # let decided = std::pin::pin!(limiter.check_many(["ada", "bob", "ada"]));
    /// # let std::task::Poll::Ready(decisions) = std::future::Future::poll(decided, &mut context) else { panic!() };
    /// // let decisions = limiter.check_many(["ada", "bob", "ada"]).await;
    /// let allowed: Result<Vec<bool>, Error> =
    ///     decisions.into_iter().map(|decision| Ok(decision?.is_allowed())).collect();
    /// assert_eq!(allowed?, [true, true, false]);
    /// # Ok::<(), Error>(())
    /// ```
    pub async fn check_many<'a, I>(
        &self,
        identifiers: impl IntoIterator<Item = I>,
    ) -> Vec<Result<Decision, Error>>
    where
        I: Into<Identifier<'a>>,
    {
        let identifiers = Self::listed(identifiers);
        match &self.inner.straight {
            Some(straight) => straight.decide_many(&identifiers, &self.inner.space, &self.inner.desk),
            None => self.all_placed(self.ask_many(&identifiers).await),
        }
    }

    /// Says what [`RateLimiter::check`] would, and counts nothing.
    ///
    /// # Errors
    /// As [`RateLimiter::allow_request`].
    #[inline]
    pub fn test<'a>(
        &self,
        identifier: impl Into<Identifier<'a>>,
    ) -> impl Future<Output = Result<Decision, Error>> {
        self.test_cost(identifier, 1)
    }

    /// Says what [`RateLimiter::check_cost`] would, and counts nothing.
    ///
    /// # Errors
    /// As [`RateLimiter::check_cost`].
    #[inline]
    pub fn test_cost<'a>(
        &self,
        identifier: impl Into<Identifier<'a>>,
        cost: u64,
    ) -> impl Future<Output = Result<Decision, Error>> {
        #[allow(clippy::redundant_closure_for_method_calls)] // The method is not general over lifetimes.
        self.decide(identifier, cost, Mode::Peek, |read| read.decision().of_test())
    }

    /// Gives back what an allowed hit charged to this identifier, as far as it still counts; whether anything did.
    ///
    /// For what is charged before it is known whether it should count: a login charges each attempt, and gives the unit back when the
    /// password was right. Only what the hit charged is undone: its window, its entry of a log, what of it is still in its
    /// bucket. A later window keeps its count. A decision that was refused, unlimited, taken by a test or by an outage
    /// policy, or that cost 0 has nothing to give back, and nothing is asked. One round trip, and on memory one lock.
    ///
    /// Nobody is let through by it whom the limiter would have refused had the charge never been made; what that means for
    /// buckets of which several charges are out at once, and for fixed windows, `docs/give-back.md` says exactly.
    ///
    /// # Errors
    /// [`Error::Storage`] if it is not known to have happened: no outage policy hides that, and the charge stays.
    /// [`ConfigurationError::OtherDecision`](crate::ConfigurationError::OtherDecision) if this limiter's limits have another
    /// algorithm or window than the decision's.
    ///
    /// ```
    /// use limitra_core::{Error, RateLimiter};
    /// # fn block_on<F: std::future::Future>(future: F) -> F::Output {
    /// #     let mut future = std::pin::pin!(future);
    /// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    /// #     loop { if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) { return value; } }
    /// # }
    /// # block_on(async {
    ///
    /// let limiter = RateLimiter::builder().requests(1).window(60).build()?;
    /// let decision = limiter.check("ada").await?;
    /// assert!(decision.is_allowed());
    /// // The password was right.
    /// assert!(limiter.give_back("ada", decision).await?);
    /// assert!(limiter.allow_request("ada").await?);
    /// # Ok::<(), Error>(()) }).unwrap();
    /// ```
    #[allow(clippy::needless_pass_by_value)] // It is given back once.
    pub async fn give_back<'a>(
        &self,
        identifier: impl Into<Identifier<'a>>,
        decision: Decision,
    ) -> Result<bool, Error> {
        let returning = self.return_charge(&identifier.into(), &decision);
        returning.await
    }

    /// Asks to give back: an answer to come, which borrows nothing of the question.
    pub(crate) fn return_charge(&self, identifier: &Identifier<'_>, decision: &Decision) -> Returning {
        let key = self.inner.space.key(slice::from_ref(identifier));
        let cost = decision.rules().first().map_or(0, RuleDecision::cost);
        let rules = if self.inner.enabled { &self.inner.rules[..] } else { &[] };
        self.inner.desk.give_back(&[Subject { key, rules: Cow::Borrowed(rules), cost }], decision)
    }

    /// What stands against an identifier in the algorithm's own words, for the limit that binds.
    /// `None` if no limit applies, or none could be asked and the outage policy is `open`.
    ///
    /// # Errors
    /// As [`RateLimiter::allow_request`].
    #[doc(alias = "get_status")]
    #[inline]
    pub fn status<'a>(
        &self,
        identifier: impl Into<Identifier<'a>>,
    ) -> impl Future<Output = Result<Option<Status>, Error>> {
        self.decide(identifier, 1, Mode::Peek, |read| read.decision().binding().map(RuleDecision::status))
    }

    /// What stands against an identifier, alike for all algorithms, for the limit that binds.
    ///
    /// Where no limit applies, `limit` and `remaining` are [`u64::MAX`].
    ///
    /// # Errors
    /// As [`RateLimiter::allow_request`].
    #[doc(alias = "get_usage")]
    #[inline]
    pub fn usage<'a>(
        &self,
        identifier: impl Into<Identifier<'a>>,
    ) -> impl Future<Output = Result<Usage, Error>> {
        self.decide(identifier, 1, Mode::Peek, |read| Usage::of(&read.decision()))
    }

    /// How long until the next request would be allowed; zero if it would be now.
    ///
    /// # Errors
    /// As [`RateLimiter::allow_request`].
    #[doc(alias = "get_wait_time")]
    #[inline]
    pub fn wait_time<'a>(
        &self,
        identifier: impl Into<Identifier<'a>>,
    ) -> impl Future<Output = Result<Duration, Error>> {
        self.decide(identifier, 1, Mode::Peek, |read| read.decision().retry_after())
    }

    /// Forgets everything about this identifier, and about no other.
    ///
    /// # Errors
    /// [`Error::Storage`] if that is not known to have happened.
    pub async fn reset(&self, identifier: impl Into<Identifier<'_>>) -> Result<(), Error> {
        let identifier = [identifier.into()];
        self.inner.desk.clear(self.inner.space.key(&identifier)).await
    }

    /// The full storage key of an identifier; no I/O.
    ///
    /// Prefix, project, function, scope, identifier and suffix, separated by `:`; see [`crate::Key`].
    #[doc(alias = "get_key")]
    pub fn key<'a>(&self, identifier: impl Into<Identifier<'a>>) -> String {
        let identifier = [identifier.into()];
        self.inner.space.key(&identifier).text().into_owned()
    }

    /// What it was built from.
    #[doc(alias = "get_config")]
    pub fn config(&self) -> &LimiterConfig {
        &self.inner.config
    }

    /// How many decisions of this limiter could not be had from its storage so far, let through or not.
    pub fn outages(&self) -> u64 {
        self.inner.desk.outages.count()
    }

    /// This limiter and an identifier as one subject of a decision of several; see [`check_all`](crate::check_all).
    pub fn of<'a>(&'a self, identifier: impl Into<Identifier<'a>>) -> Charge<'a> {
        Charge::new(self, identifier.into())
    }

    #[inline]
    fn decide<'a, T, R: Fn(Read<'_>) -> T + Unpin>(
        &self,
        identifier: impl Into<Identifier<'a>>,
        cost: u64,
        mode: Mode,
        read: R,
    ) -> Deciding<'_, 'a, R> {
        Deciding::new(self, identifier.into(), cost, mode, read)
    }

    /// The answer of the straight way, if it leads there.
    #[cfg(any(feature = "blocking", feature = "http"))]
    #[inline]
    pub(crate) fn at_once(&self, identifier: &Identifier<'_>, cost: u64, mode: Mode) -> Option<Answer> {
        let straight = self.inner.straight.as_ref().filter(|straight| straight.takes(cost))?;
        let parts = slice::from_ref(identifier);
        if let Some(found) = straight.at_once(parts, cost, mode) {
            return Some(Ok(found.decision()));
        }
        Some(straight.decide(&self.inner.desk, self.inner.space.key(parts), cost, mode))
    }

    /// A hit, if it is decided at once: on memory, by one rule, where nothing is in the way. Else nothing has happened.
    #[cfg(feature = "http")]
    #[allow(clippy::inline_always)] // See `Deciding::poll`.
    #[inline(always)]
    pub(crate) fn hit_at_once(&self, parts: &[Identifier<'_>], cost: u64) -> Option<Found<'_>> {
        let straight = self.inner.straight.as_ref().filter(|straight| straight.takes(cost))?;
        straight.at_once(parts, cost, Mode::Hit)
    }

    /// Whether both count an identifier in the same place.
    #[cfg(feature = "http")]
    pub(crate) fn shares_counters_with(&self, other: &Self) -> bool {
        self.inner.space == other.inner.space
    }

    /// Whether both can take part in one decision.
    #[cfg(feature = "http")]
    pub(crate) fn decides_with(&self, other: &Self) -> bool {
        self.inner.desk.is_same(&other.inner.desk)
    }

    /// Where it counts.
    #[cfg(feature = "http")]
    pub(crate) fn storage(&self) -> &crate::storage::AnyStorage {
        &self.inner.desk.storage
    }

    /// Whether it limits anybody: off by the config it does not.
    #[cfg(feature = "http")]
    pub(crate) fn is_enabled(&self) -> bool {
        self.inner.enabled
    }

    /// Asks for a decision the general way: an answer to come, which borrows nothing of the question.
    #[inline(never)]
    pub(crate) fn ask(&self, identifier: &Identifier<'_>, cost: u64, mode: Mode) -> Pending {
        if !self.inner.enabled {
            return Pending::ready(Ok(Decision::unlimited()));
        }
        let key = self.inner.space.key(slice::from_ref(identifier));
        let subject = Subject { key, rules: Cow::Borrowed(&self.inner.rules), cost };
        let subjects: Subjects<'_> = smallvec![subject];
        self.inner.desk.decide(&subjects, mode)
    }

    /// Identifiers, each as the parts of a key.
    pub(crate) fn listed<'a, I>(identifiers: impl IntoIterator<Item = I>) -> Vec<[Identifier<'a>; 1]>
    where
        I: Into<Identifier<'a>>,
    {
        identifiers.into_iter().map(|identifier| [identifier.into()]).collect()
    }

    /// Asks for many decisions the general way, each for itself.
    pub(crate) fn ask_many(&self, parts: &[[Identifier<'_>; 1]]) -> Pending<Vec<Answer>> {
        if !self.inner.enabled {
            return Pending::ready(parts.iter().map(|_| Ok(Decision::unlimited())).collect());
        }
        let questions = parts.iter().map(|parts| -> Subjects<'_> {
            let key = self.inner.space.key(parts);
            smallvec![Subject { key, rules: Cow::Borrowed(&self.inner.rules), cost: 1 }]
        });
        self.inner.desk.decide_many(questions, Mode::Hit)
    }

    /// Decisions that know the scope that they were taken in.
    pub(crate) fn all_placed(&self, answers: Vec<Answer>) -> Vec<Answer> {
        answers.into_iter().map(|answer| answer.map(|decision| self.placed(decision))).collect()
    }

    /// A decision that knows the scope that it was taken in.
    pub(crate) fn placed(&self, decision: Decision) -> Decision {
        decision.of_scopes(iter::once_with(|| Arc::clone(&self.inner.desk.label)))
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter")
            .field("config", &self.inner.config)
            .field("storage", &self.inner.desk.storage)
            .finish_non_exhaustive()
    }
}
