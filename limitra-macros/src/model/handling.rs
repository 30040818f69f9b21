//! What the whole function does about a decision, however many attributes it has.

use proc_macro2::Ident;
use syn::{Expr, ExprLit, Lit, LitBool};

use super::number::unwrapped;
use super::outage::{self, Policy};
use crate::args::{Args, Parameter};
use crate::arguments::Arguments;
use crate::complaints::Complaints;
use crate::nearest::{listed, nearest};

const BACKENDS: [&str; 6] = ["memory", "redis", "memcached", "mongodb", "etcd", "postgres"];

/// What happens on a refusal, on an outage, and where the decision goes.
pub(crate) struct Handling {
    pub(crate) on_exceeded: Option<Expr>,
    pub(crate) on_error: Option<Expr>,
    /// `block = false`: the function always runs.
    pub(crate) always_runs: bool,
    /// The name under which the body sees its decision.
    pub(crate) decision: Option<Ident>,
    /// Whether an outage cannot stand between the caller and the function.
    pub(crate) outage_is_said: bool,
    /// `backend`, `redis_client`, `storage`, `fail_open` and `on_outage`, those that are given.
    pub(crate) overrides: Vec<Parameter>,
    /// `limitra = expr`.
    pub(crate) handle: Option<Expr>,
}

impl Handling {
    pub(crate) fn of(args: &mut [Args], arguments: &Arguments, complaints: &mut Complaints) -> Self {
        let mut once = |name: &'static str| only(name, args, complaints);
        let [on_exceeded, on_error, block, decision] =
            ["on_exceeded", "on_error", "block", "decision"].map(&mut once);
        let overrides = ["backend", "redis_client", "storage", "fail_open", "on_outage"].map(&mut once);
        let handle = once("limitra").map(|it| it.value);
        let overrides: Vec<Parameter> = overrides.into_iter().flatten().collect();
        check_sources(&overrides, complaints);
        check_policies(&overrides, complaints);
        let outage_is_said = overrides.iter().any(|it| says_outage(it, complaints));
        for handler in on_exceeded.iter().chain(&on_error) {
            check_handler(handler, complaints);
        }
        let always_runs = block.is_some_and(|it| !flag(&it, complaints).unwrap_or(true));
        if let (true, Some(on_error)) = (always_runs, &on_error) {
            let message = "with `block = false` the function runs on an error too: leave out `on_error`";
            complaints.about(&on_error.name, message);
        }
        Self {
            on_exceeded: on_exceeded.map(|it| it.value),
            on_error: on_error.map(|it| it.value),
            always_runs,
            decision: decision.and_then(|it| name(&it, arguments, complaints)),
            outage_is_said,
            overrides,
            handle,
        }
    }
}

/// The one value of a parameter of the whole function.
pub(crate) fn only(name: &str, args: &mut [Args], complaints: &mut Complaints) -> Option<Parameter> {
    let mut found = args.iter_mut().filter_map(|it| it.take(name));
    let first = found.next();
    for again in found {
        let message =
            format!("`{name}` speaks of the whole function: say it on one of its `#[rate_limit]`s only");
        complaints.about(again.name, message);
    }
    first
}

/// `true` or `false`.
fn flag(parameter: &Parameter, complaints: &mut Complaints) -> Option<bool> {
    if let Some(flag) = literal_flag(&parameter.value) {
        return Some(flag);
    }
    let name = &parameter.name;
    let message = format!("`{name}` is `true` or `false`");
    complaints.about(&parameter.value, message);
    None
}

fn literal_flag(value: &Expr) -> Option<bool> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Bool(LitBool { value, .. }), .. }) => Some(*value),
        _ => None,
    }
}

/// Checks what can be known of an override, and tells whether it settles what happens on an outage.
fn says_outage(parameter: &Parameter, complaints: &mut Complaints) -> bool {
    let Expr::Lit(ExprLit { lit, .. }) = &parameter.value else {
        return false;
    };
    if parameter.name == "fail_open" {
        return flag(parameter, complaints) == Some(true);
    }
    if parameter.name == "on_outage" {
        return outage::check(lit, complaints).is_some_and(|policy| policy != Policy::Error);
    }
    if parameter.name != "backend" {
        return false;
    }
    let Lit::Str(text) = lit else {
        complaints.about(lit, "`backend` is a name: write `backend = \"memory\"` or `\"redis\"`");
        return false;
    };
    let text = text.value();
    if !BACKENDS.contains(&&*text) {
        let hint = nearest(&text, BACKENDS).map(|meant| format!("did you mean `{meant}`? "));
        let message = format!(
            "unknown backend `{text}`: {}there are {}, and `storage = ..` takes any other",
            hint.unwrap_or_default(),
            listed(BACKENDS)
        );
        complaints.about(lit, message);
    }
    text == "memory"
}

/// What is said in both ways is the same.
fn check_policies(overrides: &[Parameter], complaints: &mut Complaints) {
    let literal = |name: &str| {
        let parameter = overrides.iter().find(|it| it.name == name)?;
        let Expr::Lit(ExprLit { lit, .. }) = &parameter.value else { return None };
        Some((parameter, lit))
    };
    if let (Some((fail_open, Lit::Bool(flag))), Some((_, Lit::Str(text)))) =
        (literal("fail_open"), literal("on_outage"))
        && let Ok(policy) = Policy::of(&text.value())
        && flag.value != (policy == Policy::Open)
    {
        let message = format!(
            "`fail_open = {}` and `on_outage = \"{}\"` contradict each other: leave out `fail_open`",
            flag.value,
            text.value()
        );
        complaints.about(&fail_open.name, message);
    }
}

/// A function has one storage.
fn check_sources(overrides: &[Parameter], complaints: &mut Complaints) {
    let given = |name: &str| overrides.iter().find(|it| it.name == name);
    let backend = given("backend");
    let (client, storage) = (given("redis_client"), given("storage"));
    if let (Some(_), Some(storage)) = (backend.or(client), storage) {
        let message = "a function has one storage: leave out `storage`, or `backend` and `redis_client`";
        complaints.about(&storage.name, message);
    }
    if let (Some(backend), Some(client)) = (backend, client)
        && let Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) = &backend.value
        && name.value() != "redis"
    {
        let name = name.value();
        let message =
            format!("`backend = \"{name}\"` has no use for a `redis_client`: leave out one of them");
        complaints.about(&client.name, message);
    }
}

/// A handler is called with one value.
fn check_handler(handler: &Parameter, complaints: &mut Complaints) {
    let name = &handler.name;
    let what = if name == "on_error" { "error" } else { "exceeded" };
    let value = unwrapped(handler.value.clone());
    let message = match &value {
        Expr::Closure(closure) if closure.asyncness.is_some() => {
            format!("`{name}` is called without being awaited: write `{name} = |{what}| ..`")
        }
        Expr::Closure(closure) if closure.inputs.len() != 1 => format!(
            "the closure of `{name}` takes {} parameters, and is called with one: write `{name} = |{what}| ..`",
            closure.inputs.len()
        ),
        Expr::Lit(_) | Expr::Tuple(_) | Expr::Array(_) => {
            format!("`{name}` is a closure or the path of a function: write `{name} = |{what}| ..`")
        }
        _ => return,
    };
    complaints.about(value, message);
}

/// The name that the decision gets.
fn name(parameter: &Parameter, arguments: &Arguments, complaints: &mut Complaints) -> Option<Ident> {
    let name = match &parameter.value {
        Expr::Path(path) => path.path.get_ident().cloned(),
        Expr::Lit(ExprLit { lit: Lit::Str(it), .. }) => it.parse().ok(),
        _ => None,
    };
    let Some(name) = name.filter(|it| it != "self") else {
        let message = "`decision` is a name under which the body sees its decision: \
                       write e.g. `decision = decision`";
        complaints.about(&parameter.value, message);
        return None;
    };
    if arguments.named(&name.to_string()).is_some() {
        let message = format!("`{name}` is an argument already: choose another name for `decision`");
        complaints.about(&parameter.value, message);
        return None;
    }
    Some(name)
}
