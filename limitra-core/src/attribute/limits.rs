//! `limits = expr`: text in the notation, or a list of limits.

use std::cell::Cell;

use super::declaration::{Declaration, static_limit};
use crate::error::ConfigurationError;
use crate::limit::Limit;
use crate::number::{Amount, Seconds};
use crate::rate_limit::RateLimit;

/// The value of an expression that is to be limits; method resolution finds the way.
#[allow(missing_debug_implementations)] // Nobody but the expansion ever holds one.
pub struct LimitsOf<T>(Cell<Option<T>>);

impl<T> LimitsOf<T> {
    /// Of this value.
    pub const fn new(limits: T) -> Self {
        Self(Cell::new(Some(limits)))
    }
}

/// First choice: text. Of `&&LimitsOf` the compiler tries `&LimitsOf` first.
pub trait ByNotation {
    /// Says the limits to the declaration.
    fn say(&self, declaration: &mut Declaration);
}

impl<T: AsRef<str>> ByNotation for &LimitsOf<T> {
    fn say(&self, declaration: &mut Declaration) {
        if let Some(notation) = self.0.take() {
            declaration.notation(notation.as_ref());
        }
    }
}

/// Second choice: a list, which the compiler explains in our words where it is none.
pub trait ByList {
    /// What is listed.
    type List;
    /// Says the limits to the declaration.
    fn say(&self, declaration: &mut Declaration)
    where
        Self::List: LimitList;
}

impl<T> ByList for LimitsOf<T> {
    type List = T;

    fn say(&self, declaration: &mut Declaration)
    where
        T: LimitList,
    {
        if let Some(list) = self.0.take() {
            list.say_to(declaration);
        }
    }
}

/// A list of limits.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the limits of a function",
    label = "this is neither text nor a list of limits",
    note = "write text such as `\"10/second; 500/hour\"`, pairs of requests and window such as `[(10, 1), (500, 3600)]`, or an expression of such a type",
    note = "a list of `Limit`s or `RateLimit`s will do too"
)]
pub trait LimitList {
    /// Says each of them to the declaration.
    fn say_to(self, declaration: &mut Declaration);
}

#[diagnostic::do_not_recommend]
impl<T: IntoIterator<Item: OneLimit>> LimitList for T {
    fn say_to(self, declaration: &mut Declaration) {
        for limit in self {
            declaration.one_limit(limit);
        }
    }
}

/// What one element of a list may be: a pair of requests and window, a `Limit` or a `RateLimit`.
pub trait OneLimit {
    /// The limit.
    ///
    /// # Errors
    /// [`ConfigurationError`] if it cannot be one.
    fn limit(self) -> Result<Limit, ConfigurationError>;
}

impl<A: Amount, S: Seconds> OneLimit for (A, S) {
    fn limit(self) -> Result<Limit, ConfigurationError> {
        let (requests, window) = self;
        static_limit(requests, window)
    }
}

impl OneLimit for Limit {
    fn limit(self) -> Result<Limit, ConfigurationError> {
        Ok(self)
    }
}

impl OneLimit for RateLimit {
    fn limit(self) -> Result<Limit, ConfigurationError> {
        Ok(self.into())
    }
}

impl<T: OneLimit + Clone> OneLimit for &T {
    fn limit(self) -> Result<Limit, ConfigurationError> {
        self.clone().limit()
    }
}

/// Says the limits that an expression yields to a declaration.
#[doc(hidden)]
#[macro_export]
macro_rules! limits {
    ($declaration:expr, $limits:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::{ByList as _, ByNotation as _};
        (&&$crate::__private::LimitsOf::new($limits)).say(&mut *$declaration)
    }};
}
