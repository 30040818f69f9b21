//! Where in a function's body the statements of the attribute belong.
//!
//! An `async fn` takes them at the start of its body, and so does a plain one. What returns the future of a last
//! `async` block takes them inside that block: it is limited when it is awaited, like an `async fn`. What `async_trait` has already turned into
//! `Box::pin(async move { .. })` takes them inside that block, and what `tracing::instrument` has already
//! wrapped takes them inside its span. Both leave a first statement that says the type of a `return`;
//! ours come behind it.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, Expr, ExprAsync, ExprClosure, ExprReturn, GenericArgument, Item, Local, Macro, Pat,
    PathArguments, ReturnType, Stmt, TraitBound, Type, TypeParamBound,
};

use crate::function::{Body, Function};

/// What kind of function this is.
pub(crate) enum Shape {
    /// An `async fn`.
    Async,
    /// A function that awaits nothing.
    Plain,
    /// A function whose last expression is `Box::pin(async move { .. })`, `async move { .. }` or that `.boxed()`.
    Boxed {
        /// The `Output` of the future, where the signature says it.
        output: Option<Box<Type>>,
        /// The patterns that `async_trait` has moved into the block, by the name of their argument.
        moved: Vec<(String, Pat)>,
    },
}

impl Shape {
    /// `None` for a function that returns a future which its tokens do not show.
    pub(crate) fn of(function: &Function) -> Option<Self> {
        if function.signature.asyncness.is_some() {
            return Some(Self::Async);
        }
        let output = &function.signature.output;
        let block = function.body.as_ref().and_then(block).filter(|block| boxed(block).is_some());
        match block {
            Some(block) => {
                let mut moved = Moved(Vec::new());
                moved.visit_block(&block);
                Some(Self::Boxed { output: self::output(output).map(Box::new), moved: moved.0 })
            }
            None => (!is_future(output)).then_some(Self::Plain),
        }
    }
}

/// A `return` that leaves the function before its last block does, which alone is limited; also among what a macro is
/// given. One that a macro brings along is not seen.
pub(crate) fn early_return(body: &Body) -> Option<TokenStream> {
    let mut found = EarlyReturn(None);
    found.visit_block(&block(body)?);
    found.0
}

/// The body with `statements` in their place.
pub(crate) fn with_statements(body: &Body, shape: &Shape, statements: TokenStream) -> TokenStream {
    let direct = matches!(shape, Shape::Async | Shape::Plain) && !is_instrumented(body);
    if !direct && let Some(mut block) = block(body) {
        match shape {
            Shape::Async | Shape::Plain => insert(&mut block, statements),
            Shape::Boxed { .. } => match boxed_mut(&mut block) {
                Some(inside) => insert(inside, statements),
                None => insert(&mut block, statements),
            },
        }
        let mut tokens = TokenStream::new();
        for statement in &block.stmts {
            statement.to_tokens(&mut tokens);
        }
        return tokens;
    }
    let mut tokens = statements;
    tokens.extend(body.tokens.clone());
    tokens
}

/// The name under which `tracing::instrument` keeps the future that it has made of a body.
const INSTRUMENTED: &str = "__tracing_instrument_future";
/// The name under which `tracing::instrument` keeps the span that it has entered before a body that is not async.
const ENTERED: &str = "__tracing_attr_guard";
/// What the statements that only say a type bind.
const RETURNS: [&str; 2] = ["__ret", "__tracing_attr_fake_return"];

/// Whether `tracing::instrument` has been here first.
pub(crate) fn is_instrumented(body: &Body) -> bool {
    mentions(body.tokens.clone(), INSTRUMENTED) || mentions(body.tokens.clone(), ENTERED)
}

fn block(body: &Body) -> Option<Block> {
    let statements = syn::parse::Parser::parse2(Block::parse_within, body.tokens.clone()).ok()?;
    Some(Block { brace_token: body.brace, stmts: statements })
}

/// Whether the tokens contain this identifier, at any depth.
pub(crate) fn mentions(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Group(group) => mentions(group.stream(), name),
        _ => false,
    })
}

/// The block of a last `Box::pin(async move { .. })`, `async move { .. }.boxed()` or `async move { .. }`.
fn boxed(block: &Block) -> Option<&Block> {
    let Some(Stmt::Expr(last, None)) = block.stmts.last() else {
        return None;
    };
    let future = match last {
        Expr::Call(call) if is_box_pin(&call.func) && call.args.len() == 1 && is_there(&call.attrs) => {
            call.args.first()?
        }
        Expr::MethodCall(call)
            if (call.method == "boxed" || call.method == "boxed_local") && is_there(&call.attrs) =>
        {
            &*call.receiver
        }
        last => last,
    };
    match future {
        Expr::Async(future) if is_there(&future.attrs) => Some(&future.block),
        _ => None,
    }
}

/// Whether an expression is the last one whatever is configured: with a `cfg` another one may take its place, and that has no limit.
fn is_there(attributes: &[Attribute]) -> bool {
    !attributes.iter().any(|it| it.path().is_ident("cfg") || it.path().is_ident("cfg_attr"))
}

fn boxed_mut(block: &mut Block) -> Option<&mut Block> {
    let Some(Stmt::Expr(last, None)) = block.stmts.last_mut() else {
        return None;
    };
    let future = match last {
        Expr::Call(call) => call.args.first_mut()?,
        Expr::MethodCall(call) => &mut *call.receiver,
        last => last,
    };
    match future {
        Expr::Async(future) => {
            // It looks at the arguments from now on, and leaves the function: borrow them it cannot.
            future.capture.get_or_insert_default();
            Some(&mut future.block)
        }
        _ => None,
    }
}

fn is_box_pin(function: &Expr) -> bool {
    let Expr::Path(path) = function else {
        return false;
    };
    let mut last = path.path.segments.iter().rev();
    last.next().is_some_and(|it| it.ident == "pin") && last.next().is_some_and(|it| it.ident == "Box")
}

/// Puts the statements into the innermost block that is still the function's own.
fn insert(block: &mut Block, statements: TokenStream) {
    if let Some(inside) = block.stmts.iter_mut().find_map(instrumented) {
        return insert(inside, statements);
    }
    if mentions_in(block, ENTERED)
        && let Some(inside) = block.stmts.iter_mut().find_map(entered)
    {
        return insert(inside, statements);
    }
    let at = block.stmts.iter().take_while(|it| says_a_type(it)).count();
    let statements = Stmt::Expr(Expr::Verbatim(statements), None);
    block.stmts.insert(at, statements);
}

/// The function's own block inside what `tracing::instrument` has made of it.
fn instrumented(statement: &mut Stmt) -> Option<&mut Block> {
    let Stmt::Local(local) = statement else {
        return None;
    };
    if !matches!(&local.pat, Pat::Ident(pattern) if pattern.ident == INSTRUMENTED) {
        return None;
    }
    let Expr::Async(future) = &mut *local.init.as_mut()?.expr else {
        return None;
    };
    // With `err` or `ret` the body is awaited in a second block of its own.
    if awaited(future.block.stmts.first_mut()).is_some() {
        return awaited(future.block.stmts.first_mut());
    }
    Some(&mut future.block)
}

fn awaited(statement: Option<&mut Stmt>) -> Option<&mut Block> {
    let expression = match statement? {
        Stmt::Local(local) => &mut local.init.as_mut()?.expr,
        Stmt::Expr(Expr::Match(it), _) => &mut it.expr,
        _ => return None,
    };
    match &mut **expression {
        Expr::Await(it) => match &mut *it.base {
            Expr::Async(future) if future.capture.is_some() => Some(&mut future.block),
            _ => None,
        },
        _ => None,
    }
}

fn mentions_in(block: &Block, name: &str) -> bool {
    block.stmts.iter().any(|it| mentions(it.to_token_stream(), name))
}

/// The function's own block behind the span that `tracing::instrument` has entered.
fn entered(statement: &mut Stmt) -> Option<&mut Block> {
    fn own(expression: &mut Expr) -> Option<&mut Block> {
        match expression {
            Expr::Block(it) if it.block.stmts.first().is_some_and(says_a_type) => Some(&mut it.block),
            // With `err` or `ret` it is a closure that is called at once.
            Expr::Match(it) => own(&mut it.expr),
            Expr::Call(it) => own(&mut it.func),
            Expr::Paren(it) => own(&mut it.expr),
            Expr::Group(it) => own(&mut it.expr),
            Expr::Closure(it) => own(&mut it.body),
            _ => None,
        }
    }
    match statement {
        Stmt::Local(local) => own(&mut local.init.as_mut()?.expr),
        Stmt::Expr(expression, _) => own(expression),
        _ => None,
    }
}

fn says_a_type(statement: &Stmt) -> bool {
    let Stmt::Expr(Expr::If(it), _) = statement else {
        return false;
    };
    let tokens = it.to_token_stream();
    RETURNS.iter().any(|name| mentions(tokens.clone(), name))
}

/// Finds a `return` of the function itself, not of what is made in it.
struct EarlyReturn(Option<TokenStream>);

impl<'ast> Visit<'ast> for EarlyReturn {
    fn visit_expr_return(&mut self, it: &'ast ExprReturn) {
        self.0.get_or_insert_with(|| it.to_token_stream());
    }

    fn visit_macro(&mut self, it: &'ast Macro) {
        if mentions(it.tokens.clone(), "return") {
            self.0.get_or_insert_with(|| it.to_token_stream());
        }
    }

    fn visit_expr_async(&mut self, _: &'ast ExprAsync) {}

    fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}

    fn visit_item(&mut self, _: &'ast Item) {}
}

/// Collects `let PATTERN = { let __argN = __argN; __argN };`.
struct Moved(Vec<(String, Pat)>);

impl<'ast> Visit<'ast> for Moved {
    fn visit_local(&mut self, local: &'ast Local) {
        if let Some(init) = &local.init
            && let Expr::Block(block) = &*init.expr
            && let [Stmt::Local(inner), Stmt::Expr(Expr::Path(path), None)] = &*block.block.stmts
            && let (Pat::Ident(pattern), Some(name)) = (&inner.pat, path.path.get_ident())
            && pattern.ident == *name
        {
            self.0.push((name.to_string(), local.pat.clone()));
        }
        visit::visit_local(self, local);
    }
}

/// Whether a return type is written as a future.
fn is_future(returned: &ReturnType) -> bool {
    let ReturnType::Type(_, returned) = returned else {
        return false;
    };
    let is_named = match &**returned {
        Type::Path(path) => {
            let last = path.path.segments.last();
            last.is_some_and(|it| it.ident == "BoxFuture" || it.ident == "LocalBoxFuture")
        }
        _ => false,
    };
    is_named || bounds(returned).any(|it| it.path.segments.last().is_some_and(|it| it.ident == "Future"))
}

/// The traits of `impl ..` or `Pin<Box<dyn ..>>`.
fn bounds(returned: &Type) -> impl Iterator<Item = &TraitBound> {
    let boxed = || only_argument(only_argument(returned)?);
    let bounds = match (returned, boxed()) {
        (Type::ImplTrait(it), _) => Some(&it.bounds),
        (_, Some(Type::TraitObject(it))) => Some(&it.bounds),
        _ => None,
    };
    bounds.into_iter().flatten().filter_map(|bound| match bound {
        TypeParamBound::Trait(bound) => Some(bound),
        _ => None,
    })
}

/// `R` of `Pin<Box<dyn Future<Output = R> + ..>>` or `impl Future<Output = R>`.
fn output(returned: &ReturnType) -> Option<Type> {
    let ReturnType::Type(_, returned) = returned else {
        return None;
    };
    bounds(returned).find_map(|bound| {
        let segment = bound.path.segments.last()?;
        let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
            return None;
        };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(it) if it.ident == "Output" => Some(it.ty.clone()),
            _ => None,
        })
    })
}

/// `T` of `Name<T>`.
fn only_argument(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else {
        return None;
    };
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else {
        return None;
    };
    match arguments.args.first() {
        Some(GenericArgument::Type(ty)) => Some(ty),
        _ => None,
    }
}
