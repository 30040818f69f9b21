//! Everything that is wrong with one attribute, collected so that all of it is reported at once.

use core::fmt::Display;

use proc_macro2::Span;
use quote::ToTokens;

/// The complaints gathered so far.
#[derive(Default)]
pub(crate) struct Complaints {
    error: Option<syn::Error>,
}

impl Complaints {
    /// A complaint about some tokens.
    pub(crate) fn about(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// A complaint at a place.
    pub(crate) fn at(&mut self, span: Span, message: impl Display) {
        self.push(syn::Error::new(span, message));
    }

    /// An error that syn has already worded.
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.error {
            Some(earlier) => earlier.combine(error),
            none => *none = Some(error),
        }
    }

    /// All of them, if there are any.
    pub(crate) fn into_error(self) -> Option<syn::Error> {
        self.error
    }
}
