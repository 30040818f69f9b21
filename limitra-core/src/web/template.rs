//! The templates of routes, as axum writes them.

use std::borrow::Cow;

use super::percent::decoded;

/// What stands in an encoded path, decoded, where its route's template has `{name}` or `{*name}`.
pub(super) fn parameter<'p>(template: &str, path: &'p str, name: &str) -> Option<Cow<'p, [u8]>> {
    let (mut segments, mut rest) = (template.split('/'), Some(path));
    loop {
        let (segment, here) = (segments.next()?, rest?);
        let (value, after) = match here.split_once('/') {
            Some((value, after)) => (value, Some(after)),
            None => (here, None),
        };
        rest = after;
        // Doubled braces are text.
        let placeholder = segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}'));
        let Some(found) = placeholder.filter(|found| !found.starts_with('{')) else { continue };
        let (found, value) = match found.strip_prefix('*') {
            Some(found) => (found, here),
            None => (found, value),
        };
        if found == name {
            return Some(decoded(value.as_bytes()));
        }
    }
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
            ("", "", "id", None),
        ] {
            let found = parameter(template, path, name);
            assert_eq!(found.as_deref(), value.map(str::as_bytes), "{template} {path} {name}");
        }
    }
}
