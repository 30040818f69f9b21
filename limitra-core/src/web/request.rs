//! One request, whatever framework it came by.

use std::any::Any;
use std::borrow::Cow;
use std::net::SocketAddr;

use http::{Extensions, HeaderMap, HeaderName, Method, Uri};

/// What a key or a cost can be read from: one request, alike for every framework.
///
/// Nothing of it is copied. Values are as the client sent them.
///
/// ```
/// use limitra_core::web::Request;
///
/// let request = http::Request::get("/users/7?page=2").header("x-tenant", "acme").body(())?;
/// let request = Request::of(&request);
/// assert_eq!((request.method(), request.path()), ("GET", "/users/7"));
/// assert_eq!(request.header(&"x-tenant".parse()?).next(), Some(&b"acme"[..]));
/// assert_eq!(request.peer(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Request<'a>(Source<'a>);

#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    Http {
        method: &'a Method,
        uri: &'a Uri,
        headers: &'a HeaderMap,
        extensions: &'a Extensions,
    },
    #[cfg(feature = "actix")]
    Actix(&'a actix_web::HttpRequest),
}

/// The other end of a request's connection, where neither axum, tonic nor actix-web tells it: to be put among the
/// request's extensions by whoever accepts connections.
///
/// ```
/// use limitra_core::web::{Peer, Request};
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(Peer("192.0.2.7:4711".parse()?));
/// assert_eq!(Request::of(&request).peer(), Some("192.0.2.7:4711".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

impl<'a> Request<'a> {
    /// That of a request of the crate `http`, as tower, axum, tonic and hyper have it.
    pub fn of<B>(request: &'a http::Request<B>) -> Self {
        Self(Source::Http {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        })
    }

    /// That of a request of actix-web.
    #[cfg(feature = "actix")]
    #[cfg_attr(docsrs, doc(cfg(feature = "actix")))]
    pub const fn of_actix(request: &'a actix_web::HttpRequest) -> Self {
        Self(Source::Actix(request))
    }

    /// The method, such as `GET`.
    pub fn method(&self) -> &'a str {
        match self.0 {
            Source::Http { method, .. } => method.as_str(),
            #[cfg(feature = "actix")]
            Source::Actix(request) => request.method().as_str(),
        }
    }

    /// The path as the client sent it: neither decoded nor normalised, without the query; the whole of it in a nested router of axum, too.
    pub fn path(&self) -> &'a str {
        match self.0 {
            #[cfg(feature = "axum")]
            Source::Http { uri, extensions, .. } => whole(uri, extensions).path(),
            #[cfg(not(feature = "axum"))]
            Source::Http { uri, .. } => uri.path(),
            #[cfg(feature = "actix")]
            Source::Actix(request) => request.path(),
        }
    }

    /// The query as the client sent it.
    pub fn query(&self) -> Option<&'a str> {
        match self.0 {
            Source::Http { uri, .. } => uri.query(),
            #[cfg(feature = "actix")]
            Source::Actix(request) => request.uri().query(),
        }
    }

    /// The values of all headers of this name, in their order.
    pub fn header(&self, name: &HeaderName) -> Values<'a> {
        match self.0 {
            Source::Http { headers, .. } => Values(Lines::Http(headers.get_all(name).into_iter())),
            #[cfg(feature = "actix")]
            Source::Actix(request) => Values(Lines::Actix(request.headers().get_all(name.as_str()))),
        }
    }

    /// The other end of the connection: with axum if it was served with connect info (or a test's `MockConnectInfo` is in front), with
    /// tonic and actix-web always (but on unix sockets), elsewhere where a [`Peer`] is among the extensions.
    #[inline]
    pub fn peer(&self) -> Option<SocketAddr> {
        match self.0 {
            Source::Http { extensions, .. } => {
                #[cfg(feature = "axum")]
                if let Some(info) = extensions.get::<axum::extract::ConnectInfo<SocketAddr>>() {
                    return Some(info.0);
                }
                #[cfg(feature = "tonic")]
                if let Some(info) = extensions.get::<tonic::transport::server::TcpConnectInfo>() {
                    return info.remote_addr();
                }
                #[cfg(feature = "axum")]
                if let Some(info) =
                    extensions.get::<axum::extract::connect_info::MockConnectInfo<SocketAddr>>()
                {
                    return Some(info.0);
                }
                extensions.get::<Peer>().map(|peer| peer.0)
            }
            #[cfg(feature = "actix")]
            Source::Actix(request) => request.peer_addr(),
        }
    }

    /// The template of the route that it matched, such as `/users/{id}`: with axum and actix-web. Allocates with the latter.
    pub fn route(&self) -> Option<Cow<'a, str>> {
        match self.0 {
            #[cfg(feature = "axum")]
            Source::Http { extensions, .. } => {
                extensions.get::<axum::extract::MatchedPath>().map(|path| Cow::Borrowed(path.as_str()))
            }
            #[cfg(not(feature = "axum"))]
            Source::Http { .. } => None,
            #[cfg(feature = "actix")]
            Source::Actix(request) => request.match_pattern().map(Cow::Owned),
        }
    }

    /// What stands in the path at the place of this name in the route's template, percent-decoded, so that two spellings of
    /// a value are one: with axum and actix-web. Allocates only where there is something to decode.
    #[cfg_attr(not(any(feature = "axum", feature = "actix")), allow(unused_variables))]
    pub fn parameter(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        match self.0 {
            #[cfg(feature = "axum")]
            Source::Http { uri, extensions, .. } => {
                let template = extensions.get::<axum::extract::MatchedPath>()?.as_str();
                // The path that was matched: one that was rewritten before, and one whose beginning a nested router lacks.
                let is_nested = extensions.get::<axum::extract::NestedPath>().is_some();
                let matched = if is_nested { whole(uri, extensions) } else { uri };
                super::template::parameter(template, matched.path(), name)
            }
            #[cfg(not(feature = "axum"))]
            Source::Http { .. } => None,
            // actix-web has decoded all but `%2F`, `%25` and `%2B`, and hands its handlers text.
            #[cfg(feature = "actix")]
            Source::Actix(request) => {
                let value = super::percent::decoded(request.match_info().get(name)?.as_bytes());
                Some(match value {
                    Cow::Owned(bytes) => {
                        Cow::Owned(String::from_utf8_lossy(&bytes).into_owned().into_bytes())
                    }
                    text @ Cow::Borrowed(_) => text,
                })
            }
        }
    }

    /// What a layer before has put among the request's extensions: a user that was logged in, say.
    pub fn extension<T: Any + Clone + Send + Sync>(&self) -> Option<T> {
        match self.0 {
            Source::Http { extensions, .. } => extensions.get::<T>().cloned(),
            #[cfg(feature = "actix")]
            Source::Actix(request) => actix_web::HttpMessage::extensions(request).get::<T>().cloned(),
        }
    }
}

/// What was asked for, where a nested router sees only a part.
#[cfg(feature = "axum")]
fn whole<'a>(uri: &'a Uri, extensions: &'a Extensions) -> &'a Uri {
    extensions.get::<axum::extract::OriginalUri>().map_or(uri, |original| &original.0)
}

/// The values of one header, from either end.
#[derive(Debug)]
pub struct Values<'a>(Lines<'a>);

#[derive(Debug)]
enum Lines<'a> {
    Http(http::header::ValueIter<'a, http::HeaderValue>),
    #[cfg(feature = "actix")]
    Actix(std::slice::Iter<'a, actix_web::http::header::HeaderValue>),
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Lines::Http(lines) => lines.next().map(http::HeaderValue::as_bytes),
            #[cfg(feature = "actix")]
            Lines::Actix(lines) => lines.next().map(actix_web::http::header::HeaderValue::as_bytes),
        }
    }
}

impl DoubleEndedIterator for Values<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Lines::Http(lines) => lines.next_back().map(http::HeaderValue::as_bytes),
            #[cfg(feature = "actix")]
            Lines::Actix(lines) => lines.next_back().map(actix_web::http::header::HeaderValue::as_bytes),
        }
    }
}
