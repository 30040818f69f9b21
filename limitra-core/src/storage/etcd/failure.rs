//! What etcd's errors mean to a caller.

use std::error::Error as _;

use etcd_client::Error;
use tonic::{Code, Status};

use crate::error::{StorageError, StorageErrorKind};

/// The storage's error for one of etcd's.
pub(super) fn storage_error(error: Error, operation: &'static str) -> StorageError {
    let kind = kind(&error);
    let is_answer = kind != StorageErrorKind::Timeout && is_of_etcd(&error);
    let failed = StorageError::new(kind, "etcd", operation).with_source(error);
    if is_answer { failed.answered() } else { failed }
}

/// Whether a member said so: it has no leader, say, or too many requests. The library says things by the same codes, in other words.
fn is_of_etcd(error: &Error) -> bool {
    matches!(error, Error::GRpcStatus(status) if status.message().starts_with("etcdserver:"))
}

/// Whether etcd did not know a lease: then it has not run the transaction that names it.
pub(super) fn is_lost_lease(error: &Error) -> bool {
    matches!(error, Error::GRpcStatus(status) if status.code() == Code::NotFound)
}

/// Whether the next decision should come by another connection: this one is lost, leads to a member without a leader, or
/// its credentials have to be shown anew.
pub(super) fn breaks_connection(error: &Error) -> bool {
    let is_token = matches!(error, Error::GRpcStatus(status) if status.code() == Code::Unauthenticated);
    is_token || !matches!(kind(error), StorageErrorKind::Refused | StorageErrorKind::Full)
}

/// What a caller may do about it.
pub(super) fn kind(error: &Error) -> StorageErrorKind {
    match error {
        Error::GRpcStatus(status) => status_kind(status),
        Error::IoError(_) | Error::TransportError(_) | Error::EndpointError(_) | Error::Internal(_) => {
            StorageErrorKind::Unavailable
        }
        Error::InvalidArgs(_) | Error::InvalidUri(_) => StorageErrorKind::Refused,
        _ => StorageErrorKind::Malformed,
    }
}

fn status_kind(status: &Status) -> StorageErrorKind {
    let says = |text: &str| status.message().contains(text);
    match status.code() {
        Code::DeadlineExceeded => StorageErrorKind::Timeout,
        // Both by etcd and, for a client that brings deadlines of its own, by the library.
        Code::Unavailable | Code::Cancelled if says("timed out") || says("Timeout") => {
            StorageErrorKind::Timeout
        }
        Code::Unavailable | Code::Cancelled | Code::NotFound => StorageErrorKind::Unavailable,
        Code::ResourceExhausted if says("too many requests") => StorageErrorKind::Unavailable,
        // By etcd's bound for a request, and by gRPC's above it.
        Code::InvalidArgument if says("request is too large") => StorageErrorKind::Full,
        Code::ResourceExhausted if says("message larger than max") => StorageErrorKind::Full,
        // Users and roles were changed since the token was given out.
        Code::InvalidArgument if says("revision in header is old") => StorageErrorKind::Unavailable,
        Code::ResourceExhausted
        | Code::InvalidArgument
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::FailedPrecondition => StorageErrorKind::Refused,
        // The library could not go on with the connection; a server said the rest.
        _ if status.source().is_some() || says("Service was not ready") => StorageErrorKind::Unavailable,
        _ => StorageErrorKind::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(code: Code, message: &str) -> StorageError {
        storage_error(Error::GRpcStatus(Status::new(code, message)), "decide")
    }

    #[test]
    fn what_a_member_says_at_once_is_no_silence() {
        for (code, message) in [
            (Code::Unavailable, "etcdserver: no leader"),
            (Code::Unavailable, "etcdserver: leader changed"),
            (Code::ResourceExhausted, "etcdserver: too many requests"),
            (Code::InvalidArgument, "etcdserver: revision in header is old"),
        ] {
            let error = error_of(code, message);
            assert_eq!(
                (error.kind(), error.is_silence()),
                (StorageErrorKind::Unavailable, false),
                "{message}"
            );
        }
    }

    #[test]
    fn what_nobody_said_or_only_after_a_wait_is_silence() {
        for (code, message) in [
            (Code::Unavailable, "etcdserver: request timed out"),
            (Code::Unavailable, "tcp connect error"),
            (Code::Cancelled, "operation was canceled"),
            (Code::DeadlineExceeded, "context deadline exceeded"),
        ] {
            assert!(error_of(code, message).is_silence(), "{message}");
        }
    }
}
