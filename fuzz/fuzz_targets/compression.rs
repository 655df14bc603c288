#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rkafka::protocol::fuzz_entry::compression(data));
