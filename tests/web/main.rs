//! In front of a web service: layers, refusals, headers.
#![allow(clippy::unwrap_used, missing_docs)]

mod actix;
mod at_once;
mod by_hand;
mod dropped;
mod grpc;
mod headers;
mod layer;
mod logged;
mod login;
mod missing;
mod obedient;
mod only;
mod order;
mod outage;
mod ready;
mod service;
mod upstream;
mod wire;
