//! The name by which the dynamic linker finds the shared library: programs linked against 1.x run with any later 1.y.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    match os.as_str() {
        "macos" => println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/librkafka.1.dylib"),
        "windows" => {}
        _ => println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,librkafka.so.1"),
    }
    link_soname(&os);
}

/// Programs linked against the library in the target folder look for it there under that name, so it leads to the file
/// that cargo makes. Without it they would run only against an installed library.
fn link_soname(os: &str) {
    #[cfg(unix)]
    if let Ok(out) = std::env::var("OUT_DIR") {
        // target/<profile>/build/rkafka-<hash>/out
        if let Some(dir) = std::path::Path::new(&out).ancestors().nth(3) {
            let (link, file) = match os {
                "macos" => ("librkafka.1.dylib", "librkafka.dylib"),
                _ => ("librkafka.so.1", "librkafka.so"),
            };
            // It may be there already.
            let _ = std::os::unix::fs::symlink(file, dir.join(link));
        }
    }
    #[cfg(not(unix))]
    let _ = os;
}
