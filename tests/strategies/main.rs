//! Strategies over a storage.
