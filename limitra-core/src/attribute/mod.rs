//! What the `#[rate_limit]` attribute's expansion calls. Not a public interface: it changes with the attribute.
//!
//! A [`Site`] stands for one attributed function. Its first call runs the declaration and keeps
//! the plan that follows; each call then brings what changes (who, cost, dynamic limits), decides,
//! and gets a [`Verdict`].

mod apply;
mod call;
mod carry;
mod declaration;
mod identify;
mod limits;
mod site;

pub use apply::*;
pub use call::{Call, Pending, Teller, Verdict, exceeded};
pub use carry::{CarriesStorageError, FromError};
pub use declaration::Declaration;
pub use identify::{ByDisplay, ByNothing, ByText, Part, RateLimitKey, Text};
pub use limits::{ByList, ByNotation, LimitList, LimitsOf, OneLimit};
pub use site::{
    Handle, Site, admit, ask, call, handle, no_decision, no_handle, path_of, refuse_instead, run_anyway,
};

pub use crate::decision::Decision;
pub use crate::error::Error;
pub use crate::exceeded::RateLimitExceeded;
pub use crate::handle::Limitra;
pub use crate::identifier::Identifier;
pub use crate::identify;
pub use crate::limits;
