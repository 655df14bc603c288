//! The structure that docs/ARCHITECTURE.md promises: dependencies point one way, unsafe code stays in its few modules.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may use of the others.
const MAY_USE: &[(&str, &[&str])] = &[
    ("ffi", &["client", "mock", "conf", "error", "sys"]),
    ("client", &["accumulator", "conf", "error", "mock", "partitioner", "protocol", "security", "sync", "sys"]),
    ("accumulator", &["sync", "sys"]),
    ("conf", &["error", "partitioner"]),
    ("mock", &["error", "protocol", "security", "sys"]),
    ("security", &["conf"]),
    ("partitioner", &[]),
    ("protocol", &["error"]),
    ("sys", &[]),
    ("error", &[]),
    ("sync", &[]),
    ("bin", &["mock"]),
];

const UNSAFE_ALLOWED: &[&str] = &["accumulator", "ffi", "sys"];

fn rust_files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// Files of the library by top-level module, with their text up to the first test module.
fn modules() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let mut out: BTreeMap<String, Vec<(PathBuf, String)>> = BTreeMap::new();
    for f in files {
        let relative = f.strip_prefix(&src).unwrap().to_owned();
        let first = relative.iter().next().unwrap().to_str().unwrap();
        let module = first.trim_end_matches(".rs").to_owned();
        let name = relative.file_name().unwrap().to_str().unwrap();
        if module == "lib" || name.contains("tests") {
            continue;
        }
        let text = fs::read_to_string(&f).unwrap();
        let text = text.split("\n#[cfg(test)]").next().unwrap().to_owned();
        out.entry(module).or_default().push((relative, text));
    }
    assert!(out.len() >= 10, "{:?}", out.keys());
    out
}

#[test]
fn dependencies_point_one_way() {
    let mut wrong = Vec::new();
    for (module, files) in modules() {
        let allowed =
            MAY_USE.iter().find(|(m, _)| *m == module).unwrap_or_else(|| panic!("{module} is not in MAY_USE")).1;
        for (path, text) in files {
            let code = text.lines().filter(|l| !l.trim_start().starts_with("//"));
            for used in code.flat_map(|l| l.split("crate::").skip(1).map(str::to_owned).collect::<Vec<_>>()) {
                let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if MAY_USE.iter().any(|(m, _)| *m == used) && used != module && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{}: {module} must not use {used}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_stays_in_its_modules() {
    for (module, files) in modules() {
        for (path, text) in files {
            let has = text.lines().any(|l| {
                let code = l.split("//").next().unwrap();
                code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl")
            });
            assert!(!has || UNSAFE_ALLOWED.contains(&module.as_str()), "unsafe code in {}", path.display());
        }
    }
}

#[test]
fn files_are_of_a_size_to_be_read() {
    for files in modules().values() {
        for (path, text) in files {
            let lines = text.lines().count();
            assert!(lines <= 800, "{} has {lines} lines: split it by meaning", path.display());
        }
    }
}
