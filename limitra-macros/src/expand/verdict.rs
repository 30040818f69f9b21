//! What becomes of the verdict: the body, or a return before it.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Expr, ReturnType};

use super::{Expansion, ends, here};
use crate::shape::{Shape, mentions};

impl Expansion<'_> {
    /// A `let` of the decision that returns where the body must not run; without a name for it, a block that does.
    pub(super) fn verdict(&self) -> TokenStream {
        let private = self.private(here());
        let (exceeded, failed) = (self.exceeded(), self.failed());
        let verdict = match self.shape {
            Shape::Plain => quote_spanned!(here()=> limitra_pending.wait()),
            Shape::Async | Shape::Boxed { .. } => quote_spanned!(here()=> limitra_pending.await),
        };
        let decision = quote_spanned! {here()=>
            match #verdict {
                #private::Verdict::Proceed(limitra_decision) => limitra_decision,
                #exceeded
                #failed
            }
        };
        if let Some(name) = &self.plan.handling.decision {
            return quote_spanned!(here()=> let #name = #decision;);
        }
        quote_spanned! {here()=>
            if let ::core::option::Option::Some(limitra_pending) = limitra_pending {
                let _ = #decision;
            }
        }
    }

    fn exceeded(&self) -> TokenStream {
        let handling = &self.plan.handling;
        let private = self.private(here());
        let handler = handling.on_exceeded.as_ref();
        let exceeded = quote_spanned!(here()=> #private::exceeded(&limitra_decision, &limitra_teller));
        let answer = handler.map(|it| self.given(it, &exceeded));
        if handling.always_runs {
            let Some(answer) = answer else {
                return quote_spanned! {here()=>
                    #private::Verdict::Exceeded(limitra_decision, _) => limitra_decision,
                };
            };
            return quote_spanned! {here()=>
                #private::Verdict::Exceeded(limitra_decision, limitra_teller) => {
                    let _: () = #answer;
                    limitra_decision
                }
            };
        }
        let value = answer.unwrap_or_else(|| {
            let error = quote_spanned!(here()=> #private::Error::from(#exceeded));
            self.carried("FromError", &error)
        });
        quote_spanned! {here()=>
            #private::Verdict::Exceeded(limitra_decision, limitra_teller) => return #value,
        }
    }

    fn failed(&self) -> TokenStream {
        let handling = &self.plan.handling;
        let private = self.private(here());
        let error = quote_spanned!(here()=> limitra_error);
        let value = if handling.always_runs {
            quote_spanned!(here()=> #private::run_anyway(&__LIMITRA_SITE, &#error))
        } else if let Some(handler) = &handling.on_error {
            let value = self.given(handler, &error);
            quote_spanned!(here()=> return #value)
        } else if let Some(handler) = &handling.on_exceeded {
            let value = if handling.outage_is_said {
                let refused = quote_spanned! {here()=>
                    #private::refuse_instead(&__LIMITRA_SITE, &#error)
                };
                self.given(handler, &refused)
            } else {
                self.carried("CarriesStorageError", &error)
            };
            quote_spanned!(here()=> return #value)
        } else {
            let value = self.carried("FromError", &error);
            quote_spanned!(here()=> return #value)
        };
        quote_spanned!(here()=> #private::Verdict::Failed(limitra_error) => #value,)
    }

    /// A handler called with a value.
    fn given(&self, handler: &Expr, value: &TokenStream) -> TokenStream {
        let (first, last) = ends(handler);
        let private = self.private(first);
        let mut values = Group::new(Delimiter::Parenthesis, quote_spanned!(first=> #value, #handler));
        values.set_span(last);
        quote_spanned!(first=> #private::give #values)
    }

    /// An error as a value of the return type; what is wrong with that type is shown at it.
    fn carried(&self, carrier: &str, error: &TokenStream) -> TokenStream {
        let (first, last) = self.returned();
        let private = self.private(first);
        let carrier = Ident::new(carrier, first);
        let from_error = Ident::new("from_error", last);
        match self.shape {
            Shape::Boxed { output: Some(ty), .. } if !mentions(ty.to_token_stream(), "impl") => {
                quote_spanned!(first=> <#ty as #private::#carrier>::#from_error(#error))
            }
            _ => quote_spanned!(first=> #private::#carrier::#from_error(#error)),
        }
    }

    /// The first and the last token of the return type, or the name of a function that has none.
    fn returned(&self) -> (Span, Span) {
        let signature = &self.function.signature;
        match (self.shape, &signature.output) {
            (Shape::Boxed { output: Some(ty), .. }, _) | (_, ReturnType::Type(_, ty)) => ends(ty),
            _ => ends(&signature.ident),
        }
    }
}
