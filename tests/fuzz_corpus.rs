//! Replays the corpora of the fuzz targets through the functions that the targets call, so that an input that once
//! failed stays fixed.

use rkafka::conf;
use rkafka::protocol::fuzz_entry;
use std::path::Path;

fn replay(target: &str, entry: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for file in std::fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
        let path = file.unwrap().path();
        let data = std::fs::read(&path).unwrap();
        // The name of the input shows in the output of a failure.
        println!("{}", path.display());
        entry(&data);
        // The neighbourhood of a good input is where decoders go wrong.
        for cut in 0..data.len() {
            entry(&data[..cut]);
            let mut bad = data.clone();
            bad[cut] ^= 0x80;
            entry(&bad);
        }
        count += 1;
    }
    assert!(count > 0, "no corpus in {}", dir.display());
}

#[test]
fn response() {
    replay("response", fuzz_entry::response);
}

#[test]
fn request() {
    replay("request", fuzz_entry::request);
}

#[test]
fn record_batch() {
    replay("record_batch", fuzz_entry::record_batch);
}

#[test]
fn conf() {
    replay("conf", conf::fuzz_entry::conf);
}
