//! Closures and paths that are called with references to the arguments.

use std::collections::BTreeSet;

use quote::ToTokens;
use syn::{Expr, ExprClosure, Pat, Type};

use super::number::unwrapped;
use crate::arguments::Arguments;
use crate::complaints::Complaints;

/// How many arguments the closures of an attribute can be called with.
pub(crate) const MOST: usize = 12;

/// Something that is called with references to all arguments.
pub(crate) enum Callable {
    Closure(ExprClosure),
    Path(Expr),
}

impl Callable {
    /// The closure or path that `name` is given; `None` if it is neither, or after a complaint.
    pub(crate) fn of(
        name: &str,
        value: &Expr,
        arguments: &Arguments,
        complaints: &mut Complaints,
    ) -> Option<Self> {
        match unwrapped(value.clone()) {
            Expr::Closure(it) => {
                check(name, &it, &arguments.parameters(), complaints)?;
                Some(Self::Closure(it))
            }
            path @ Expr::Path(_) => Some(Self::Path(path)),
            _ => None,
        }
    }
}

impl Callable {
    /// Adds the arguments whose whole value it is called with.
    pub(crate) fn wholes(&self, arguments: &Arguments, wholes: &mut BTreeSet<usize>) {
        match self {
            Self::Closure(closure) => self::wholes(closure, arguments, wholes),
            Self::Path(_) => wholes.extend(0..arguments.list.len()),
        }
    }
}

/// Adds the arguments that a closure looks at.
pub(crate) fn wholes(closure: &ExprClosure, arguments: &Arguments, wholes: &mut BTreeSet<usize>) {
    let receivers = usize::from(arguments.receiver.is_some());
    let parameters = closure.inputs.iter().skip(receivers).enumerate();
    wholes.extend(parameters.filter(|(_, it)| !matches!(it, Pat::Wild(_))).map(|(index, _)| index));
}

/// Whether the closure can be called with these parameters.
pub(crate) fn check(
    name: &str,
    closure: &ExprClosure,
    parameters: &[String],
    complaints: &mut Complaints,
) -> Option<()> {
    let (has, wants) = (closure.inputs.len(), parameters.len());
    let example = format!("|{}| ..", parameters.join(", "));
    if closure.asyncness.is_some() || matches!(&*closure.body, Expr::Async(_)) {
        let message = format!(
            "`{name}` is asked before anything is awaited, so its closure cannot be async: \
             write `{name} = {example}`"
        );
        complaints.about(closure, message);
        return None;
    }
    if wants > MOST {
        let message = format!(
            "`{name}` takes a closure on functions of up to {MOST} arguments; \
             this one has {wants}: name one of them, as in `key = \"user\"`, or give the path of a function"
        );
        complaints.about(closure, message);
        return None;
    }
    if has != wants {
        let message = format!(
            "the closure of `{name}` takes {has} {}, and the function has {wants} {}: \
             write `{name} = {example}`",
            noun(has, "parameter"),
            noun(wants, "argument"),
        );
        complaints.about(closure, message);
        return None;
    }
    for parameter in &closure.inputs {
        if let Pat::Type(typed) = parameter
            && matches!(&*typed.ty, Type::Path(_) | Type::Tuple(_) | Type::Array(_))
        {
            let (name, ty) = (typed.pat.to_token_stream(), typed.ty.to_token_stream());
            let message = format!("`{name}` is a reference to the argument: write `{name}: &{ty}`");
            complaints.about(parameter, message);
            return None;
        }
    }
    Some(())
}

fn noun(count: usize, one: &str) -> String {
    if count == 1 { one.to_owned() } else { format!("{one}s") }
}
