#![no_main]

#[path = "../entry/c_api/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entry::c_api(data));
