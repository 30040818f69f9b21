//! Nothing: the programs are `quickstart.rs` and `algorithms.rs` beside this folder, and a service in `web`.
