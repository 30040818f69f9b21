//! Registers: what loads and swaps.
