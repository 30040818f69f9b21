//! Memcached.
