//! Generated pages must be what the sources would make of them today. `UPDATE=1` writes them anew.

use std::path::Path;

#[test]
fn configuration_md() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("CONFIGURATION.md");
    let wanted = rkafka::conf::configuration_md();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &wanted).expect("CONFIGURATION.md cannot be written");
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    if let Some((at, (old, new))) = found.lines().zip(wanted.lines()).enumerate().find(|(_, (old, new))| old != new) {
        panic!(
            "CONFIGURATION.md is stale at line {}; run `UPDATE=1 cargo test --test docs_current`\n  is:     {old}\n  \
             should: {new}",
            at + 1
        );
    }
    assert!(found == wanted, "CONFIGURATION.md is stale at its end; run `UPDATE=1 cargo test --test docs_current`");
}
