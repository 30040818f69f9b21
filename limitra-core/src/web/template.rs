//! The templates of routes, as axum writes them.

use std::borrow::Cow;

use super::percent::decoded;

/// What stands in a path, still encoded, where its route's template has `{name}` or `{*name}`, alone in a segment or between
/// other text.
pub(super) fn parameter<'p>(template: &str, path: &'p str, name: &str) -> Option<Cow<'p, [u8]>> {
    let (mut segments, mut rest) = (template.split('/'), Some(path));
    loop {
        let (segment, here) = (segments.next()?, rest?);
        let (value, after) = match here.split_once('/') {
            Some((value, after)) => (value, Some(after)),
            None => (here, None),
        };
        rest = after;
        let Some((before, found, after)) = placeholder(segment) else { continue };
        let (found, value) = match found.strip_prefix('*') {
            Some(found) => (found, here),
            None => (found, value),
        };
        if found == name {
            return Some(decoded(value.strip_prefix(before)?.strip_suffix(after)?.as_bytes()));
        }
    }
}

/// What stands before, in and behind the braces of a segment. Doubled braces are text.
fn placeholder(segment: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = segment.split_once('{').filter(|(_, rest)| !rest.starts_with('{'))?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
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
            ("/files/v{version}.json", "/files/v2.json", "version", Some("2")),
            ("/files/v{version}.json", "/files/2", "version", None),
            ("/{{id}}/{id}", "/{id}/7", "id", Some("7")),
            ("", "", "id", None),
        ] {
            let found = parameter(template, path, name);
            assert_eq!(found.as_deref(), value.map(str::as_bytes), "{template} {path} {name}");
        }
    }
}
