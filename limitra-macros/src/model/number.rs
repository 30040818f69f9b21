//! Numbers: requests, windows, bursts and costs.

use core::time::Duration;

use proc_macro2::Span;
use quote::ToTokens;
use syn::{Expr, ExprClosure, ExprLit, ExprUnary, Lit, LitFloat, LitInt, UnOp};

use super::closure;
use crate::arguments::Arguments;
use crate::complaints::Complaints;

/// A number, known or to be had.
pub(crate) enum Number {
    /// A literal that has been checked.
    Literal(Literal),
    /// A closure that is called at each call.
    Closure(ExprClosure),
    /// Anything else, evaluated once.
    Expression(Expr),
}

/// A literal and its value.
pub(crate) struct Literal {
    pub(crate) tokens: Lit,
    pub(crate) amount: u64,
}

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Whole units: `requests`, `burst`, `cost`.
    Units,
    /// Seconds: `window`.
    Seconds,
}

/// The shortest window, in seconds.
const SHORTEST: f64 = 0.001;
/// The longest window in seconds: 100 years.
const LONGEST: u64 = 100 * 31_557_600;

impl Number {
    /// The number that `name` is given; `None` after a complaint.
    pub(crate) fn of(
        name: &str,
        unit: Unit,
        value: Expr,
        arguments: &Arguments,
        complaints: &mut Complaints,
    ) -> Option<Self> {
        let value = unwrapped(value);
        let checked = match &value {
            Expr::Closure(it) => {
                closure::check(name, it, &arguments.parameters(), complaints)?;
                return Some(Self::Closure(it.clone()));
            }
            Expr::Lit(ExprLit { lit, .. }) => literal(name, unit, lit),
            Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) if matches!(&**expr, Expr::Lit(_)) => {
                Err(format!("`{name}` is {}: {}", text(&value), remedy(name, unit)))
            }
            Expr::Tuple(_) | Expr::Array(_) | Expr::Range(_) => {
                Err(format!("`{name}` is a number, a closure or another expression: {}", remedy(name, unit)))
            }
            _ => return Some(Self::Expression(value)),
        };
        match checked {
            Ok(literal) => Some(Self::Literal(literal)),
            Err(message) => {
                complaints.about(&value, message);
                None
            }
        }
    }

    /// The value of a literal.
    pub(crate) fn known(&self) -> Option<u64> {
        match self {
            Self::Literal(literal) => Some(literal.amount),
            _ => None,
        }
    }

    /// The microseconds of a window that is a literal.
    pub(crate) fn known_window(&self) -> Option<u128> {
        let Self::Literal(Literal { tokens, amount }) = self else { return None };
        let nanos = match tokens {
            Lit::Float(it) => Duration::try_from_secs_f64(it.base10_parse().ok()?).ok()?.as_nanos(),
            _ => u128::from(*amount) * 1_000_000_000,
        };
        Some((nanos + 500) / 1000)
    }

    pub(crate) fn is_closure(&self) -> bool {
        matches!(self, Self::Closure(_))
    }
}

/// An expression without the parentheses and invisible groups around it.
pub(crate) fn unwrapped(expression: Expr) -> Expr {
    match expression {
        Expr::Paren(it) => unwrapped(*it.expr),
        Expr::Group(it) => unwrapped(*it.expr),
        other => other,
    }
}

fn text(value: &Expr) -> String {
    value.to_token_stream().to_string().replace("- ", "-")
}

fn remedy(name: &str, unit: Unit) -> String {
    match unit {
        Unit::Units if name == "cost" => "write a whole number above 0, as in `cost = 2`".to_owned(),
        Unit::Units => format!("write a whole number above 0, as in `{name} = 10`"),
        Unit::Seconds => format!("write seconds above 0, as in `{name} = 60` or `{name} = 0.5`"),
    }
}

fn literal(name: &str, unit: Unit, lit: &Lit) -> Result<Literal, String> {
    match (lit, unit) {
        (Lit::Int(it), _) => integer(name, unit, it),
        (Lit::Float(it), Unit::Seconds) => seconds(name, it),
        (Lit::Float(it), Unit::Units) => {
            Err(format!("`{name}` is {it}, which is no whole number: {}", remedy(name, unit)))
        }
        (other, _) => Err(format!(
            "`{name}` is {}, which is no number: {}",
            other.to_token_stream(),
            remedy(name, unit)
        )),
    }
}

fn integer(name: &str, unit: Unit, it: &LitInt) -> Result<Literal, String> {
    let amount: u64 = match it.base10_parse() {
        Ok(amount) => amount,
        Err(_) if unit == Unit::Seconds => return Err(too_long(name, it)),
        Err(_) => {
            return Err(format!(
                "`{name}` is {it}, which does not fit in 64 bits: write at most {}",
                u64::MAX
            ));
        }
    };
    if amount == 0 {
        return Err(format!("`{name}` is 0: {}", remedy(name, unit)));
    }
    if unit == Unit::Seconds && amount > LONGEST {
        return Err(too_long(name, it));
    }
    let tokens = if it.suffix().is_empty() {
        Lit::Int(LitInt::new(&format!("{amount}u64"), located(it.span())))
    } else {
        Lit::Int(it.clone())
    };
    Ok(Literal { tokens, amount })
}

fn seconds(name: &str, it: &LitFloat) -> Result<Literal, String> {
    let Ok(window) = it.base10_parse::<f64>() else {
        return Err(format!("`{name}` is {it}: {}", remedy(name, Unit::Seconds)));
    };
    #[allow(clippy::cast_precision_loss)] // 3_155_760_000 is exact
    let longest = LONGEST as f64;
    if window > longest {
        return Err(too_long(name, it));
    }
    if window < SHORTEST {
        return Err(format!(
            "`{name}` is {it} seconds: the shortest window is a millisecond, `{name} = 0.001`"
        ));
    }
    let tokens = if it.suffix().is_empty() {
        // `60.` is a number, `60.f64` is not.
        let digits = it.base10_digits().trim_end_matches('.');
        Lit::Float(LitFloat::new(&format!("{digits}f64"), located(it.span())))
    } else {
        Lit::Float(it.clone())
    };
    Ok(Literal { tokens, amount: 1 })
}

fn too_long(name: &str, it: &impl ToTokens) -> String {
    format!(
        "`{name}` is {} seconds: the longest window is 100 years, `{name} = {LONGEST}`",
        it.to_token_stream()
    )
}

/// The same place, but not written by the user: lints about how a literal looks do not apply.
fn located(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;
    use syn::{Lit, parse_quote};

    use super::{Unit, literal};

    #[test]
    fn a_literal_gets_the_type_that_it_has_to_have() {
        let cases: [(Lit, Unit, &str); 11] = [
            (parse_quote!(10), Unit::Units, "10u64"),
            (parse_quote!(10_000), Unit::Units, "10000u64"),
            (parse_quote!(0x10), Unit::Units, "16u64"),
            (parse_quote!(10u8), Unit::Units, "10u8"),
            (parse_quote!(18446744073709551615), Unit::Units, "18446744073709551615u64"),
            (parse_quote!(60), Unit::Seconds, "60u64"),
            (parse_quote!(60.), Unit::Seconds, "60f64"),
            (parse_quote!(0.001), Unit::Seconds, "0.001f64"),
            (parse_quote!(1e-3), Unit::Seconds, "1e-3f64"),
            (parse_quote!(3155760000.0), Unit::Seconds, "3155760000.0f64"),
            (parse_quote!(0.5f32), Unit::Seconds, "0.5f32"),
        ];
        for (lit, unit, tokens) in cases {
            let made = literal("n", unit, &lit).map(|it| it.tokens.to_token_stream().to_string());
            assert_eq!(made.as_deref(), Ok(tokens));
        }
    }

    #[test]
    fn a_literal_out_of_range_is_named() {
        let cases: [(Lit, Unit); 12] = [
            (parse_quote!(0), Unit::Units),
            (parse_quote!(10.0), Unit::Units),
            (parse_quote!("10"), Unit::Units),
            (parse_quote!(18446744073709551616), Unit::Units),
            (parse_quote!(0), Unit::Seconds),
            (parse_quote!(0.0), Unit::Seconds),
            (parse_quote!(0.000999), Unit::Seconds),
            (parse_quote!(3155760001), Unit::Seconds),
            (parse_quote!(3155760000.1), Unit::Seconds),
            (parse_quote!(18446744073709551616), Unit::Seconds),
            (parse_quote!(1e400), Unit::Seconds),
            (parse_quote!(true), Unit::Seconds),
        ];
        for (lit, unit) in cases {
            let text = lit.to_token_stream().to_string();
            let message = literal("n", unit, &lit).map(|_| ()).expect_err(&text);
            assert!(message.contains("`n`") && message.contains(&text), "{message}");
        }
    }
}
