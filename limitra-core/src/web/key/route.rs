//! By what is called.

use std::borrow::Cow;

use super::{Extract, Extracted, Key};
use crate::identifier::Identifier;
use crate::web::request::Request;

/// The template of the route that the request matched, such as `/users/{id}`: with axum and actix-web.
///
/// With axum the layer must stand where routes are known: `Router::layer` and `Router::route_layer`, not around the router. A
/// path itself is no key: its spellings are without number.
///
/// ```
/// use limitra_core::web::key;
///
/// let each_address_on_each_route = key::route().and(key::peer_ip());
/// ```
pub fn route() -> Key {
    Key::new(Route)
}

/// What stands in the path at the place of this name in the route's template, percent-decoded: with axum and actix-web.
///
/// ```
/// use limitra_core::web::key;
///
/// let each_tenant = key::path_parameter("tenant");
/// ```
pub fn path_parameter(name: impl Into<String>) -> Key {
    Key::new(PathParameter(name.into()))
}

/// The method, such as `GET`; one that is not of RFC 9110 or PATCH is `other`, so that invented names share a counter.
///
/// ```
/// use limitra_core::web::key;
///
/// let each_method = key::method().and(key::peer_ip());
/// ```
pub fn method() -> Key {
    Key::new(Method)
}

#[derive(Debug)]
struct Route;

impl Extract for Route {
    fn extract<'a>(&'a self, request: &Request<'a>) -> Extracted<'a> {
        let route = request.route().map(|route| match route {
            Cow::Borrowed(route) => Identifier::from(route),
            Cow::Owned(route) => Identifier::from(route),
        });
        Extracted::one(route, "route")
    }
}

#[derive(Debug)]
struct PathParameter(String);

impl Extract for PathParameter {
    fn extract<'a>(&'a self, request: &Request<'a>) -> Extracted<'a> {
        let value = request.parameter(&self.0).map(|value| match value {
            Cow::Borrowed(value) => Identifier::from(value),
            Cow::Owned(value) => Identifier::from(value),
        });
        Extracted::one(value, "such path parameter")
    }
}

#[derive(Debug)]
struct Method;

impl Extract for Method {
    fn extract<'a>(&'a self, request: &Request<'a>) -> Extracted<'a> {
        const KNOWN: [&str; 9] =
            ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
        let method = request.method();
        Extracted::one(Some(if KNOWN.contains(&method) { method } else { "other" }), "method")
    }
}
