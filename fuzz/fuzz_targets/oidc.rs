#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rkafka::security::fuzz_entry::token_endpoint(data));
