//! Redis Sentinel.
