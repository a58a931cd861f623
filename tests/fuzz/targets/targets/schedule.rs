//! The target `schedule` for the fuzzer; what must hold is in the library.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pgherd_fuzz::run("schedule", bytes));
