#![doc = include_str!("../README.md")]

mod args;
mod arguments;
mod attribute;
mod complaints;
mod expand;
mod function;
mod model;
mod nearest;
mod notation;
mod shape;

/// Limits how often a function runs.
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
/// It goes on `async fn`s and on plain ones: free functions, methods, trait implementations, default methods, also under
/// `#[async_trait]` and with `#[tracing::instrument]` above or below. A few statements are put before the
/// body; signature, documentation and body stay as they are, and a future that was `Send` still is. On memory
/// a decision of one limit allocates nothing and never yields.
///
/// A plain `fn` is decided at its call: on memory at once, on any other storage by limitra's feature `blocking` (without it
/// every call is an error). A function that returns the future of its last `async` block is limited when that is awaited. A
/// `const fn` cannot be limited.
///
/// # Parameters
///
/// | parameter | value | default |
/// |---|---|---|
/// | `requests`, `window` | a number; the window in seconds (`0.5` is fine) or a `Duration`, from 1 ms to 100 years | needed |
/// | `limits` | in their place `[(10, 1), (500, 3600)]` or `"10/second; 500/hour"`, or an expression of such a type: all must pass, atomically | |
/// | `algorithm` | `"sliding_window"`, `"fixed_window"`, `"fixed_window_aligned"`, `"fixed_window_elastic_expiry"`, `"moving_window"`, `"token_bucket"`, `"leaky_bucket"`, `"gcra"`, or an `Algorithm` | the configured one: `"sliding_window"` |
/// | `burst` | a number: how deep a bucket is | `requests` |
/// | `cost` | a number: what a call consumes; 0 is allowed without counting | 1 |
/// | `key` | who is limited: `"arg"`, `"arg.field"`, `0`, a closure, a path, or a tuple of these | one counter for all |
/// | `scope` | the key's label | `"user"`; without `key` `"global"` |
/// | `name` | what stands for the function in the key | its path |
/// | `backend` | `"memory"`, or the kind of the configured storage: `"redis"`, `"memcached"`, `"mongodb"`, `"etcd"`, `"postgres"` | the configured one |
/// | `redis_client`, `storage` | a client or any storage for this function | the configured one |
/// | `project`, `prefix`, `suffix` | parts of the key | the configured ones |
/// | `on_outage` | what is answered while no decision can be had: `"error"`, `"open"`, `"closed:5s"`, `"local:4"`, or an `OnOutage` | the configured one: `"error"` |
/// | `fail_open` | `true`: the short form of `on_outage = "open"` | the configured one: `false` |
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
/// *Text*: `#[rate_limit("10/minute; 100 per 2 hours burst 150")]` is short for `limits = "..."`; it stands first. The
/// grammar is that of `limitra::parse_many`, and it is checked when the function is compiled. A word that is no built-in
/// unit, nor a slip of one, may be a granularity that the program registers
/// (`Granularity::register("fortnight", ..)`), which a compiler cannot know: it is looked up at the first call, and if
/// it is not registered by then, every call returns the error.
///
/// # Keys
///
/// `key = "id"` also names what is bound inside a pattern (`Path(id): Path<u64>`), `"user.id"` a field of it and
/// `"self.tenant"` a field of `self`; `0` is the first argument behind `self`. Text, bytes, integers and
/// whatever is `Display` can be a key. An `Option` cannot: say in a closure who is meant without one.
///
/// The function's path in the key contains its type and trait, so two methods `create` on two types have
/// counters of their own, and so has a default method with `self` for every type; all instances of a generic function share
/// one. The path can change with a compiler: give a `name` where counters must outlive that.
///
/// # Several at once
///
/// Stacked `#[rate_limit]`s are one decision on several subjects, all or nothing. What speaks of the
/// whole function (`on_exceeded`, `on_error`, `block`, `decision`, `fail_open`, `on_outage`, `backend`, `redis_client`, `storage`,
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
/// what happens in an outage is said too (`fail_open = true`, `on_outage = "closed"`, `backend = "memory"` or `on_error`), unless the return
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
pub fn rate_limit(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    attribute::limited(args.into(), item.into()).into()
}
