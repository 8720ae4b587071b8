//! The operator's command.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn run(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_presend-publish"))
        .args(args)
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

/// A fresh folder of this test's own, with a feed in it.
fn folder(name: &str, feed: &str) -> (PathBuf, String, String) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("feed");
    std::fs::write(&path, feed).expect("written");
    let (feed, out) = (path.display().to_string(), folder.join("out").display().to_string());
    (folder, feed, out)
}

const PDQ: &str = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22";

#[test]
fn the_demonstration_list_is_built_again_byte_for_byte() {
    let (_, _, out) = folder("demo", "");
    let (code, text, _) = run(&[
        "build",
        "--id",
        "demo",
        "--version",
        "1",
        "--feed",
        "hashlists/demo/feed.csv",
        "--out",
        &out,
    ]);
    assert_eq!(code, 0, "{text}");
    for file in ["demo.presend", "manifest.json"] {
        let built = std::fs::read(Path::new(&out).join(file)).expect("built");
        let kept = std::fs::read(root().join("hashlists/demo").join(file)).expect("kept");
        assert!(built == kept, "{file}");
    }
}

#[test]
fn bad_rows_stop_the_build_and_name_their_lines() {
    let feed = format!("algorithm,hex\npdq,{PDQ}\npdq,12\nsha9,00\n");
    let (_, feed, out) = folder("bad", &feed);
    let build = ["build", "--id", "x", "--version", "1", "--out", &out, "--feed", &feed];
    let (code, _, err) = run(&build);
    assert_eq!(code, 2);
    assert!(
        err.contains(&format!("{feed}: line 3: expected 64 hexadecimal digits for pdq")),
        "{err}"
    );
    assert!(err.contains(&format!("{feed}: line 4: unknown algorithm")), "{err}");
    assert!(err.contains("2 bad rows; mend them, or leave them out with --skip-bad-rows"), "{err}");
    assert!(!Path::new(&out).exists(), "nothing is written");

    let (code, manifest, _) = run(&[&build[..], &["--skip-bad-rows", "--json"]].concat());
    assert_eq!(code, 0);
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    assert_eq!(manifest["left_out"]["bad"], 2);
    assert_eq!(manifest["entries"]["pdq"], 1);
}

#[test]
fn several_feeds_of_both_forms_make_one_list() {
    let (folder, lines, out) = folder("two", &format!("pdq {PDQ}\n"));
    let csv = folder.join("more.csv");
    std::fs::write(
        &csv,
        format!("algorithm,hex,quality\npdq,{PDQ},100\npdq,{},20\n", PDQ.replace('f', "0")),
    )
    .expect("written");
    let csv = csv.to_str().expect("UTF-8");
    let (code, text, _) = run(&[
        "build",
        "--id",
        "two",
        "--version",
        "3",
        "--profile",
        "strict",
        "--salt",
        "000102030405060708090a0b0c0d0e0f",
        "--out",
        &out,
        "--feed",
        &lines,
        csv,
    ]);
    assert_eq!(code, 0);
    assert!(text.starts_with("two version 3, profile strict: 1 pdq\n"), "{text}");
    assert!(text.contains("left out: 0 bad, 1 of low quality, 1 duplicate"), "{text}");
}

#[test]
fn an_empty_feed_is_an_error() {
    let (_, feed, out) = folder("empty", "\n");
    let (code, _, err) =
        run(&["build", "--id", "x", "--version", "1", "--out", &out, "--feed", &feed]);
    assert_eq!(code, 2);
    assert!(err.contains("the feed is empty"), "{err}");
}

#[test]
fn a_delta_is_written_between_editions() {
    let (folder, feed, out) = folder("diff", &format!("pdq {PDQ}\n"));
    let build = |version: &str| {
        let args = ["build", "--id", "x", "--out", &out, "--feed", &feed, "--version", version];
        let (code, text, _) = run(&args);
        assert_eq!(code, 0, "{text}");
        let kept = folder.join(version);
        std::fs::rename(Path::new(&out).join("x.presend"), &kept).expect("renamed");
        kept.display().to_string()
    };
    let (old, new) = (build("1"), build("2"));
    let delta = folder.join("delta").display().to_string();
    let (code, text, err) = run(&["diff", &old, &new, "--out", &delta]);
    assert_eq!((code, text.as_str()), (0, "x version 1 to version 2, 372 bytes\n"), "{err}");
    assert_eq!(std::fs::read(&delta).expect("written").len(), 372);
    let (code, text, _) = run(&["pack", &new, "--out", &delta]);
    assert_eq!((code, text.as_str()), (0, "x version 2, 394 bytes\n"));
    let (code, _, err) = run(&["diff", &old, "hashlists/demo/demo.presend", "--out", &delta]);
    assert_eq!(code, 2);
    assert!(err.contains("not editions of one list"), "{err}");
}
