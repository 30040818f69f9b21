//! Nothing: the programs are `quickstart.rs` and `algorithms.rs` beside this folder, a page in `playground` and a service in `web`.
