//! The block that reads the arguments and hands them to the engine; it ends before the first await.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::spanned::Spanned;

use super::{Expansion, at, here, local};
use crate::model::{Layer, Limits, Number, Part};

impl Expansion<'_> {
    /// An expression: the decision that is to be awaited; where nobody reads it, an option that is none if it has been taken
    /// and the body runs. Nothing in it borrows an argument.
    pub(super) fn pending(&self) -> TokenStream {
        let private = self.private(here());
        let bound = self.bound();
        let layers = || self.plan.layers.iter().enumerate();
        let values = layers().map(|(index, layer)| self.values(index, layer));
        let spoken = layers().map(|(index, layer)| self.spoken(index, layer));
        let self_type = if self.arguments.receiver.is_some() {
            quote_spanned!(here()=> ::core::option::Option::Some(::core::any::type_name::<Self>()))
        } else {
            quote_spanned!(here()=> ::core::option::Option::None)
        };
        let (handle, handle_let) = self.handle();
        let declaration = self.declaration();
        let is_read = self.plan.handling.decision.is_some();
        if let [layer] = &*self.plan.layers
            && layer.is_said_once()
        {
            // Nothing but the key comes with each call: the straight way.
            let parts = layer.key.iter().enumerate();
            let parts = parts.filter_map(|(number, part)| Some(self.identifier(0, number, part, false)?.1));
            let ask = if is_read { quote_spanned!(here()=> ask) } else { quote_spanned!(here()=> admit) };
            return quote_spanned! {here()=> {
                #bound
                #handle_let
                #(#values)*
                #private::#ask(
                    &__LIMITRA_SITE,
                    #private::path_of(&__limitra_here),
                    #self_type,
                    #handle,
                    [#(#parts),*],
                    |limitra_declaration: &mut #private::Declaration| { #declaration },
                )
            }};
        }
        let pending = quote_spanned!(here()=> limitra_call.decide());
        let pending =
            if is_read { pending } else { quote_spanned!(here()=> ::core::option::Option::Some(#pending)) };
        quote_spanned! {here()=> {
            #bound
            #handle_let
            #(#values)*
            let mut limitra_call = #private::call(
                &__LIMITRA_SITE,
                #private::path_of(&__limitra_here),
                #self_type,
                #handle,
                |limitra_declaration: &mut #private::Declaration| { #declaration },
            );
            #(#spoken)*
            #pending
        }}
    }

    fn handle(&self) -> (TokenStream, TokenStream) {
        let Some(handle) = &self.plan.handling.handle else {
            let private = self.private(here());
            return (quote_spanned!(here()=> #private::no_handle()), TokenStream::new());
        };
        let place = at(handle.span());
        let private = self.private(place);
        // Borrowed where it is, and through whatever smart pointer it is in.
        (
            quote_spanned!(place=> #private::handle(limitra_handle)),
            quote_spanned!(place=> let limitra_handle: &#private::Limitra = &#handle;),
        )
    }

    /// What is said once for each site.
    fn declaration(&self) -> TokenStream {
        let function = self.function.signature.ident.to_string();
        let function = function.trim_start_matches("r#");
        let overrides = self.plan.handling.overrides.iter().map(|it| said(&it.name, &it.value));
        let layers = self.plan.layers.iter().map(|layer| self.declared(layer));
        quote_spanned! {here()=>
            limitra_declaration.function(#function);
            #(#overrides)*
            #(#layers)*
        }
    }

    fn declared(&self, layer: &Layer) -> TokenStream {
        let mut tokens = quote_spanned!(here()=> limitra_declaration.layer(););
        for label in &layer.labels {
            tokens.extend(said(&label.name, &label.value));
        }
        if layer.is_keyed {
            tokens.extend(quote_spanned!(here()=> limitra_declaration.keyed();));
        }
        if let Some(algorithm) = &layer.algorithm {
            let place = at(algorithm.span());
            tokens.extend(quote_spanned!(place=> limitra_declaration.algorithm(#algorithm);));
        }
        if layer.is_dynamic() {
            tokens.extend(quote_spanned!(here()=> limitra_declaration.dynamic();));
        } else {
            tokens.extend(self.limits(&format_ident!("limitra_declaration", span = here()), layer));
        }
        if let Some(cost) = layer.cost.as_ref().filter(|it| !it.is_closure()) {
            let cost = self.number(cost);
            tokens.extend(quote_spanned!(here()=> limitra_declaration.cost(#cost);));
        }
        tokens
    }

    /// The limits and the burst of a layer, said to the declaration or to a call.
    fn limits(&self, to: &Ident, layer: &Layer) -> TokenStream {
        let mut tokens = TokenStream::new();
        match &layer.limits {
            Limits::Each(limits) => {
                for (requests, window) in limits {
                    let (requests, window) = (self.number(requests), self.number(window));
                    tokens.extend(quote_spanned!(here()=> #to.limit(#requests, #window);));
                }
            }
            Limits::List(list) => {
                let place = at(list.span());
                let private = self.private(place);
                tokens.extend(quote_spanned!(place=> #private::limits!(#to, #list);));
            }
            Limits::Notation(text, _) => {
                let place = at(text.span());
                tokens.extend(quote_spanned!(place=> #to.notation(#text);));
            }
        }
        if let Some(burst) = &layer.burst {
            let burst = self.number(burst);
            tokens.extend(quote_spanned!(here()=> #to.burst(#burst);));
        }
        tokens
    }

    /// What closures answer, kept for as long as the call borrows it.
    fn values(&self, index: usize, layer: &Layer) -> TokenStream {
        let mut tokens = TokenStream::new();
        let exempt = local("exempt", index);
        if let Some(callable) = &layer.exempt_when {
            let value = self.called(callable);
            tokens.extend(quote_spanned!(here()=> let #exempt: ::core::primitive::bool = #value;));
        }
        for (number, part) in layer.key.iter().enumerate() {
            let Part::Called { callable, .. } = part else {
                continue;
            };
            let key = local(&format!("key_{index}"), number);
            let value = self.called(callable);
            tokens.extend(if layer.exempt_when.is_some() {
                quote_spanned! {here()=>
                    let #key = if #exempt {
                        ::core::option::Option::None
                    } else {
                        ::core::option::Option::Some(#value)
                    };
                }
            } else {
                quote_spanned!(here()=> let #key = #value;)
            });
        }
        tokens
    }

    /// What a layer says at each call.
    fn spoken(&self, index: usize, layer: &Layer) -> TokenStream {
        let call = format_ident!("limitra_call", span = here());
        let mut tokens = TokenStream::new();
        for (number, part) in layer.key.iter().enumerate() {
            tokens.extend(self.key(index, number, part, layer.exempt_when.is_some()));
        }
        if layer.is_dynamic() {
            tokens.extend(self.limits(&call, layer));
        }
        if let Some(cost @ Number::Closure(_)) = &layer.cost {
            let cost = self.number(cost);
            tokens.extend(quote_spanned!(here()=> limitra_call.cost(#cost);));
        }
        if layer.exempt_when.is_none() {
            return quote_spanned!(here()=> limitra_call.layer(); #tokens);
        }
        let exempt = local("exempt", index);
        quote_spanned! {here()=>
            limitra_call.layer();
            if #exempt {
                limitra_call.exempt(true);
            } else {
                #tokens
            }
        }
    }

    fn key(&self, index: usize, number: usize, part: &Part, may_be_none: bool) -> TokenStream {
        let Some((place, identifier)) = self.identifier(index, number, part, may_be_none) else {
            return TokenStream::new();
        };
        let spoken = quote_spanned!(place=> limitra_call.key(#identifier););
        if !may_be_none || !matches!(part, Part::Called { .. }) {
            return spoken;
        }
        let key = local(&format!("key_{index}"), number);
        quote_spanned! {place=>
            if let ::core::option::Option::Some(#key) = &#key {
                #spoken
            }
        }
    }

    /// The identifier that a part of a key stands for, and where to show what is wrong with it. What a closure answered
    /// is there by value, or by reference where there may be none.
    fn identifier(
        &self,
        index: usize,
        number: usize,
        part: &Part,
        is_reference: bool,
    ) -> Option<(Span, TokenStream)> {
        if let Some((place, reference)) = self.part(part) {
            let private = self.private(place);
            return Some((place, quote_spanned!(place=> #private::identify!(#reference))));
        }
        let Part::Called { ends: (place, last), .. } = part else {
            return None;
        };
        let place = at(*place);
        let private = self.private(place);
        let mut key = local(&format!("key_{index}"), number);
        key.set_span(at(*last));
        Some((
            place,
            if is_reference {
                quote_spanned!(place=> #private::identify!(#key))
            } else {
                quote_spanned!(place=> #private::identify!(&#key))
            },
        ))
    }
}

/// `limitra_declaration.name(value);`
fn said(name: &Ident, value: &syn::Expr) -> TokenStream {
    let place = at(value.span());
    let name = Ident::new(&name.to_string(), place);
    quote_spanned!(place=> limitra_declaration.#name(#value);)
}
