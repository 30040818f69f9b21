//! What an outage comes to, as text.

use syn::Lit;

use crate::complaints::Complaints;
use crate::nearest::nearest;

/// A policy that can be read; its values are limitra's to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    Error,
    Open,
    Closed,
    Local,
}

/// What is wrong with a policy.
const FORMS: &str =
    "write `on_outage = \"error\"`, `\"open\"`, `\"closed\"`, `\"closed:5s\"` or `\"local:4\"`";
/// A hundred years, in seconds.
const LONGEST: f64 = 3_155_760_000.0;

impl Policy {
    /// The policy of this text, or what is wrong with it.
    pub(crate) fn of(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').map_or((text, None), |(name, value)| (name, Some(value)));
        match (name, value) {
            ("error", None) => Ok(Self::Error),
            ("open", None) => Ok(Self::Open),
            ("closed", None) => Ok(Self::Closed),
            ("closed", Some(value)) if seconds(value).is_some() => Ok(Self::Closed),
            ("closed", Some(value)) => Err(format!(
                "`{value}` is no time to wait: write a number of seconds above 0, as in `\"closed:5s\"` or `\"closed:500ms\"`"
            )),
            ("local", Some(value)) if value.parse::<u32>().is_ok_and(|replicas| replicas > 0) => Ok(Self::Local),
            ("local", _) => Err(
                "`local` needs the number of processes that share the limit, at least 1: write e.g. `\"local:4\"`"
                    .to_owned(),
            ),
            _ => {
                let hint = nearest(name, ["error", "open", "closed", "local"]);
                let hint = hint.map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
                Err(format!("unknown outage policy `{text}`: {hint}{FORMS}"))
            }
        }
    }
}

/// The policy of a literal, where it is one.
pub(crate) fn check(lit: &Lit, complaints: &mut Complaints) -> Option<Policy> {
    let Lit::Str(text) = lit else {
        complaints.about(lit, format_args!("`on_outage` is a policy: {FORMS}"));
        return None;
    };
    match Policy::of(&text.value()) {
        Ok(policy) => Some(policy),
        Err(message) => {
            complaints.about(lit, message);
            None
        }
    }
}

/// A time as limitra reads it: `5`, `5s` or `500ms`.
fn seconds(text: &str) -> Option<f64> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let seconds = number.trim().parse::<f64>().ok()? * unit;
    (1e-9..=LONGEST).contains(&seconds).then_some(seconds)
}
