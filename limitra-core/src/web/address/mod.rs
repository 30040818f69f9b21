//! The addresses of clients.
