#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pgherd_fuzz::run("window", bytes));
