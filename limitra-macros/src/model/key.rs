//! The `key` of a layer: who is limited.

use proc_macro2::Span;
use quote::ToTokens;
use syn::{Expr, ExprLit, ExprUnary, Index, Lit, LitInt, LitStr, Member, UnOp};

use super::closure::Callable;
use super::number::unwrapped;
use crate::arguments::{Arguments, Named};
use crate::complaints::Complaints;
use crate::nearest::{listed, nearest};

/// One part of a key.
pub(crate) enum Part {
    /// An argument, a name inside a pattern, `self`, or a field behind one of these.
    Named { named: Named, fields: Vec<Member>, span: Span },
    /// What a closure or function makes of the arguments.
    Called { callable: Callable, text: String, ends: (Span, Span) },
}

impl Part {
    /// Two parts with the same text are the same part.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Called { text, .. } => text.clone(),
            Self::Named { named, fields, .. } => {
                let mut text = match named {
                    Named::Receiver => "self".to_owned(),
                    Named::Whole(index) => format!("argument {index}"),
                    Named::Bound(index, name) => format!("argument {index}, {name}"),
                };
                for field in fields {
                    text.push('.');
                    text.push_str(&field.to_token_stream().to_string());
                }
                text
            }
        }
    }
}

/// The parts of a key, in order; a key that cannot be read has none.
pub(crate) fn parts(value: Expr, arguments: &Arguments, complaints: &mut Complaints) -> Vec<Part> {
    if arguments.count() == 0 {
        let message = "`key` says who is limited, and the function has no arguments to say it: \
                       leave `key` out for one counter for all callers";
        complaints.about(value, message);
        return Vec::new();
    }
    match unwrapped(value) {
        Expr::Tuple(tuple) if tuple.elems.is_empty() => {
            complaints.about(tuple, format_args!("`key` is empty: {FORMS}"));
            Vec::new()
        }
        Expr::Tuple(tuple) => {
            let elements = tuple.elems.into_iter();
            elements.filter_map(|it| part(it, arguments, complaints)).collect()
        }
        other => part(other, arguments, complaints).into_iter().collect(),
    }
}

const FORMS: &str = "write the name of an argument, as in `key = \"user_id\"`, its index, a closure, \
                     the path of a function, or a tuple of these";

fn part(value: Expr, arguments: &Arguments, complaints: &mut Complaints) -> Option<Part> {
    let value = unwrapped(value);
    match &value {
        Expr::Lit(ExprLit { lit: Lit::Str(it), .. }) => named(it, arguments, complaints),
        Expr::Lit(ExprLit { lit: Lit::Int(it), .. }) => indexed(it, arguments, complaints),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), .. }) => {
            let message = format!("`key` is {}: {}", text(&value), indexes(arguments));
            complaints.about(&value, message);
            None
        }
        Expr::Path(path) if is_an_argument(path.path.get_ident(), arguments) => {
            let name = text(&value);
            let message = format!("`{name}` is an argument: write `key = \"{name}\"`");
            complaints.about(&value, message);
            None
        }
        Expr::Closure(_) | Expr::Path(_) => {
            let callable = Callable::of("key", &value, arguments, complaints)?;
            let tokens = value.to_token_stream();
            let text = tokens.to_string();
            let mut spans = tokens.into_iter().map(|token| token.span());
            let first = spans.next().unwrap_or_else(Span::call_site);
            let ends = (first, spans.last().unwrap_or(first));
            Some(Part::Called { callable, text, ends })
        }
        Expr::Field(_) => {
            let text = text(&value);
            let message = format!("a field is named in quotes: write `key = \"{text}\"`");
            complaints.about(&value, message);
            None
        }
        Expr::Lit(_) | Expr::Tuple(_) => {
            complaints.about(&value, format_args!("`key` cannot be this: {FORMS}"));
            None
        }
        _ => {
            let example = format!("|{}| ..", arguments.parameters().join(", "));
            let message =
                format!("`key` cannot be an expression: write a closure around it, `key = {example}`");
            complaints.about(&value, message);
            None
        }
    }
}

fn text(value: &Expr) -> String {
    value.to_token_stream().to_string().replace(' ', "")
}

fn is_an_argument(name: Option<&syn::Ident>, arguments: &Arguments) -> bool {
    name.is_some_and(|name| arguments.named(&name.to_string()).is_some())
}

/// `"user"`, `"user.id"`, `"self.tenant"`, `"pair.0"`.
fn named(value: &LitStr, arguments: &Arguments, complaints: &mut Complaints) -> Option<Part> {
    let text = value.value();
    let mut segments = text.split('.');
    let name = segments.next().unwrap_or_default();
    let Some(named) = arguments.named(name) else {
        complaints.about(value, unknown(name, arguments));
        return None;
    };
    let mut fields = Vec::new();
    for segment in segments {
        let Some(field) = member(segment, value.span()) else {
            let message = format!(
                "`{segment}` in `key` is no field: write fields as in `key = \"user.id\"`, \
                 and anything else in a closure"
            );
            complaints.about(value, message);
            return None;
        };
        fields.push(field);
    }
    Some(Part::Named { named, fields, span: value.span() })
}

fn member(text: &str, span: Span) -> Option<Member> {
    if let Ok(index) = text.parse::<u32>() {
        return Some(Member::Unnamed(Index { index, span }));
    }
    let raw = || syn::parse_str(&format!("r#{text}"));
    let mut name: syn::Ident = syn::parse_str(text).or_else(|_| raw()).ok()?;
    name.set_span(span);
    Some(Member::Named(name))
}

fn unknown(name: &str, arguments: &Arguments) -> String {
    let names = arguments.names();
    let names = || names.iter().map(String::as_str);
    if name == "self" {
        let all = listed(names());
        return format!("the function has no `self` that `key` could name: there are {all}");
    }
    let rest = match nearest(name, names()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if names().next().is_none() => "none of its arguments has a name".to_owned(),
        None => format!("there are {}", listed(names())),
    };
    if name.is_empty() {
        return format!("`key` names no argument: {rest}");
    }
    format!("the function has no argument `{name}` that `key` could name: {rest}")
}

/// `0`: the argument at that index, `self` not counted.
fn indexed(value: &LitInt, arguments: &Arguments, complaints: &mut Complaints) -> Option<Part> {
    let index = value.base10_parse::<usize>().unwrap_or(usize::MAX);
    if index >= arguments.list.len() {
        let message = format!("`key` is {value}: {}", indexes(arguments));
        complaints.about(value, message);
        return None;
    }
    Some(Part::Named { named: Named::Whole(index), fields: Vec::new(), span: value.span() })
}

fn indexes(arguments: &Arguments) -> String {
    match arguments.list.len() {
        0 => "the function has no argument but `self`, which is not counted".to_owned(),
        1 => "the function has one argument, at index 0 (`self` is not counted)".to_owned(),
        count => format!(
            "the function has {count} arguments, at the indexes 0 to {} (`self` is not counted)",
            count - 1
        ),
    }
}
