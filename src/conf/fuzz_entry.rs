//! What the fuzz target `conf` calls; also replayed by `tests/fuzz_corpus.rs`.

use super::{Conf, ConfError};

/// Settings, one `name=value` a line. Nothing may panic; what was taken must read back as a value that is taken again,
/// and what was refused must say so with a text.
pub fn conf(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut conf = Conf::new();
    for line in text.lines() {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        match conf.set(name, value) {
            Ok(()) => {
                let read = conf.get(name).expect("a property that was set can be read");
                let mut again = conf.clone();
                assert!(read.is_empty() || again.set(name, read.as_str()).is_ok(), "{name} reads back as {read:?}");
                assert_eq!(again.get(name).ok(), Some(read), "{name}");
            }
            Err(ConfError::Unknown(why) | ConfError::Invalid(why)) => assert!(!why.is_empty()),
        }
    }
    if conf.finalize().is_ok() {
        let _ = (conf.settings(), conf.topic_settings());
    }
    let _ = conf.dump();
}
