//! Replays the corpora of the fuzz targets through the functions that the targets call, so that an input that once
//! failed stays fixed.

#[path = "../fuzz/entry/c_api/mod.rs"]
mod c_api;
#[path = "../fuzz/entry/tls.rs"]
mod tls;

use rkafka::protocol::{api::APIS, fuzz_entry};
use rkafka::{client, conf, security};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

type Target = (&'static str, fn(&[u8]));

/// Targets, and what they call.
const TARGETS: &[Target] = &[
    ("c_api", c_api::c_api),
    ("compression", fuzz_entry::compression),
    ("conf", conf::fuzz_entry::conf),
    ("connection", client::fuzz_entry::connection),
    ("oidc", security::fuzz_entry::token_endpoint),
    ("record_batch", fuzz_entry::record_batch),
    ("request", fuzz_entry::request),
    ("response", fuzz_entry::response),
    ("sasl", security::fuzz_entry::sasl),
    ("tls", tls::tls),
];

fn fuzz_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = fuzz_dir().join("corpus").join(target);
    let files: Vec<_> = std::fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())).collect();
    assert!(!files.is_empty(), "no corpus in {}", dir.display());
    files.into_iter().map(|f| f.unwrap().path()).map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Each input; and `step` bytes apart, what it is when cut short or with a bit flipped. 0: nothing but the input.
fn replay(target: &str, step: usize) {
    let entry = TARGETS.iter().find(|(name, _)| *name == target).expect("a target").1;
    for (path, data) in corpus(target) {
        // The name of the input shows in the output of a failure.
        println!("{}", path.display());
        entry(&data);
        if step == 0 {
            continue;
        }
        // The neighbourhood of a good input is where decoders go wrong.
        for cut in (0..data.len()).step_by(step) {
            entry(&data[..cut]);
            let mut bad = data.clone();
            bad[cut] ^= 0x80;
            entry(&bad);
        }
    }
}

#[test]
fn oidc() {
    replay("oidc", 1);
}

#[test]
fn response() {
    replay("response", 1);
}

#[test]
fn request() {
    replay("request", 1);
}

#[test]
fn record_batch() {
    replay("record_batch", 1);
}

#[test]
fn compression() {
    replay("compression", 7);
}

#[test]
fn conf_values() {
    replay("conf", 1);
}

#[test]
fn sasl() {
    replay("sasl", 1);
}

#[test]
fn connection() {
    replay("connection", 1);
}

#[test]
fn tls_peers() {
    replay("tls", 7);
}

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Panics stop at the C boundary, and on threads of the library; here they fail.
#[test]
fn c_api_sequences() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Relaxed);
        hook(info);
    }));
    replay("c_api", 0);
    assert_eq!(PANICS.load(Relaxed), 0, "a panic at the C boundary, on a thread of the library, or in another test");
}

#[test]
fn every_target_is_replayed_and_built() {
    let mut listed: Vec<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    listed.sort();
    assert_eq!(listed, names(&fuzz_dir().join("fuzz_targets")));
    assert_eq!(listed, names(&fuzz_dir().join("corpus")));
    let manifest = std::fs::read_to_string(fuzz_dir().join("Cargo.toml")).unwrap();
    for name in listed {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is not in fuzz/Cargo.toml");
    }
}

/// A message that is new in the API table must get seeds (`write_fuzz_corpus`).
#[test]
fn every_api_has_seeds() {
    for target in ["request", "response"] {
        let seeds = corpus(target);
        for api in APIS {
            for version in [api.min, api.max] {
                let begin = [api.key as u8, version as u8];
                assert!(seeds.iter().any(|(_, data)| data.starts_with(&begin)), "{target}: {} v{version}", api.name);
            }
        }
    }
}

#[test]
fn corpora_are_small() {
    for (target, _) in TARGETS {
        let size: usize = corpus(target).iter().map(|(_, data)| data.len()).sum();
        assert!(size < 200 << 10, "{target}: {size} bytes");
    }
}
