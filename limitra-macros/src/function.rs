//! The function under the attribute, its body kept as the tokens it came as.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, TokenStreamExt};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Meta, Signature, Token, Visibility, braced, token};

use crate::complaints::Complaints;
use crate::shape::{self, Shape};

/// A function with or without a body.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: Option<Body>,
}

/// What stands between a function's braces, and the braces.
pub(crate) struct Body {
    pub(crate) brace: token::Brace,
    inner_attributes: Vec<Attribute>,
    pub(crate) tokens: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let signature = input.parse()?;
        let body = if input.peek(Token![;]) {
            input.parse::<Token![;]>()?;
            None
        } else {
            let content;
            Some(Body {
                brace: braced!(content in input),
                inner_attributes: content.call(Attribute::parse_inner)?,
                tokens: content.parse()?,
            })
        };
        Ok(Self { attributes, visibility, signature, body })
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.append_all(&self.attributes);
        self.visibility.to_tokens(tokens);
        self.signature.to_tokens(tokens);
        match &self.body {
            None => <Token![;]>::default().to_tokens(tokens),
            Some(body) => body.brace.surround(tokens, |tokens| {
                tokens.append_all(&body.inner_attributes);
                body.tokens.to_tokens(tokens);
            }),
        }
    }
}

impl Function {
    /// The function with the statements in their place.
    pub(crate) fn with_statements(mut self, shape: &Shape, statements: TokenStream) -> Self {
        if let Some(body) = &mut self.body {
            body.tokens = shape::with_statements(body, shape, statements);
        }
        self
    }

    /// Takes the further `#[rate_limit(..)]`s off the function: where each is, and what it says.
    pub(crate) fn take_stacked(&mut self, complaints: &mut Complaints) -> Vec<(Span, TokenStream)> {
        let mut stacked = Vec::new();
        self.attributes.retain(|attribute| {
            let segments = &attribute.path().segments;
            let Some(name) = segments.last().filter(|it| it.ident == "rate_limit") else {
                return true;
            };
            let tokens = match &attribute.meta {
                Meta::Path(_) => TokenStream::new(),
                Meta::List(list) => list.tokens.clone(),
                Meta::NameValue(_) => {
                    complaints.about(attribute, "write `#[rate_limit(requests = .., window = ..)]`");
                    return false;
                }
            };
            stacked.push((name.ident.span(), tokens));
            false
        });
        stacked
    }
}
