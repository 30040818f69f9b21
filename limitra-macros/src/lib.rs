#![doc = include_str!("../README.md")]

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
///
/// ```
/// use limitra::{Error, rate_limit};
///
/// /// Ten posts a minute for each user.
/// #[rate_limit(requests = 10, window = 60, key = "user_id")]
/// async fn create_post(user_id: u64, text: &str) -> Result<usize, Error> {
///     Ok(text.len())
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// for _ in 0..10 {
///     create_post(1, "hello").await?;
/// }
/// assert!(matches!(create_post(1, "hello").await, Err(Error::RateLimitExceeded(_))));
/// create_post(2, "hello").await?; // somebody else
/// # Ok(())
/// # }
/// ```
///
/// It goes on `async fn`s: free functions, methods, trait implementations, default methods, also under
/// `#[async_trait]` and with `#[tracing::instrument]` above or below. A few statements are put before the
/// body; signature, documentation and body stay as they are, and a future that was `Send` still is. On memory
/// a decision of one limit allocates nothing and never yields.
///
/// # Parameters
///
/// | parameter | value | default |
/// |---|---|---|
/// | `requests`, `window` | a number; the window in seconds (`0.5` is fine) or a `Duration`, from 1 ms to 100 years | needed |
/// | `limits` | in their place `[(10, 1), (500, 3600)]`: all must pass, atomically | |
/// | `algorithm` | `"sliding_window"`, `"fixed_window"`, `"fixed_window_aligned"`, `"fixed_window_elastic_expiry"`, `"moving_window"`, `"token_bucket"`, `"leaky_bucket"`, `"gcra"`, or an `Algorithm` | the configured one: `"sliding_window"` |
/// | `burst` | a number: how deep a bucket is | `requests` |
/// | `cost` | a number: what a call consumes; 0 is allowed without counting | 1 |
/// | `key` | who is limited: `"arg"`, `"arg.field"`, `0`, a closure, a path, or a tuple of these | one counter for all |
/// | `scope` | the key's label | `"user"`; without `key` `"global"` |
/// | `name` | what stands for the function in the key | its path |
/// | `backend` | `"memory"` or `"redis"` | the configured one |
/// | `redis_client`, `storage` | a client or any storage for this function | the configured one |
/// | `project`, `prefix`, `suffix` | parts of the key | the configured ones |
/// | `fail_open` | whether calls are let through while no decision can be had | the configured one: `false` |
/// | `on_exceeded` | called with the `RateLimitExceeded`; its value is returned | the error is returned |
/// | `on_error` | called with the `Error` when no decision could be had; its value is returned | the error is returned |
/// | `block` | `false`: the function always runs, and `on_exceeded` only looks on | `true` |
/// | `exempt_when` | a closure or path: `true` skips the limit, nothing is counted | nobody is exempt |
/// | `decision` | a name under which the body sees its `Decision` | |
/// | `limitra` | a `Limitra` handle, which may come from an argument or `self` | the process-wide configuration |
/// | `crate` | the path of limitra, if it is not `::limitra` | `::limitra` |
///
/// A *number* is a literal or any expression, evaluated once; a closure (`requests = |user, _| user.quota()`)
/// is called at each call, and so is what stands beside it in the same limit. What a closure returns as `requests`
/// may be 0: the call is refused.
///
/// *Closures and paths* are called with references to all arguments, `&self` first where there is one. They are
/// called before anything is awaited, so they cannot be async. A closure may say its types
/// (`|user: &User, _| ..`).
///
/// # Keys
///
/// `key = "id"` also names what is bound inside a pattern (`Path(id): Path<u64>`), `"user.id"` a field of it and
/// `"self.tenant"` a field of `self`; `0` is the first argument behind `self`. Text, bytes, integers and
/// whatever is `Display` can be a key. An `Option` cannot: say in a closure who is meant without one.
///
/// The function's path in the key contains its type and trait, so two methods `create` on two types have
/// counters of their own, and so has a default method for every type; all instances of a generic function share
/// one. The path can change with a compiler: give a `name` where counters must outlive that.
///
/// # Several at once
///
/// Stacked `#[rate_limit]`s are one decision on several subjects, all or nothing. What speaks of the
/// whole function (`on_exceeded`, `on_error`, `block`, `decision`, `fail_open`, `backend`, `redis_client`, `storage`,
/// `limitra`, `crate`) is said on one of them.
///
/// ```
/// # use limitra::{Error, rate_limit};
/// #[rate_limit(limits = [(10, 1), (500, 3600)], key = "user")]
/// #[rate_limit(requests = 10_000, window = 3600, scope = "tenant", key = "tenant")]
/// async fn search(user: u64, tenant: &str) -> Result<(), Error> {
///     Ok(())
/// }
/// ```
///
/// # What is returned
///
/// Without `on_exceeded` the return type carries the error: any `Result<T, E>` with `E: From<limitra::Error>`,
/// or a type that implements `limitra::FromError`. With `on_exceeded` its value is returned, whatever it is; then
/// what happens in an outage is said too (`fail_open = true`, `backend = "memory"` or `on_error`), unless the return
/// type can carry that error.
///
/// ```
/// # use limitra::rate_limit;
/// #[rate_limit(requests = 10, window = 60, on_exceeded = |exceeded| {
///     println!("{exceeded}");
///     None
/// }, fail_open = true)]
/// async fn find(name: &str) -> Option<u64> {
///     Some(7)
/// }
/// ```
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
        assert!(made.starts_with("pub async fn f (id : u64) -> Result < () , E > { # ! [allow (x)]"), "{made}");
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
        let item = quote!(async fn f((a, b): (u8, u8), c: u8) -> Result<(), E> {});
        let by_name = limited(quote!(requests = 1, window = 1, key = "b"), item.clone()).to_string();
        assert!(!by_name.contains("__limitra_arg"), "{by_name}");
        let by_wildcard = quote!(requests = 1, window = 1, key = |_, c| *c);
        assert!(!limited(by_wildcard, item.clone()).to_string().contains("__limitra_arg"));
        let whole = limited(quote!(requests = 1, window = 1, key = |pair, _| pair.0), item).to_string();
        assert!(whole.starts_with("async fn f (__limitra_arg_0 : (u8 , u8) , c : u8)"), "{whole}");
        assert!(whole.contains("let (a , b) = __limitra_arg_0 ;"), "{whole}");
    }

    #[test]
    fn another_path_of_limitra_is_used_throughout() {
        let item = quote!(async fn f(a: u8) -> Result<(), E> {});
        let args = quote!(requests = 1, window = 1, key = |a| a, crate = my::limits, limitra = h());
        let made = limited(args, item).to_string();
        assert!(made.contains("my :: limits :: __private :: call ("), "{made}");
        assert!(!made.contains(":: limitra"), "{made}");
    }
}
