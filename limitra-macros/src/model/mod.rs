//! Values to meaning: what one function's attributes say, with every complaint at once.

mod algorithm;
mod closure;
mod handling;
mod key;
mod layer;
mod limits;
mod number;
mod outage;

use std::collections::BTreeSet;

use syn::{Expr, ExprLit, Lit, Path};

pub(crate) use closure::Callable;
pub(crate) use handling::Handling;
pub(crate) use key::Part;
pub(crate) use layer::Layer;
pub(crate) use limits::Limits;
pub(crate) use number::Number;

use crate::args::Args;
use crate::arguments::Arguments;
use crate::complaints::Complaints;

/// Everything that the attributes of one function say.
pub(crate) struct Plan {
    /// Where limitra is: `crate = path`.
    pub(crate) path: Option<Path>,
    /// One for each attribute, outermost first.
    pub(crate) layers: Vec<Layer>,
    pub(crate) handling: Handling,
}

impl Plan {
    pub(crate) fn of(mut args: Vec<Args>, arguments: &Arguments, complaints: &mut Complaints) -> Self {
        let path = handling::only("crate", &mut args, complaints).and_then(|it| path(&it.value, complaints));
        let handling = Handling::of(&mut args, arguments, complaints);
        let layers: Vec<Layer> =
            args.iter_mut().filter_map(|it| Layer::of(it, arguments, complaints)).collect();
        for (index, layer) in layers.iter().enumerate() {
            let identity = layer.identity();
            let mut earlier = layers.iter().take(index);
            if identity.is_some() && earlier.any(|it| it.identity() == identity) {
                let message = "two `#[rate_limit]`s with the same `scope` and `key` are one counter: \
                               write `limits = [(10, 1), (500, 3600)]` in one of them, \
                               or tell them apart by `scope`";
                complaints.at(layer.span, message);
            }
        }
        Self { path, layers, handling }
    }
}

impl Plan {
    /// The arguments whose whole value is needed, and not only names inside it.
    pub(crate) fn wholes(&self, arguments: &Arguments) -> BTreeSet<usize> {
        let mut wholes = BTreeSet::new();
        for layer in &self.layers {
            layer.wholes(arguments, &mut wholes);
        }
        wholes
    }
}

fn path(value: &Expr, complaints: &mut Complaints) -> Option<Path> {
    let path = match value {
        Expr::Path(path) => Some(path.path.clone()),
        Expr::Lit(ExprLit { lit: Lit::Str(it), .. }) => it.parse().ok(),
        _ => None,
    };
    if path.is_none() {
        let message = "`crate` is the path of limitra: write e.g. `crate = ::limitra`";
        complaints.about(value, message);
    }
    path
}
