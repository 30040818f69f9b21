//! The addresses of clients: whom a request is from, where proxies stand between.

mod client_ip;
mod elements;
mod forwarded;
mod hop;
mod network;
mod trusted_proxies;

pub use client_ip::ClientIp;
pub(super) use client_ip::header_name;
pub(super) use hop::trimmed;
pub use trusted_proxies::TrustedProxies;
