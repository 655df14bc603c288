#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rkafka::client::fuzz_entry::connection(data));
