//! One attributed function.

use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;

use super::call::{Call, Pending};
use super::declaration::{Declaration, Plan};
use crate::attempt::Mode;
use crate::decision::Decision;
use crate::error::{ConfigurationError, Error};
use crate::exceeded::RateLimitExceeded;
use crate::handle::Limitra;
use crate::identifier::Identifier;
use crate::limit::Limit;
use crate::outage::Seldom;
use crate::pending;
use crate::straight::Found;

/// What a call is told to wait that was refused by a mistake or an outage.
const A_MINUTE: Duration = Duration::from_secs(60);
/// More handles than this are not remembered for one function; the oldest is planned anew.
const REMEMBERED_PLANS: usize = 4096;

/// One attributed function, as a `static` in its body.
#[derive(Debug, Default)]
pub struct Site {
    /// The plan of the first call: nearly always the only one.
    first: OnceCell<(PlanKey, Planned)>,
    /// Those of other handles, and of other types that share a trait's default method.
    others: RwLock<Vec<(PlanKey, Arc<Planned>)>>,
    /// Of calls for which nothing could be decided.
    undecided: Seldom,
}

/// What was planned, or why it cannot be.
type Planned = Result<Plan, ConfigurationError>;

/// What a plan depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PlanKey {
    handle: Option<u64>,
    self_type: Option<&'static str>,
}

/// A plan, wherever it is kept.
#[derive(Clone, Debug)]
pub(super) enum PlanRef {
    First(&'static Planned),
    Other(Arc<Planned>),
}

impl Deref for PlanRef {
    type Target = Planned;

    fn deref(&self) -> &Planned {
        match self {
            Self::First(planned) => planned,
            Self::Other(planned) => planned,
        }
    }
}

/// `limitra = expr`, or its absence.
#[derive(Clone, Copy, Debug)]
pub struct Handle<'a>(Option<&'a Limitra>);

/// There is no `limitra = expr`.
#[inline]
pub fn no_handle() -> Handle<'static> {
    Handle(None)
}

/// `limitra = expr`.
#[inline]
pub fn handle(limitra: &Limitra) -> Handle<'_> {
    Handle(Some(limitra))
}

impl Site {
    /// A function that was not called yet.
    pub const fn new() -> Self {
        Self { first: OnceCell::new(), others: RwLock::new(Vec::new()), undecided: Seldom::new() }
    }

    /// The plan of the first call, if that was of this kind.
    #[inline]
    fn first(&'static self, key: PlanKey) -> Option<&'static Planned> {
        match self.first.get() {
            Some((first, planned)) if *first == key => Some(planned),
            _ => None,
        }
    }

    fn plan(&'static self, key: PlanKey, make: impl FnOnce() -> Planned) -> PlanRef {
        let mut make = Some(make);
        let (first, planned) = self.first.get_or_init(|| {
            // Runs at most once, so the closure is there.
            let planned = make.take().map_or(Err(ConfigurationError::NoLimit), |make| make());
            (key, planned)
        });
        if *first == key {
            return PlanRef::First(planned);
        }
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, planned)) = others.iter().find(|(other, _)| *other == key) {
            return PlanRef::Other(Arc::clone(planned));
        }
        drop(others);
        let planned = Arc::new(make.map_or(Err(ConfigurationError::NoLimit), |make| make()));
        let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, earlier)) = others.iter().find(|(other, _)| *other == key) {
            return PlanRef::Other(Arc::clone(earlier));
        }
        if others.len() >= REMEMBERED_PLANS {
            others.remove(0);
        }
        others.push((key, Arc::clone(&planned)));
        PlanRef::Other(planned)
    }
}

/// One call that brings nothing but its key, the common case: [`call`] with one layer and these parts, decided.
#[inline]
pub fn ask<const N: usize>(
    site: &'static Site,
    path: &'static str,
    self_type: Option<&'static str>,
    handle: Handle<'_>,
    parts: [Identifier<'_>; N],
    declare: impl FnOnce(&mut Declaration),
) -> Pending {
    let read = |found: Found<'_>, planned| Pending::decided(found.decision(), planned);
    asked(site, path, self_type, handle, parts, declare, read, |pending| pending)
}

/// The same where nobody reads the decision; `None` if the body runs. So nothing is worked out that is not read.
#[inline]
pub fn admit<const N: usize>(
    site: &'static Site,
    path: &'static str,
    self_type: Option<&'static str>,
    handle: Handle<'_>,
    parts: [Identifier<'_>; N],
    declare: impl FnOnce(&mut Declaration),
) -> Option<Pending> {
    let read = |found: Found<'_>, planned| {
        (!found.is_allowed()).then(|| Pending::decided(found.decision(), planned))
    };
    asked(site, path, self_type, handle, parts, declare, read, Some)
}

#[allow(clippy::inline_always, clippy::too_many_arguments)] // See `Deciding::poll`.
#[inline(always)]
fn asked<const N: usize, T>(
    site: &'static Site,
    path: &'static str,
    self_type: Option<&'static str>,
    handle: Handle<'_>,
    parts: [Identifier<'_>; N],
    declare: impl FnOnce(&mut Declaration),
    read: impl FnOnce(Found<'_>, PlanRef) -> T,
    pending: impl FnOnce(Pending) -> T,
) -> T {
    let key = PlanKey { handle: handle.0.map(Limitra::number), self_type };
    if let Some(planned) = site.first(key)
        && let Ok(plan) = planned
        && let (Some(straight), Some(layer)) = (&plan.straight, plan.layers.first())
    {
        if let Some(found) = straight.at_once(&parts, layer.cost, Mode::Hit) {
            return read(found, PlanRef::First(planned));
        }
        let answer = straight.decide(&plan.desk, layer.space.key(&parts), layer.cost, Mode::Hit);
        return pending(Pending::of(pending::Pending::ready(answer), PlanRef::First(planned)));
    }
    pending(slowly(call(site, path, self_type, handle, declare), parts))
}

#[inline(never)]
fn slowly<'a>(mut call: Call<'a>, parts: impl IntoIterator<Item = Identifier<'a>>) -> Pending {
    call.layer();
    for part in parts {
        call.key(part);
    }
    call.decide()
}

/// Begins one call of an attributed function.
///
/// `path` is that of a function nested in its body ([`path_of`]), `self_type` the type that `Self` is where
/// there is a receiver: together they tell a method of a type from a trait's default method.
pub fn call<'a>(
    site: &'static Site,
    path: &'static str,
    self_type: Option<&'static str>,
    Handle(handle): Handle<'_>,
    declare: impl FnOnce(&mut Declaration),
) -> Call<'a> {
    let key = PlanKey { handle: handle.map(Limitra::number), self_type };
    let planned = site.plan(key, || {
        let mut declaration = Declaration::default();
        declare(&mut declaration);
        let path = function_path(path, self_type);
        let limitra = handle.cloned().unwrap_or_else(|| Limitra::global(&path));
        declaration.plan(&path, &limitra)
    });
    Call::new(planned, path)
}

/// The type name of a function nested in the attributed one.
pub fn path_of<F>(_: &F) -> &'static str {
    std::any::type_name::<F>()
}

/// The attributed function's path as it stands in keys: `blog.create_post`, `<blog.Post as blog.Store>.create`.
pub(super) fn function_path(nested: &str, self_type: Option<&str>) -> String {
    let mut path = nested.rsplit_once("::").map_or(nested, |(outer, _)| outer);
    while let Some(outer) = path.strip_suffix("::{{closure}}") {
        path = outer;
    }
    let (owner, method) = path.rsplit_once("::").unwrap_or(("", path));
    let is_default_method = self_type.is_some_and(|self_type| {
        !owner.starts_with('<') && !owner.contains("<impl") && base(owner) != base(self_type)
    });
    let path = match self_type {
        Some(self_type) if is_default_method => format!("<{self_type} as {owner}>::{method}"),
        _ => path.to_owned(),
    };
    path.replace("::{{closure}}", "").replace("::", ".")
}

/// A type's path without its generic arguments and references.
fn base(type_name: &str) -> &str {
    let name = type_name.trim_start_matches(['&', '*']);
    name.split_once('<').map_or(name, |(base, _)| base)
}

/// With `block = false` the function runs although no decision could be had: logged, but not each time.
pub fn run_anyway(site: &'static Site, error: &Error) -> Decision {
    if let Some(times) = site.undecided.happened(Instant::now()) {
        let told = "the function runs without a rate limit decision (block = false)";
        tracing::warn!(target: "limitra", %error, times, "{told}");
    }
    Decision::degraded()
}

/// An error that the return type cannot carry: the call is refused, never let through; logged, but not each time.
pub fn refuse_instead(site: &'static Site, error: &Error) -> RateLimitExceeded {
    if let Some(times) = site.undecided.happened(Instant::now()) {
        tracing::error!(target: "limitra", %error, times, "refused: no rate limit decision could be had");
    }
    match error {
        Error::RateLimitExceeded(exceeded) => exceeded.clone(),
        Error::CostAboveLimit { limit, .. } => RateLimitExceeded::new(*limit, limit.window()),
        // No limit is to blame: nothing is to be had, and not soon.
        _ => RateLimitExceeded {
            requests: 0,
            window: A_MINUTE,
            degraded: true,
            ..RateLimitExceeded::new(Limit::UNLIMITED, A_MINUTE)
        },
    }
}

/// What `decision = name` holds when nothing was decided.
pub fn no_decision() -> Decision {
    Decision::unlimited()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_the_function_its_type_and_its_trait() {
        for (nested, self_type, path) in [
            ("blog::create::{{closure}}::here", None, "blog.create"),
            ("blog::Post::create::{{closure}}::here", Some("blog::Post"), "blog.Post.create"),
            ("blog::Post<_>::create::{{closure}}::here", Some("blog::Post<u8>"), "blog.Post<_>.create"),
            (
                "<blog::Post as blog::Store>::create::{{closure}}::here",
                Some("blog::Post"),
                "<blog.Post as blog.Store>.create",
            ),
            (
                "blog::Store::create::{{closure}}::here",
                Some("blog::Post"),
                "<blog.Post as blog.Store>.create",
            ),
            (
                "blog::main::{{closure}}::<impl blog::A>::m::{{closure}}::here",
                Some("blog::A"),
                "blog.main.<impl blog.A>.m",
            ),
        ] {
            assert_eq!(function_path(nested, self_type), path);
        }
    }
}
