//! Replays the fuzz corpus and every past crash.
//!
//! Fuzzing runs for as long as somebody lets it; this runs on every
//! `cargo test`, so that what was found once stays found.

use std::fs;
use std::path::{Path, PathBuf};

// The fuzz crate's library, where `pub` reaches further than it does here.
#[allow(unreachable_pub)]
#[path = "../../fuzz/targets.rs"]
mod targets;

macro_rules! replayed {
    ($($target:ident)*) => {
        const REPLAYED: &[&str] = &[$(stringify!($target)),*];
        $(
            #[test]
            fn $target() {
                replay(stringify!($target), targets::$target);
            }
        )*
    };
}

replayed! { jpeg lane png gif webp bmp pdq sniff scan list editions delta manifest metadata policy feed ingest model onnx }

#[test]
fn no_target_is_left_out() {
    for path in files("fuzz_targets") {
        let target = path.file_stem().expect("a file has a name").to_string_lossy();
        assert!(REPLAYED.contains(&&*target), "fuzz target {target} is not replayed");
    }
}

/// Hands every file of the target's folders to it.
fn replay(target: &str, run: fn(&[u8])) {
    let corpus = files(&format!("corpus/{target}"));
    assert!(!corpus.is_empty(), "fuzz/corpus/{target} is missing or empty");
    for path in corpus.into_iter().chain(files(&format!("regressions/{target}"))) {
        // Shown when the test fails: the last one did it.
        println!("{}", path.display());
        run(&fs::read(&path).expect("a file that can be read"));
    }
}

/// The files of a folder below `fuzz/`; none when it is missing.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder);
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    entries.map(|entry| entry.expect("a folder that can be listed").path()).collect()
}
