//! The templates of routes, as axum writes them.

use std::borrow::Cow;

use super::percent::decoded;

/// What stands in an encoded path, decoded, where its route's template has `{name}` or `{*name}`, in a segment of its own or behind
/// text (`/@{name}`). `None` as well if the path is none of this template.
pub(super) fn parameter<'p>(template: &str, path: &'p str, name: &str) -> Option<Cow<'p, [u8]>> {
    let (mut rest, mut value) = (Some(path), None);
    for segment in template.split('/') {
        let Some(here) = rest else {
            // A router within another one says `/users/` of `/users`, too.
            segment.is_empty().then_some(())?;
            continue;
        };
        let (text, after) = match here.split_once('/') {
            Some((text, after)) => (text, Some(after)),
            None => (here, None),
        };
        rest = after;
        let Some((literal, found)) = placeholder(segment) else {
            is_text(segment, text).then_some(())?;
            continue;
        };
        let behind = |text: &'p str| {
            let (before, behind) = text.split_at_checked(unescaped(literal).count())?;
            is_text(literal, before).then_some(behind)
        };
        let (found, here) = match found.strip_prefix('*') {
            Some(found) => {
                rest = None;
                (found, behind(here)?)
            }
            None => (found, behind(text)?),
        };
        if found == name {
            value = Some(here);
        }
    }
    value.filter(|_| rest.is_none_or(str::is_empty)).map(|value| decoded(value.as_bytes()))
}

/// What stands before a segment's placeholder, and what is between its braces; `None` where it is all text.
fn placeholder(segment: &str) -> Option<(&str, &str)> {
    let mut rest = segment;
    loop {
        let (_, behind) = rest.split_once('{')?;
        // Doubled braces are text.
        let Some(after) = behind.strip_prefix('{') else {
            let literal = segment.strip_suffix(behind)?.strip_suffix('{')?;
            return Some((literal, behind.strip_suffix('}')?));
        };
        rest = after;
    }
}

/// Whether a template's text stands for this one.
fn is_text(literal: &str, text: &str) -> bool {
    unescaped(literal).eq(text.bytes())
}

/// The bytes of a template's text, in which braces are doubled.
fn unescaped(literal: &str) -> impl Iterator<Item = u8> {
    let mut bytes = literal.bytes().peekable();
    std::iter::from_fn(move || {
        let byte = bytes.next()?;
        if matches!(byte, b'{' | b'}') {
            let _ = bytes.next_if_eq(&byte);
        }
        Some(byte)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_what_stands_at_its_place_decoded() {
        for (template, path, name, value) in [
            ("/users/{id}", "/users/7", "id", Some("7")),
            ("/users/{id}", "/users/%37", "id", Some("7")),
            ("/users/{id}", "/users/a%2Fb", "id", Some("a/b")),
            ("/users/{id}", "/users/", "id", Some("")),
            ("/users/{id}", "/users/7", "name", None),
            ("/{a}/x/{b}", "/1/x/2", "a", Some("1")),
            ("/{a}/x/{b}", "/1/x/2", "b", Some("2")),
            ("/{a}/x/{b}", "/1", "b", None),
            ("/files/{*rest}", "/files/a/b/c", "rest", Some("a/b/c")),
            ("/{{id}}/{id}", "/{id}/7", "id", Some("7")),
            ("/{{id}}", "/{id}", "id", None),
            ("/@{name}", "/@ada", "name", Some("ada")),
            ("/@{name}/{id}", "/@ada/7", "id", Some("7")),
            ("/é{name}", "/éada", "name", Some("ada")),
            ("/éa{name}", "/ü", "name", None),
            ("/{{x}}{id}", "/{x}7", "id", Some("7")),
            ("/files/v{*rest}", "/files/v1/b%20c", "rest", Some("1/b c")),
            ("/{a}/{*rest}", "/x//y", "rest", Some("/y")),
            ("/{a}//{b}", "/x//y", "b", Some("y")),
            ("/users/{id}/", "/users/7", "id", Some("7")),
            ("/users/{id}", "/users/7/", "id", Some("7")),
            ("/users/{id}/posts", "/users/7", "id", None),
            // Of another template.
            ("/users/{id}", "/v2/users/7", "id", None),
            ("/{id}", "/v2/7", "id", None),
            ("/users/{id}", "/users", "id", None),
            ("", "", "id", None),
        ] {
            let found = parameter(template, path, name);
            assert_eq!(found.as_deref(), value.map(str::as_bytes), "{template} {path} {name}");
        }
    }
}
