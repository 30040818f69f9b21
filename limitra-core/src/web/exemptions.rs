//! Requests that no limit applies to.

use std::fmt;
use std::sync::Arc;

use http::Method;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};

use super::request::Request;
use crate::error::ConfigurationError;

/// Whether a request is exempt.
type Exempt = Arc<dyn Fn(&Request<'_>) -> bool + Send + Sync>;

/// Requests that are neither counted nor refused.
#[derive(Clone, Default)]
pub(crate) struct Exemptions {
    methods: Vec<Method>,
    /// Whole paths, as clients send them.
    paths: Vec<String>,
    /// Paths with all that is below them; each ends in a slash.
    folders: Vec<String>,
    preflights: bool,
    own: Vec<Exempt>,
    /// What no request can have as its path.
    mistake: Option<String>,
}

impl Exemptions {
    pub(crate) fn method(&mut self, method: Method) {
        self.methods.push(method);
    }

    /// A path, or with `/*` at its end all below it too.
    pub(crate) fn path(&mut self, path: &str) {
        let folder = path.strip_suffix('*').filter(|folder| folder.ends_with('/'));
        if !path.starts_with('/') || folder.unwrap_or(path).contains('*') {
            self.mistake.get_or_insert_with(|| path.chars().take(64).collect());
        }
        match folder {
            Some(folder) => self.folders.push(folder.to_owned()),
            None => self.paths.push(path.to_owned()),
        }
    }

    /// Whether requests can have all of their paths.
    pub(crate) fn checked(self) -> Result<Self, ConfigurationError> {
        match self.mistake {
            Some(path) => Err(ConfigurationError::ExemptPath { path }),
            None => Ok(self),
        }
    }

    pub(crate) fn preflights(&mut self) {
        self.preflights = true;
    }

    pub(crate) fn own(&mut self, own: impl Fn(&Request<'_>) -> bool + Send + Sync + 'static) {
        self.own.push(Arc::new(own));
    }

    /// Whether one of them holds for this request.
    #[inline]
    pub(crate) fn hold(&self, request: &Request<'_>) -> bool {
        !self.are_none() && self.one_holds(request)
    }

    const fn are_none(&self) -> bool {
        let Self { methods, paths, folders, preflights, own, mistake: _ } = self;
        methods.is_empty() && paths.is_empty() && folders.is_empty() && !*preflights && own.is_empty()
    }

    #[inline(never)]
    fn one_holds(&self, request: &Request<'_>) -> bool {
        let path = || request.path();
        self.methods.iter().any(|method| method.as_str() == request.method())
            || self.paths.iter().any(|exempt| exempt == path())
            || self.folders.iter().any(|folder| is_below(path(), folder))
            || (self.preflights && is_preflight(request))
            || self.own.iter().any(|own| own(request))
    }
}

/// Whether a path lies in a folder, and does not lead out of it again: a router may resolve `..` that this does not.
fn is_below(path: &str, folder: &str) -> bool {
    // Some servers leave out what stands behind a `;` (RFC 3986, 3.3).
    let is_dots = |part: &str| matches!(part.split(';').next(), Some("." | ".."));
    let is_plain = |rest: &str| !rest.split(['/', '\\']).any(is_dots) && !rest.contains('%');
    path.strip_prefix(folder).is_some_and(is_plain)
}

/// What a browser asks before it sends a request to another origin.
fn is_preflight(request: &Request<'_>) -> bool {
    request.method() == Method::OPTIONS.as_str()
        && request.header(&ORIGIN).next().is_some()
        && request.header(&ACCESS_CONTROL_REQUEST_METHOD).next().is_some()
}

impl fmt::Debug for Exemptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exemptions")
            .field("methods", &self.methods)
            .field("paths", &self.paths)
            .field("folders", &self.folders)
            .field("preflights", &self.preflights)
            .field("own", &self.own.len())
            .finish_non_exhaustive()
    }
}
