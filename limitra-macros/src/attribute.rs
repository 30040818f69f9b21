//! From the tokens of an attribute and its function to the tokens that take their place.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

use crate::args::Args;
use crate::arguments::{self, Arguments};
use crate::complaints::Complaints;
use crate::expand::Expansion;
use crate::function::Function;
use crate::model::Plan;
use crate::shape::{self, Shape};

/// The function with its limit, or as it was with all complaints.
pub(crate) fn limited(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut complaints = Complaints::default();
    let mut function: Function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let error = no_function(&item, error);
            return with_error(item, Some(error));
        }
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
            let expansion =
                Expansion { plan: &plan, arguments: &arguments, function: &function, shape: &shape, renamed };
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
        let message =
            format!("`{name}` has no body to limit: put `#[rate_limit(..)]` on its implementations");
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
    if let Some(constness) = &function.signature.constness {
        let message = format!(
            "a `const fn` may run in the compiler, where nothing can be counted: write `fn {name}`, \
             and keep what has to be const in a function of its own"
        );
        complaints.about(constness, message);
    }
    let shape = Shape::of(function);
    if shape.is_none() {
        let message = format!(
            "`{name}` returns a future that is made elsewhere, which no refusal can be put into: \
             write `async fn {name}`, or end its body with `async move {{ .. }}`"
        );
        complaints.about(function.signature.fn_token, message);
    }
    if let (Some(Shape::Boxed { .. }), Some(early)) = (&shape, shape::early_return(body)) {
        let message = format!(
            "this future would not be limited: only the last block of `{name}` is, so put the `return` into it, \
             or write `async fn {name}`"
        );
        complaints.about(early, message);
    }
    shape
}

fn no_function(item: &TokenStream, error: syn::Error) -> syn::Error {
    if syn::parse2::<syn::Item>(item.clone()).is_ok_and(|it| !matches!(it, syn::Item::Fn(_))) {
        let message = "`#[rate_limit(..)]` goes on a function: \
                       put it on each one that has a limit";
        return syn::Error::new(Span::call_site(), message);
    }
    error
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::limited;

    /// How often a text occurs in what comes of an attribute.
    fn count(args: proc_macro2::TokenStream, item: proc_macro2::TokenStream, text: &str) -> usize {
        limited(args, item).to_string().matches(text).count()
    }

    #[test]
    fn a_mistake_leaves_the_function_as_it_was_and_every_complaint_behind_it() {
        let item = quote!(
            #[doc = "d"]
            pub(crate) async fn f<T>(a: T) -> Result<(), E>
            where
                T: Send,
            {
                a.b()
            }
        );
        let args = quote!(requests = 0, window = 0, key = "b");
        let made = limited(args.clone(), item.clone()).to_string();
        assert!(made.starts_with(&item.to_string()), "{made}");
        assert_eq!(count(args, item, "compile_error"), 3);
    }

    #[test]
    fn a_body_and_a_signature_stand_in_the_expansion_as_they_were() {
        let item = quote!(
            pub async fn f(id: u64) -> Result<(), E> {
                #![allow(x)]
                body!(of anything, even { invalid } code)
            }
        );
        let made = limited(quote!(requests = 1, window = 1, key = "id"), item).to_string();
        assert!(
            made.starts_with("pub async fn f (id : u64) -> Result < () , E > { # ! [allow (x)]"),
            "{made}"
        );
        assert!(made.ends_with("body ! (of anything , even { invalid } code) }"), "{made}");
    }

    #[test]
    fn stacked_attributes_become_one_call() {
        let item = quote!(
            #[rate_limit(requests = 2, window = 2)]
            #[instrument]
            #[limitra::rate_limit(requests = 3, window = 3, scope = "all")]
            async fn f(id: u64) -> Result<(), E> {}
        );
        let made = limited(quote!(requests = 1, window = 1, key = "id"), item).to_string();
        assert_eq!(made.matches("rate_limit").count(), 0, "{made}");
        assert_eq!(made.matches("__private :: call (").count(), 1, "{made}");
        assert_eq!(made.matches("limitra_call . layer ()").count(), 3, "{made}");
        assert_eq!(made.matches("instrument").count(), 1, "{made}");
    }

    #[test]
    fn an_argument_is_renamed_only_where_its_whole_is_needed() {
        let item = quote!(
            async fn f((a, b): (u8, u8), c: u8) -> Result<(), E> {}
        );
        let by_name = limited(quote!(requests = 1, window = 1, key = "b"), item.clone()).to_string();
        assert!(!by_name.contains("__limitra_arg"), "{by_name}");
        let by_wildcard = quote!(requests = 1, window = 1, key = |_, c| *c);
        assert!(!limited(by_wildcard, item.clone()).to_string().contains("__limitra_arg"));
        let whole = limited(quote!(requests = 1, window = 1, key = |pair, _| pair.0), item).to_string();
        assert!(whole.starts_with("async fn f (__limitra_arg_0 : (u8 , u8) , c : u8)"), "{whole}");
        assert!(whole.contains("let (a , b) = __limitra_arg_0 ;"), "{whole}");
    }

    #[test]
    fn a_future_that_may_not_be_the_one_that_is_returned_is_a_mistake() {
        let args = quote!(requests = 1, window = 1);
        for body in [
            quote! {
                #[cfg(unix)]
                { other() }
                #[cfg(not(unix))]
                async move { Ok(()) }
            },
            quote! {
                #[cfg(unix)]
                { other() }
                #[cfg(not(unix))]
                Box::pin(async move { Ok(()) })
            },
            quote! {
                leave_if!(x > 0, return Box::pin(other()));
                Box::pin(async move { Ok(()) })
            },
            quote! {
                if x > 0 { leave! { { return other() } } }
                async move { Ok(()) }.boxed()
            },
        ] {
            let item = quote!(
                fn f(x: u8) -> Pin<Box<dyn Future<Output = Result<(), E>>>> { #body }
            );
            assert_eq!(count(args.clone(), item.clone(), "compile_error"), 1, "{item}");
        }
        let well = quote!(
            fn f(x: u8) -> Pin<Box<dyn Future<Output = Result<(), E>>>> {
                println!("{x}");
                #[allow(clippy::all)]
                Box::pin(async move {
                    leave_if!(x > 0, return Ok(()));
                    Ok(())
                })
            }
        );
        assert_eq!(count(args, well, "compile_error"), 0);
    }

    #[test]
    fn another_path_of_limitra_is_used_throughout() {
        let item = quote!(
            async fn f(a: u8) -> Result<(), E> {}
        );
        let args = quote!(requests = 1, window = 1, key = |a| a, crate = my::limits, limitra = h());
        let made = limited(args, item).to_string();
        assert!(made.contains("my :: limits :: __private :: admit ("), "{made}");
        assert!(!made.contains(":: limitra"), "{made}");
    }
}
