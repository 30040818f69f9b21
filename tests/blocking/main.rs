//! Limiters without an async runtime.
