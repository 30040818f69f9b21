//! Requests, and what keys say of them.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::{HeaderName, HeaderValue};
use limitra::web::{ClientIp, Key, KeyError, Peer, Request};

/// A request of this peer with these headers.
pub(crate) fn request<N: AsRef<str>, V: AsRef<[u8]>>(
    peer: Option<SocketAddr>,
    headers: &[(N, V)],
) -> http::Request<()> {
    let mut request = http::Request::new(());
    if let Some(peer) = peer {
        request.extensions_mut().insert(Peer(peer));
    }
    for (name, value) in headers {
        let name: HeaderName = name.as_ref().parse().unwrap();
        request.headers_mut().append(name, HeaderValue::from_bytes(value.as_ref()).unwrap());
    }
    request
}

/// One that only has headers.
pub(crate) fn with(headers: &[(&str, &str)]) -> http::Request<()> {
    request(None, headers)
}

pub(crate) fn client(client: &ClientIp, request: &http::Request<()>) -> Option<IpAddr> {
    client.of(&Request::of(request))
}

/// What a future is worth that waits for nothing.
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// The parts of an identifier.
pub(crate) fn parts(key: &Key, request: &http::Request<()>) -> Result<Vec<Vec<u8>>, KeyError> {
    let found = at_once(key.identify(&Request::of(request)))?;
    Ok(found.iter().map(|part| part.as_bytes().to_vec()).collect())
}

/// The parts as texts, with commas between them; or what is missing.
pub(crate) fn who(key: &Key, request: &http::Request<()>) -> String {
    match parts(key, request) {
        Ok(parts) => parts.iter().map(|part| String::from_utf8_lossy(part)).collect::<Vec<_>>().join(","),
        Err(KeyError::Missing { what }) => format!("no {what}"),
        Err(error) => format!("{error}: {}", std::error::Error::source(&error).unwrap()),
    }
}
