//! What the compiler says about `#[rate_limit]`: nothing where it is right, what to write where it is wrong.
//!
//! The expected messages are those of rustc 1.95; another compiler words its own parts differently. After a
//! change to a message: `TRYBUILD=overwrite cargo test -p limitra-ui-tests`, and read the difference.

#[test]
fn every_supported_form_compiles_and_every_mistake_is_explained() {
    let cases = trybuild::TestCases::new();
    cases.pass("pass/*.rs");
    cases.compile_fail("fail/*.rs");
}
