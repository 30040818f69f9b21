//! References to arguments, and calls with them.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::spanned::Spanned;
use syn::{ExprClosure, Pat};

use super::{Expansion, at};
use crate::arguments::{Named, renamed};
use crate::model::{Callable, Number, Part};

impl Expansion<'_> {
    /// A number, at each call or once.
    pub(super) fn number(&self, number: &Number) -> TokenStream {
        match number {
            Number::Literal(literal) => literal.tokens.to_token_stream(),
            Number::Expression(expression) => expression.to_token_stream(),
            Number::Closure(closure) => self.closure(closure),
        }
    }

    pub(super) fn called(&self, callable: &Callable) -> TokenStream {
        match callable {
            Callable::Closure(closure) => self.closure(closure),
            Callable::Path(path) => {
                let place = at(path.span());
                let receiver = self.receiver(place).into_iter();
                let wholes = (0..self.arguments.list.len()).map(|index| self.whole(index, place));
                let arguments = receiver.chain(wholes);
                // Called directly, so that `&String` is taken for `&str`.
                quote_spanned!(place=> #path(#(#arguments),*))
            }
        }
    }

    fn closure(&self, closure: &ExprClosure) -> TokenStream {
        let place = at(closure.inputs_begin.span());
        let receivers = usize::from(self.arguments.receiver.is_some());
        let arguments = closure.inputs.iter().enumerate().map(|(index, pattern)| {
            if matches!(pattern, Pat::Wild(_)) {
                return quote_spanned!(place=> &'_');
            }
            let value = match index.checked_sub(receivers) {
                Some(index) => self.whole(index, place),
                None => self.receiver(place).unwrap_or_default(),
            };
            match pattern {
                Pat::Type(typed) => {
                    let ty = &typed.ty;
                    quote_spanned!(place=> { let limitra_argument: #ty = #value; limitra_argument })
                }
                _ => value,
            }
        });
        let private = self.private(place);
        let apply = format_ident!("apply{}", closure.inputs.len(), span = place);
        quote_spanned!(place=> #private::#apply(#(#arguments,)* #closure))
    }

    /// `&Self`, or a reference to what `self` is.
    fn receiver(&self, place: Span) -> Option<TokenStream> {
        let receiver = self.arguments.receiver.as_ref()?;
        let token = receiver.token;
        Some(if receiver.is_reference {
            quote_spanned!(place=> &*#token)
        } else {
            quote_spanned!(place=> &#token)
        })
    }

    /// A reference to a whole argument.
    fn whole(&self, index: usize, place: Span) -> TokenStream {
        let name = self.whole_name(index, place);
        quote_spanned!(place=> &#name)
    }

    fn whole_name(&self, index: usize, place: Span) -> Ident {
        let whole = self.arguments.list.get(index).and_then(|it| it.whole.clone());
        shown(&whole.unwrap_or_else(|| renamed(index)), place)
    }

    /// A reference to a part of a key that has a name.
    pub(super) fn part(&self, part: &Part) -> Option<(Span, TokenStream)> {
        let Part::Named { named, fields, span } = part else {
            return None;
        };
        let place = at(*span);
        let (value, is_reference) = match named {
            Named::Receiver => {
                let receiver = self.arguments.receiver.as_ref()?;
                (receiver.token.to_token_stream(), receiver.is_reference)
            }
            Named::Whole(index) => {
                let is_reference = self.arguments.list.get(*index)?.is_reference;
                (self.whole_name(*index, place).to_token_stream(), is_reference)
            }
            Named::Bound(index, name) => {
                let is_reference = !self.arguments.list.get(*index)?.is_open;
                (shown(name, place).to_token_stream(), is_reference)
            }
        };
        let reference = if is_reference && fields.is_empty() {
            quote_spanned!(place=> &*#value)
        } else {
            quote_spanned!(place=> &#value #(.#fields)*)
        };
        Some((place, reference))
    }

    /// The names inside patterns that are not bound where the statements stand, by reference.
    pub(super) fn bound(&self) -> TokenStream {
        let parts = self.plan.layers.iter().flat_map(|layer| &layer.key);
        let mut indexes: Vec<usize> = parts
            .filter_map(|part| match part {
                Part::Named { named: Named::Bound(index, _), .. } => Some(*index),
                _ => None,
            })
            .collect();
        indexes.sort_unstable();
        indexes.dedup();
        let bindings = indexes.into_iter().filter_map(|index| {
            let argument = self.arguments.list.get(index).filter(|it| !it.is_open)?;
            let pattern = argument.borrowed()?;
            let whole = self.whole(index, super::here());
            Some(quote_spanned! {super::here()=>
                #[allow(unused_variables)]
                let #pattern = #whole;
            })
        });
        bindings.collect()
    }
}

/// A name of the user's, shown at another place.
fn shown(name: &Ident, place: Span) -> Ident {
    let mut name = name.clone();
    name.set_span(place.resolved_at(name.span()));
    name
}
