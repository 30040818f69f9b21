//! limitra
