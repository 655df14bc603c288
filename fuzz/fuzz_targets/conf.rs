#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rkafka::conf::fuzz_entry::conf(data));
