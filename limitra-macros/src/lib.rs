//! The `#[rate_limit]` attribute.

mod args;
mod arguments;
mod complaints;
mod expand;
mod function;
mod model;
mod nearest;
mod shape;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

use args::Args;
use arguments::Arguments;
use complaints::Complaints;
use expand::Expansion;
use function::Function;
use model::Plan;
use shape::Shape;

/// Limits how often an async function runs.
#[proc_macro_attribute]
pub fn rate_limit(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    limited(args.into(), item.into()).into()
}

/// The function with its limit, or as it was with all complaints.
fn limited(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut complaints = Complaints::default();
    let mut function: Function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let error = no_function(&item, error);
            return with_error(item, Some(error));
        },
    };
    let stacked = function.take_stacked(&mut complaints);
    let mut all = vec![Args::read(Span::call_site(), args, &mut complaints)];
    for (span, tokens) in stacked {
        all.push(Args::read(span, tokens, &mut complaints));
    }
    let shape = shape_of(&function, &mut complaints);
    let mut arguments = Arguments::of(&function.signature, shape.as_ref().unwrap_or(&Shape::Async));
    let plan = Plan::of(all, &arguments, &mut complaints);
    let untouched = function.to_token_stream();
    let wholes = plan.wholes(&arguments);
    let renamed = arguments::rename(&mut arguments, &mut function.signature, &wholes);
    if let (Some(body), Some((_, pattern))) = (&function.body, renamed.first())
        && shape::is_instrumented(body)
    {
        let message = "the whole of this pattern is needed, which `#[instrument]` has taken apart: \
                       write `#[rate_limit(..)]` above `#[instrument]`";
        complaints.about(pattern, message);
    }
    match (shape, complaints.into_error()) {
        (Some(shape), None) => {
            let expansion = Expansion {
                plan: &plan,
                arguments: &arguments,
                function: &function,
                shape: &shape,
                renamed,
            };
            let statements = expansion.statements();
            function.with_statements(&shape, statements).into_token_stream()
        }
        (_, error) => with_error(untouched, error),
    }
}

/// What the user wrote, so that editors and the rest of the build can go on, and what is wrong.
fn with_error(mut untouched: TokenStream, error: Option<syn::Error>) -> TokenStream {
    untouched.extend(error.map(|error| error.to_compile_error()));
    untouched
}

fn shape_of(function: &Function, complaints: &mut Complaints) -> Option<Shape> {
    let name = &function.signature.ident;
    let Some(body) = &function.body else {
        let message = format!(
            "`{name}` has no body to limit: put `#[rate_limit(..)]` on its implementations"
        );
        complaints.about(name, message);
        return None;
    };
    if shape::mentions(body.tokens.clone(), "__LIMITRA_SITE") {
        let message = format!(
            "`{name}` is limited already: stacked attributes are written `#[rate_limit(..)]`, \
             under that name, so that they are decided together"
        );
        complaints.about(name, message);
    }
    let shape = Shape::of(function);
    if shape.is_none() {
        let message = format!(
            "only async functions can be rate limited so far: write `async fn {name}`"
        );
        complaints.about(function.signature.fn_token, message);
    }
    shape
}

fn no_function(item: &TokenStream, error: syn::Error) -> syn::Error {
    if syn::parse2::<syn::Item>(item.clone()).is_ok_and(|it| !matches!(it, syn::Item::Fn(_))) {
        let message = "`#[rate_limit(..)]` goes on an async function: \
                       put it on each function that has a limit";
        return syn::Error::new(Span::call_site(), message);
    }
    error
}
