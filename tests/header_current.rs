//! `include/rkafka.h` is what src/ffi says. `UPDATE=1 cargo test --test header_current` writes it.

use rkafka::error::ERR_TABLE;
use std::fmt::Write;
use std::path::Path;

/// In the order in which the header shows them.
const SOURCES: &[&str] = &[
    "types",
    "version",
    "conf",
    "producer",
    "oauth",
    "network",
    "topic",
    "headers",
    "interceptor",
    "event",
    "metadata",
    "mock",
    "mock_security",
    "error",
    "topic_partition",
    "transactions",
];

/// What cbindgen cannot know: the version, and the error codes as an enum.
fn preamble() -> String {
    let mut s =
        String::from("\n/** Version of this header: 0xMMmmpp00, a byte for each of major, minor and patch. */\n");
    let number = |part: &str| part.parse::<u32>().unwrap();
    let version = number(env!("CARGO_PKG_VERSION_MAJOR")) << 24
        | number(env!("CARGO_PKG_VERSION_MINOR")) << 16
        | number(env!("CARGO_PKG_VERSION_PATCH")) << 8;
    write!(s, "#define RK_VERSION {version:#010x}\n#define RK_VERSION_STR \"{}\"\n\n", env!("CARGO_PKG_VERSION"))
        .unwrap();
    s.push_str("/**\n * Error codes: negative ones are the client's own (except -1), the others come from brokers. A broker newer\n");
    s.push_str(" * than this header may send codes that are not listed.\n */\n");
    s.push_str("typedef enum rk_resp_err_t {\n");
    for (i, row) in ERR_TABLE.iter().enumerate() {
        let comma = if i + 1 < ERR_TABLE.len() { "," } else { "" };
        let (name, what) = (row.name.to_str().unwrap(), row.description.to_str().unwrap());
        writeln!(s, "    /** {what} */\n    RK_RESP_ERR_{name} = {}{comma}", row.code.0).unwrap();
    }
    s.push_str("} rk_resp_err_t;\n\n/* Of <sys/socket.h>. */\nstruct sockaddr;");
    s
}

fn generate() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    config.after_includes = Some(preamble());
    let mut builder = cbindgen::Builder::new().with_config(config);
    for name in SOURCES {
        builder = builder.with_src(root.join(format!("src/ffi/{name}.rs")));
    }
    let mut out = Vec::new();
    builder.generate().expect("cbindgen").write(&mut out);
    let text = String::from_utf8(out).expect("UTF-8");
    // Rust's heading for what callers owe; in C it is said plainly.
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    (lines.join("\n") + "\n").replace(" * # Safety\n * ", " * Requires: ")
}

#[test]
fn header_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/rkafka.h");
    let new = generate();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &new).expect("include/rkafka.h");
        return;
    }
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    let line = old.lines().zip(new.lines()).position(|(a, b)| a != b);
    assert!(
        old == new,
        "include/rkafka.h is not what src/ffi says (first difference in line {line:?}): UPDATE=1 cargo test --test header_current"
    );
}

#[test]
fn error_codes_are_those_of_the_table() {
    let header = generate();
    let mut found = Vec::new();
    for line in header.lines() {
        if let Some((name, number)) = line.trim().strip_prefix("RK_RESP_ERR_").and_then(|l| l.split_once(" = ")) {
            found.push((name.to_owned(), number.trim_end_matches(',').parse::<i32>().unwrap()));
        }
    }
    let table: Vec<_> = ERR_TABLE.iter().map(|r| (r.name.to_str().unwrap().to_owned(), r.code.0)).collect();
    assert!(table.len() > 150);
    assert_eq!(found, table);
}

#[test]
fn header_has_every_export() {
    let header = generate();
    let symbols = Path::new(env!("CARGO_MANIFEST_DIR")).join("c-tests/exported-symbols.txt");
    let symbols = std::fs::read_to_string(symbols).expect("the list of exports");
    assert!(symbols.lines().count() > 50);
    for name in symbols.lines() {
        assert!(header.contains(&format!("{name}(")), "{name}: its file is missing in SOURCES");
    }
}
