//! Tokens to values: what stands between the parentheses of `#[rate_limit(..)]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Expr, Lit, Token};

use crate::complaints::Complaints;
use crate::nearest::{listed, nearest};

/// Every parameter of the attribute, in the order in which the documentation has them.
pub(crate) const NAMES: [&str; 24] = [
    "requests",
    "window",
    "limits",
    "algorithm",
    "burst",
    "cost",
    "key",
    "scope",
    "name",
    "backend",
    "redis_client",
    "storage",
    "project",
    "prefix",
    "suffix",
    "fail_open",
    "on_outage",
    "on_exceeded",
    "on_error",
    "block",
    "exempt_when",
    "decision",
    "limitra",
    "crate",
];

/// `name = value`.
pub(crate) struct Parameter {
    pub(crate) name: Ident,
    pub(crate) value: Expr,
}

/// The parameters of one attribute.
pub(crate) struct Args {
    /// The attribute itself, for what is missing.
    pub(crate) span: Span,
    /// Whether all of it could be read: else what seems to be missing may be there.
    pub(crate) is_whole: bool,
    parameters: Vec<Parameter>,
}

impl Args {
    /// Reads the tokens between the parentheses; what cannot be read becomes a complaint.
    pub(crate) fn read(span: Span, tokens: TokenStream, complaints: &mut Complaints) -> Self {
        let mut parameters = Vec::new();
        let mut parse = |input: ParseStream<'_>| parameters_of(input, &mut parameters, complaints);
        let is_whole = match Parser::parse2(&mut parse, tokens) {
            Ok(is_whole) => is_whole,
            Err(error) => {
                complaints.push(error);
                false
            }
        };
        Self { span, is_whole, parameters }
    }

    /// The value of `name`, which is not looked for again.
    pub(crate) fn take(&mut self, name: &str) -> Option<Parameter> {
        let at = self.parameters.iter().position(|it| it.name == name)?;
        Some(self.parameters.remove(at))
    }
}

/// Reads all that can be read; whether that was all.
fn parameters_of(
    input: ParseStream<'_>,
    parameters: &mut Vec<Parameter>,
    complaints: &mut Complaints,
) -> syn::Result<bool> {
    let mut is_whole = true;
    let mut is_first = true;
    while !input.is_empty() {
        if let Some(parameter) = parameter(input, core::mem::take(&mut is_first), complaints)? {
            if parameters.iter().any(|it| it.name == parameter.name) {
                let name = &parameter.name;
                complaints.about(name, format_args!("`{name}` is given twice"));
            } else {
                parameters.push(parameter);
            }
        } else {
            is_whole = false;
        }
        if input.is_empty() {
            break;
        }
        input.parse::<Token![,]>()?;
    }
    Ok(is_whole)
}

/// One parameter; `None` where there was a complaint that does not keep the rest from being read.
fn parameter(
    input: ParseStream<'_>,
    is_first: bool,
    complaints: &mut Complaints,
) -> syn::Result<Option<Parameter>> {
    if !is_named(input) {
        return unnamed(input, is_first, complaints);
    }
    let name = input.call(Ident::parse_any)?;
    let known = is_known(&name, complaints);
    if !input.peek(Token![=]) {
        if known {
            let message = format!("`{name}` has no value: write `{name} = ..`");
            complaints.about(&name, message);
        }
        if input.peek(Token![:]) {
            input.parse::<Token![:]>()?;
            input.parse::<Expr>()?;
        }
        return Ok(None);
    }
    let equals = input.parse::<Token![=]>()?;
    if input.is_empty() || input.peek(Token![,]) {
        let message = format!("`{name}` has no value: write `{name} = ..`");
        complaints.about(equals, message);
        return Ok(None);
    }
    let value = input.parse()?;
    Ok(known.then_some(Parameter { name, value }))
}

/// Whether what comes next is meant as `name = ..`, possibly with the value left out.
fn is_named(input: ParseStream<'_>) -> bool {
    let fork = input.fork();
    fork.call(Ident::parse_any).is_ok()
        && (fork.is_empty()
            || fork.peek(Token![,])
            || (fork.peek(Token![=]) && !fork.peek(Token![==]))
            || (fork.peek(Token![:]) && !fork.peek(Token![::])))
}

/// A value without a name: the limits, if it is a text that stands first.
fn unnamed(
    input: ParseStream<'_>,
    is_first: bool,
    complaints: &mut Complaints,
) -> syn::Result<Option<Parameter>> {
    let value: Expr = input.parse()?;
    if is_first && is_text(&value) {
        let name = Ident::new("limits", value.span());
        return Ok(Some(Parameter { name, value }));
    }
    let message = match &value {
        _ if is_text(&value) => {
            let value = value.to_token_stream();
            format!("only the limits go without a name, and they stand first: write `.. = {value}`")
        }
        Expr::Call(call) => match &*call.func {
            Expr::Path(path) if path.path.get_ident().is_some_and(is_a_name) => {
                let (name, value) = (path.path.require_ident()?, call.args.to_token_stream());
                format!("a parameter is a name and a value: write `{name} = {value}`")
            }
            _ => UNNAMED.to_owned(),
        },
        _ => UNNAMED.to_owned(),
    };
    complaints.about(value, message);
    Ok(None)
}

fn is_text(value: &Expr) -> bool {
    match value {
        Expr::Lit(it) => matches!(it.lit, Lit::Str(_)),
        Expr::Group(it) => is_text(&it.expr),
        _ => false,
    }
}

const UNNAMED: &str = "a parameter is a name and a value, as in `#[rate_limit(requests = 10, window = 60)]`";

fn is_a_name(name: &Ident) -> bool {
    NAMES.iter().any(|known| name == known)
}

fn is_known(name: &Ident, complaints: &mut Complaints) -> bool {
    if is_a_name(name) {
        return true;
    }
    let text = name.to_string();
    let message = match synonym(&text).or_else(|| nearest(&text, NAMES)) {
        Some(meant) => format!("unknown parameter `{text}`: did you mean `{meant}`?"),
        None => format!("unknown parameter `{text}`: there are {}", listed(NAMES)),
    };
    complaints.about(name, message);
    false
}

/// What other limiters call it.
fn synonym(name: &str) -> Option<&'static str> {
    Some(match name {
        "limit" | "amount" | "capacity" | "max" | "max_requests" | "rate" => "requests",
        "per" | "period" | "seconds" | "interval" | "duration" => "window",
        "key_func" | "identifier" | "by" => "key",
        "weight" => "cost",
        "redis" | "client" => "redis_client",
        "skip_if" | "unless" | "exempt" => "exempt_when",
        _ => return None,
    })
}
