//! The rules of the C boundary, checked on the source: each export is `extern "C"` with one `guard!` as its body, is
//! unsafe if it takes a pointer (with a Safety section), is listed in c-tests/exported-symbols.txt, and has a name that
//! begins with rk_.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Exports whose bodies cannot panic: constants.
const TRIVIAL: [&str; 2] = ["rk_version", "rk_version_str"];

/// Exports that only choose between functions of the same signature, whose body is one `guard!`.
const CHOOSING: [(&str, &str); 1] = [("rk_topic_produce", "topic_produce")];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

struct Export {
    name: String,
    file: String,
    docs: String,
    signature: String,
    body: String,
}

/// Everything in src/ffi that follows a `#[no_mangle]`. rustfmt's layout is relied upon: a function ends with a brace at
/// the start of a line.
fn exports() -> Vec<Export> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join("src/ffi")).unwrap() {
        let path = entry.unwrap().path();
        let source = std::fs::read_to_string(&path).unwrap();
        let parts: Vec<&str> = source.split("#[no_mangle]\n").collect();
        for pair in parts.windows(2) {
            let docs = pair[0].rsplit("\n\n").next().unwrap().to_owned();
            let code = pair[1].split_once("\n}\n").expect("an export ends with a brace of its own").0;
            let (signature, body) = code.split_once("{\n").expect("an export has a body");
            let name = signature.split_once("fn ").unwrap().1.split('(').next().unwrap().to_owned();
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            found.push(Export { name, file, docs, signature: signature.to_owned(), body: body.trim().to_owned() });
        }
    }
    assert!(found.len() > 50, "the scan finds the exports");
    found
}

fn is_one_guard(body: &str) -> bool {
    body.starts_with("guard!(") && body.ends_with(')') && !body.contains("\n    guard!(")
}

#[test]
fn each_body_is_one_guard() {
    for e in exports() {
        let guarded = match CHOOSING.iter().find(|(export, _)| *export == e.name) {
            Some((_, chosen)) => {
                let source = std::fs::read_to_string(root().join("src/ffi").join(&e.file)).unwrap();
                let (_, rest) =
                    source.split_once(&format!("unsafe extern \"C\" fn {chosen}<")).expect("what it chooses");
                let (_, body) = rest.split_once("\n}\n").unwrap().0.split_once("{\n").unwrap();
                let arguments = e.signature.split_once('(').unwrap().1;
                let names: Vec<&str> =
                    arguments.lines().filter_map(|l| l.trim().split_once(':')).map(|a| a.0).collect();
                let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
                let code: String = e.body.lines().filter(|l| !l.trim().starts_with("//")).collect();
                let choice = format!(
                    "let produce = if key.is_null() {{ {chosen}::<false> }} else {{ {chosen}::<true> }}; unsafe {{ produce({}) }}",
                    names.join(", ")
                );
                rest.contains(arguments) && words(&code) == choice && is_one_guard(body.trim())
            }
            None => is_one_guard(&e.body) || TRIVIAL.contains(&e.name.as_str()),
        };
        assert!(guarded, "{} in {}: its body is not one guard!", e.name, e.file);
    }
}

/// Exports that leave it to the client to refuse a producer that was made before fork(): see `client::Producer::is_parents`.
const REFUSED_BY_CLIENT: [&str; 11] = [
    "rk_producer_event_fd",
    "rk_producer_fatal_error",
    "rk_producer_len",
    "rk_producer_metadata",
    "rk_producer_name",
    "rk_producer_poll_event",
    "rk_producer_produce",
    "rk_producer_produce_batch",
    "rk_producer_produce_headers",
    "rk_producer_purge",
    "rk_producer_topic",
];

#[test]
fn producers_of_a_parent_process_are_refused() {
    for e in exports() {
        let unchecked = e.body.contains(" live!(rk,") && !REFUSED_BY_CLIENT.contains(&e.name.as_str());
        assert!(!unchecked, "{} in {}: in a child after fork() it may wait for ever; use live_here!", e.name, e.file);
    }
}

#[test]
fn signatures_say_what_they_owe() {
    for e in exports() {
        assert!(e.name.starts_with("rk_"), "{} in {}", e.name, e.file);
        assert!(e.signature.contains("extern \"C\" fn"), "{}", e.name);
        let pointers = e.signature.split_once("->").map_or(e.signature.as_str(), |(args, _)| args).contains('*');
        assert_eq!(e.signature.contains("pub unsafe extern"), pointers, "{}: unsafe if it takes a pointer", e.name);
        assert_eq!(e.docs.contains("/// # Safety"), pointers, "{}: a Safety section if unsafe", e.name);
    }
}

#[test]
fn exported_symbols_are_listed() {
    let path = root().join("c-tests/exported-symbols.txt");
    let names: BTreeSet<String> = exports().into_iter().map(|e| e.name).collect();
    let new = names.iter().map(|n| format!("{n}\n")).collect::<String>();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, new).unwrap();
        return;
    }
    let old = std::fs::read_to_string(Path::new(&path)).unwrap_or_default();
    assert_eq!(old, new, "c-tests/exported-symbols.txt: UPDATE=1 cargo test --test ffi_guard");
}
