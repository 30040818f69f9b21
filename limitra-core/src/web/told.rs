//! What a response tells of limits already: of a layer, a handler or a service further in.

use std::cmp::Reverse;

use http::header::{HeaderMap, HeaderName, HeaderValue};

pub(super) const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(super) const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The limits that a response tells of.
pub(super) struct Told {
    policies: Vec<Item>,
    states: Vec<Item>,
}

/// What is said of a limit: its name, a string of structured fields in its quotes, and parameters.
struct Item {
    name: String,
    said: String,
}

impl Told {
    /// What these headers tell. What is no list of strings tells nobody anything (RFC 9651, 4.2), and would spoil what is added.
    pub(super) fn by(headers: &HeaderMap) -> Self {
        let of = |name| items(headers.get_all(name)).unwrap_or_default();
        Self { policies: of(RATELIMIT_POLICY), states: of(RATELIMIT) }
    }

    /// Tells of these limits too: their quotas and their states, in one order.
    pub(super) fn add_all(&mut self, policies: &HeaderValue, states: &HeaderValue) {
        let of = |value| items([value]).unwrap_or_default();
        for (policy, state) in of(policies).iter().zip(&of(states)) {
            self.add(&policy.name, &policy.said, &state.said);
        }
    }

    /// Tells of a limit too. Of limits with the same name and quota, which are one to a client, what is left of the scarcer one is
    /// told; another limit of the same name gets a number.
    fn add(&mut self, name: &str, quota: &str, state: &str) {
        let of = |said: &str, name: &str| Item { name: name.to_owned(), said: said.to_owned() };
        let mut own = name.to_owned();
        for nth in 2_u64.. {
            let mut all = self.policies.iter().chain(&self.states);
            if self.policies.iter().any(|policy| policy.name == own && policy.said == quota) {
                match self.states.iter_mut().find(|told| told.name == own) {
                    Some(told) if scarcity(&told.said) <= scarcity(state) => {}
                    Some(told) => state.clone_into(&mut told.said),
                    None => self.states.push(of(state, &own)),
                }
                return;
            }
            if !all.any(|told| told.name == own) {
                self.policies.push(of(quota, &own));
                self.states.push(of(state, &own));
                return;
            }
            own = numbered(name, nth);
        }
    }

    /// Puts it into the headers, each a single line.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        put(headers, RATELIMIT_POLICY, &self.policies);
        put(headers, RATELIMIT, &self.states);
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, items: &[Item]) {
    let items: Vec<String> = items.iter().map(|Item { name, said }| format!("{name}{said}")).collect();
    if let Ok(value) = HeaderValue::try_from(items.join(", ")) {
        headers.insert(name, value);
    }
}

/// The same name, a string in its quotes, with a number.
pub(super) fn numbered(name: &str, nth: u64) -> String {
    format!("{}-{nth}\"", name.strip_suffix('"').unwrap_or(name))
}

/// How much is left and for how long, as a state says it: the scarcer of two is the lesser, with less left or with as much for longer.
fn scarcity(state: &str) -> (u64, Reverse<u64>) {
    let number = |key| state.split(';').find_map(|said| said.trim().strip_prefix(key)?.parse().ok());
    (number("r=").unwrap_or(u64::MAX), Reverse(number("t=").unwrap_or_default()))
}

/// The items of a list of strings; `None` if the lines are none.
fn items<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>) -> Option<Vec<Item>> {
    let lines: Result<Vec<&str>, _> = lines.into_iter().map(HeaderValue::to_str).collect();
    let (text, mut items) = (lines.ok()?.join(", "), Vec::new());
    let mut rest = text.trim_matches(' ');
    while !rest.is_empty() {
        let (name, after) = string(rest)?;
        let end = after_parameters(after)?;
        items.push(Item { name: name.to_owned(), said: after.strip_suffix(end)?.to_owned() });
        rest = end.trim_start_matches([' ', '\t']);
        if let Some(next) = rest.strip_prefix(',') {
            rest = next.trim_start_matches([' ', '\t']);
            if rest.is_empty() {
                return None;
            }
        } else if !rest.is_empty() {
            return None;
        }
    }
    Some(items)
}

/// A string with its quotes, and what is behind it.
fn string(text: &str) -> Option<(&str, &str)> {
    let (mut places, mut is_escaped) = (text.char_indices(), false);
    places.next().filter(|(_, first)| *first == '"')?;
    for (place, character) in places {
        match character {
            '"' if !is_escaped => return text.split_at_checked(place.saturating_add(1)),
            '\\' if !is_escaped => is_escaped = true,
            '"' | '\\' => is_escaped = false,
            ' '..='~' if !is_escaped => {}
            _ => return None,
        }
    }
    None
}

/// What is behind all parameters that a text begins with.
fn after_parameters(mut text: &str) -> Option<&str> {
    while let Some(parameter) = text.strip_prefix(';') {
        let parameter = parameter.trim_start_matches(' ');
        parameter.starts_with(|first: char| first.is_ascii_lowercase() || first == '*').then_some(())?;
        let in_key = |character: char| matches!(character, 'a'..='z' | '0'..='9' | '_' | '-' | '.' | '*');
        let after = parameter.trim_start_matches(in_key);
        text = match after.strip_prefix('=') {
            None => after,
            Some(value) if value.starts_with('"') => string(value)?.1,
            Some(value) => {
                let end = value.find([' ', '\t', ',', ';']).unwrap_or(value.len());
                value.get(end..).filter(|_| end > 0)?
            }
        };
    }
    Some(text)
}
