//! Refusals as statuses of gRPC.

use http::StatusCode;
use tonic::metadata::AsciiMetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::refusal::{Refusal, message_of};

/// The status that tells of a refusal, with retry info and `grpc-retry-pushback-ms` where waiting helps.
pub(crate) fn status_of(refusal: &Refusal) -> Status {
    let status = refusal.status();
    let code = match status {
        StatusCode::TOO_MANY_REQUESTS => Code::ResourceExhausted,
        StatusCode::UNPROCESSABLE_ENTITY => Code::InvalidArgument,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        _ => Code::Internal,
    };
    let message = message_of(status).trim_end();
    let Some(wait) = refusal.retry_after() else { return Status::new(code, message) };
    let mut status = Status::with_error_details(code, message, ErrorDetails::with_retry_info(Some(wait)));
    // Clients that retry by themselves read milliseconds in 32 bits.
    let pushback = wait.as_micros().div_ceil(1000).min(2_147_483_647).to_string();
    if let Ok(pushback) = AsciiMetadataValue::try_from(pushback) {
        status.metadata_mut().insert("grpc-retry-pushback-ms", pushback);
    }
    status
}
