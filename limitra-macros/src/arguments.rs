//! The arguments of the function, by name and by index.

use std::collections::BTreeSet;

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::visit_mut::VisitMut;
use syn::{FnArg, Pat, PatIdent, Receiver, ReceiverKind, Signature, Token, Type};

use crate::shape::Shape;

/// `self`, and the arguments behind it.
pub(crate) struct Arguments {
    pub(crate) receiver: Option<SelfArgument>,
    pub(crate) list: Vec<Argument>,
}

/// `self`.
pub(crate) struct SelfArgument {
    pub(crate) token: Token![self],
    /// Whether `self` is a reference already.
    pub(crate) is_reference: bool,
}

/// One argument; `self` is none.
pub(crate) struct Argument {
    /// The name of the whole value, where it has one.
    pub(crate) whole: Option<Ident>,
    /// The pattern, where it is not just a name.
    pub(crate) pattern: Option<Pat>,
    /// Whether the names in the pattern exist where the statements stand.
    pub(crate) is_open: bool,
    /// Whether its type is written as a reference.
    pub(crate) is_reference: bool,
    bound: Vec<Ident>,
}

/// What a name means in the function.
#[derive(Clone)]
pub(crate) enum Named {
    /// `self`.
    Receiver,
    /// All of an argument.
    Whole(usize),
    /// A name inside the pattern of an argument.
    Bound(usize, Ident),
}

impl Arguments {
    pub(crate) fn of(signature: &Signature, shape: &Shape) -> Self {
        let receiver = signature.receiver().map(|receiver| SelfArgument {
            token: receiver.self_token,
            is_reference: is_reference(receiver),
        });
        let list = signature.inputs.iter().filter_map(|input| match input {
            FnArg::Receiver(_) => None,
            FnArg::Typed(input) => {
                let is_reference = matches!(&*input.ty, Type::Reference(_));
                Some(Argument::new(&input.pat, is_reference, shape))
            }
        });
        Self { list: list.collect(), receiver }
    }

    /// How many values a closure is called with.
    pub(crate) fn count(&self) -> usize {
        self.list.len() + usize::from(self.receiver.is_some())
    }

    pub(crate) fn named(&self, name: &str) -> Option<Named> {
        if name == "self" {
            return self.receiver.as_ref().map(|_| Named::Receiver);
        }
        let places = self.list.iter().enumerate();
        places.rev().find_map(|(index, argument)| {
            let plain = argument.pattern.is_none();
            if plain && argument.whole.as_ref().is_some_and(|it| it.unraw() == name) {
                return Some(Named::Whole(index));
            }
            let found = argument.bound.iter().find(|bound| bound.unraw() == name)?;
            Some(Named::Bound(index, found.clone()))
        })
    }

    /// Every name that a key can be.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for argument in &self.list {
            let plain = argument.whole.iter().filter(|_| argument.pattern.is_none());
            names.extend(plain.chain(&argument.bound).map(|it| it.unraw().to_string()));
        }
        names
    }

    /// The arguments as the parameters of a closure would be called.
    pub(crate) fn parameters(&self) -> Vec<String> {
        let receiver = self.receiver.as_ref().map(|_| "this".to_owned());
        let list = self.list.iter().map(|argument| {
            let plain = argument.whole.iter().filter(|_| argument.pattern.is_none());
            let name = plain.chain(&argument.bound).next();
            name.map_or_else(|| "_".to_owned(), ToString::to_string)
        });
        receiver.into_iter().chain(list).collect()
    }
}

impl Argument {
    fn new(pattern: &Pat, is_reference: bool, shape: &Shape) -> Self {
        let plain = |whole: &Ident| Self {
            whole: Some(whole.clone()),
            pattern: None,
            is_open: true,
            is_reference,
            bound: Vec::new(),
        };
        let Pat::Ident(named) = pattern else {
            return Self {
                whole: None,
                pattern: Some(pattern.clone()),
                is_open: true,
                is_reference,
                bound: names_in(pattern),
            };
        };
        let moved: &[(String, Pat)] = match shape {
            Shape::Async | Shape::Plain => &[],
            Shape::Boxed { moved, .. } => moved,
        };
        let moved = moved.iter().find(|(name, _)| named.ident == name);
        match moved {
            Some((_, pattern)) => Self {
                pattern: Some(pattern.clone()),
                is_open: false,
                bound: names_in(pattern),
                ..plain(&named.ident)
            },
            None => Self {
                is_reference: is_reference && named.by_ref.is_none(),
                bound: named.subpat.iter().flat_map(|(_, it)| names_in(it)).collect(),
                ..plain(&named.ident)
            },
        }
    }

    /// The pattern by which a reference to the whole is taken apart.
    pub(crate) fn borrowed(&self) -> Option<Pat> {
        let mut pattern = self.pattern.clone()?;
        Borrow.visit_pat_mut(&mut pattern);
        Some(pattern)
    }
}

/// The name that an argument gets where the whole of a pattern is needed.
pub(crate) fn renamed(index: usize) -> Ident {
    Ident::new(&format!("__limitra_arg_{index}"), Span::mixed_site())
}

/// Gives the arguments of these indexes a name for the whole; the patterns they had, in order.
pub(crate) fn rename(
    arguments: &mut Arguments,
    signature: &mut Signature,
    indexes: &BTreeSet<usize>,
) -> Vec<(Ident, Pat)> {
    let typed = signature.inputs.iter_mut().filter_map(|input| match input {
        FnArg::Receiver(_) => None,
        FnArg::Typed(input) => Some(input),
    });
    let mut patterns = Vec::new();
    for (index, (input, argument)) in typed.zip(&mut arguments.list).enumerate() {
        if argument.whole.is_some() || !indexes.contains(&index) {
            continue;
        }
        let name = renamed(index);
        let new = Pat::Ident(PatIdent {
            attrs: Vec::new(),
            by_ref: None,
            mutability: None,
            ident: name.clone(),
            subpat: None,
        });
        let old = core::mem::replace(&mut *input.pat, new);
        argument.whole = Some(name.clone());
        argument.is_open = false;
        if !matches!(old, Pat::Wild(_)) {
            patterns.push((name, old));
        }
    }
    patterns
}

fn is_reference(receiver: &Receiver) -> bool {
    match &receiver.kind {
        ReceiverKind::Reference(..) => true,
        ReceiverKind::Typed(_, ty) => matches!(&**ty, Type::Reference(_)),
        _ => false,
    }
}

fn names_in(pattern: &Pat) -> Vec<Ident> {
    struct Names(Vec<Ident>);
    impl VisitMut for Names {
        fn visit_pat_ident_mut(&mut self, pattern: &mut PatIdent) {
            self.0.push(pattern.ident.clone());
            if let Some((_, inner)) = &mut pattern.subpat {
                self.visit_pat_mut(inner);
            }
        }
    }
    let mut names = Names(Vec::new());
    names.visit_pat_mut(&mut pattern.clone());
    names.0
}

/// Takes `mut` and `ref` from a pattern: behind a reference every name is one by itself.
struct Borrow;

impl VisitMut for Borrow {
    fn visit_pat_ident_mut(&mut self, pattern: &mut PatIdent) {
        pattern.mutability = None;
        pattern.by_ref = None;
        if let Some((_, inner)) = &mut pattern.subpat {
            self.visit_pat_mut(inner);
        }
    }
}
