#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| limitra_tests::fuzz::run("redis_sentinel", bytes));
