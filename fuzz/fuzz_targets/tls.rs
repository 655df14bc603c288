#![no_main]

#[path = "../entry/tls.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entry::tls(data));
