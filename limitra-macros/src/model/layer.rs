//! One `#[rate_limit(..)]`: one subject with its limits.

use std::collections::BTreeSet;

use proc_macro2::Span;
use syn::{Expr, ExprLit, Lit};

use super::algorithm;
use super::closure::{self, Callable};
use super::key::{self, Part};
use super::limits::{self, Limits};
use super::number::{Number, Unit};
use crate::args::{Args, Parameter};
use crate::arguments::{Arguments, Named};
use crate::complaints::Complaints;

/// What one attribute says about one subject.
pub(crate) struct Layer {
    /// Where the attribute is.
    pub(crate) span: Span,
    /// `name`, `scope`, `project`, `prefix` and `suffix`, those that are given.
    pub(crate) labels: Vec<Parameter>,
    pub(crate) is_keyed: bool,
    pub(crate) key: Vec<Part>,
    pub(crate) algorithm: Option<Expr>,
    pub(crate) limits: Limits,
    pub(crate) burst: Option<Number>,
    pub(crate) cost: Option<Number>,
    pub(crate) exempt_when: Option<Callable>,
}

const LABELS: [&str; 5] = ["name", "scope", "project", "prefix", "suffix"];

impl Layer {
    /// The layer that the parameters describe; `None` after a complaint about its limits.
    pub(crate) fn of(args: &mut Args, arguments: &Arguments, complaints: &mut Complaints) -> Option<Self> {
        let key = args.take("key");
        let labels: Vec<Parameter> = LABELS
            .iter()
            .filter_map(|label| args.take(label))
            .inspect(|label| check_label(label, key.is_some(), complaints))
            .collect();
        let key = key.map(|it| key::parts(it.value, arguments, complaints));
        let algorithm = args.take("algorithm").map(|it| it.value);
        let kind = algorithm.as_ref().and_then(|it| algorithm::check(it, complaints));
        let limits = limits::of(args, arguments, complaints);
        let mut units = |name: &str| {
            let value = args.take(name)?.value;
            Some((value.clone(), Number::of(name, Unit::Units, value, arguments, complaints)?))
        };
        let (burst, cost) = (units("burst"), units("cost"));
        if let (Some((value, _)), Some(kind)) = (&burst, kind) {
            algorithm::check_burst(kind, value, complaints);
        }
        let exempt_when = args.take("exempt_when").and_then(|it| {
            let callable = Callable::of("exempt_when", &it.value, arguments, complaints);
            if callable.is_none() && !matches!(it.value, Expr::Closure(_)) {
                let example = arguments.parameters().join(", ");
                let message = format!(
                    "`exempt_when` is a closure or the path of a function that returns a `bool`: \
                     write `exempt_when = |{example}| ..`"
                );
                complaints.about(&it.value, message);
            }
            callable
        });
        let limits = limits?;
        if let Limits::Notation(text, written) = &limits
            && written.iter().any(|it| it.burst.is_some())
        {
            match (&burst, kind) {
                (Some((value, _)), _) => {
                    complaints.about(value, "the limits have a `burst` of their own: keep one of them");
                }
                (None, Some(kind)) => algorithm::check_burst(kind, text, complaints),
                (None, None) => {}
            }
        }
        let burst_number = burst.as_ref().map(|(_, number)| number);
        if let (Limits::List(_) | Limits::Notation(..), Some(Number::Closure(closure))) =
            (&limits, burst_number)
        {
            let message = "a `burst` for each call needs the limits one by one: \
                           write `limits = [(10, 1), (500, 3600)]`, or `requests` and `window`";
            complaints.about(closure, message);
        }
        if let Some((value, number)) = &cost {
            limits::check_cost(value, number, &limits, burst_number, complaints);
        }
        Some(Self {
            span: args.span,
            labels,
            is_keyed: key.is_some(),
            key: key.unwrap_or_default(),
            algorithm,
            limits,
            burst: burst.map(|(_, number)| number),
            cost: cost.map(|(_, number)| number),
            exempt_when,
        })
    }

    /// Whether its limits come with each call.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.limits.is_dynamic() || self.burst.as_ref().is_some_and(Number::is_closure)
    }

    /// Whether nothing but the key comes with each call.
    pub(crate) fn is_said_once(&self) -> bool {
        let is_fixed = self.cost.as_ref().is_none_or(|cost| !cost.is_closure());
        is_fixed && !self.is_dynamic() && self.exempt_when.is_none()
    }

    /// What makes it a subject of its own among the stacked ones; `None` if the key could not be read.
    pub(crate) fn identity(&self) -> Option<Vec<(String, String)>> {
        if self.is_keyed && self.key.is_empty() {
            return None;
        }
        let usual = if self.is_keyed { "\"user\"" } else { "\"global\"" };
        let labels = self.labels.iter().map(|it| {
            let value = quote::ToTokens::to_token_stream(&it.value).to_string();
            (it.name.to_string(), value)
        });
        let unusual = |it: &(String, String)| it.0 != "scope" || it.1 != usual;
        let key = self.key.iter().map(|it| ("key".to_owned(), it.text()));
        Some(labels.filter(unusual).chain(key).collect())
    }
}

impl Layer {
    /// Adds the arguments whose whole value this layer needs.
    pub(crate) fn wholes(&self, arguments: &Arguments, wholes: &mut BTreeSet<usize>) {
        for part in &self.key {
            match part {
                Part::Named { named: Named::Whole(index), .. } => drop(wholes.insert(*index)),
                Part::Named { .. } => {}
                Part::Called { callable, .. } => callable.wholes(arguments, wholes),
            }
        }
        if let Some(callable) = &self.exempt_when {
            callable.wholes(arguments, wholes);
        }
        let limits: &[(Number, Number)] = match &self.limits {
            Limits::Each(limits) => limits,
            Limits::List(_) | Limits::Notation(..) => &[],
        };
        let limits = limits.iter().flat_map(|(requests, window)| [requests, window]);
        for number in limits.chain(&self.burst).chain(&self.cost) {
            if let Number::Closure(closure) = number {
                closure::wholes(closure, arguments, wholes);
            }
        }
    }
}

fn check_label(label: &Parameter, has_key: bool, complaints: &mut Complaints) {
    let name = &label.name;
    let Expr::Lit(ExprLit { lit, .. }) = &label.value else {
        if matches!(label.value, Expr::Closure(_) | Expr::Tuple(_) | Expr::Array(_)) {
            let message = format!("`{name}` is a string: write `{name} = \"..\"`");
            complaints.about(&label.value, message);
        }
        return;
    };
    let Lit::Str(text) = lit else {
        complaints.about(lit, format_args!("`{name}` is a string: write `{name} = \"..\"`"));
        return;
    };
    let text = text.value();
    if text.is_empty() && (name == "name" || name == "scope") {
        complaints.about(lit, format_args!("`{name}` is empty: leave it out for the default"));
    }
    if has_key && name == "scope" && text == "global" {
        let message = "`scope = \"global\"` is one counter for all callers, and `key` is one for each: \
                       leave out one of them";
        complaints.about(lit, message);
    }
}
