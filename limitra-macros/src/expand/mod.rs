//! Meaning to tokens: the statements that stand before the body.
//!
//! Everything that is generated has the hygiene of a definition site, so that no name of ours can
//! meet a name of the user's; everything that the user wrote keeps its own.

mod call;
mod values;
mod verdict;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::Pat;

use crate::arguments::Arguments;
use crate::function::Function;
use crate::model::Plan;
use crate::shape::Shape;

/// What is known when tokens are made.
pub(crate) struct Expansion<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) arguments: &'a Arguments,
    pub(crate) function: &'a Function,
    pub(crate) shape: &'a Shape,
    /// Patterns that made way for a name of the whole argument.
    pub(crate) renamed: Vec<(Ident, Pat)>,
}

impl Expansion<'_> {
    /// The statements before the body.
    pub(crate) fn statements(&self) -> TokenStream {
        let private = self.private(here());
        let pending = self.pending();
        let verdict = self.verdict();
        let (names, patterns): (Vec<_>, Vec<_>) = self.renamed.iter().cloned().unzip();
        // The items stand behind a `let`, so that a user's items behind ours are not the first.
        quote_spanned! {here()=>
            #[allow(
                clippy::borrow_deref_ref,
                clippy::redundant_closure,
                clippy::redundant_closure_for_method_calls,
                clippy::used_underscore_binding
            )]
            let limitra_pending = #pending;
            #verdict
            static __LIMITRA_SITE: #private::Site = #private::Site::new();
            fn __limitra_here() {}
            #(let #patterns = #names;)*
        }
    }

    /// `::limitra::__private`, at a place.
    fn private(&self, place: Span) -> TokenStream {
        let path = self.plan.path.as_ref();
        let usual = || quote_spanned!(place=> ::limitra);
        let limitra = moved_to(place, path.map_or_else(usual, ToTokens::to_token_stream));
        quote_spanned!(place=> #limitra::__private)
    }
}

/// Generated, by nobody in particular.
fn here() -> Span {
    Span::mixed_site()
}

/// Generated, and to be shown at this place in messages.
fn at(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

/// The places of the first and the last token: what is generated between them is shown as all of it.
fn ends(tokens: impl ToTokens) -> (Span, Span) {
    let mut spans = tokens.into_token_stream().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(here);
    (at(first), at(spans.last().unwrap_or(first)))
}

/// A local variable of the generated code.
fn local(name: &str, index: usize) -> Ident {
    format_ident!("limitra_{name}_{index}", span = here())
}

/// The tokens, each with its own hygiene, all shown at one place.
fn moved_to(place: Span, tokens: TokenStream) -> TokenStream {
    let move_one = |mut token: TokenTree| {
        token.set_span(place.resolved_at(token.span()));
        token
    };
    tokens.into_iter().map(move_one).collect()
}
