//! Stores in the place of list files, and pictures that are on no list.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use presend::update::{Answer, Folder, Store, Updater};
use serde_json::Value;

use crate::{folder, json, root, run};

/// A store with version 1 of the demonstration list, from python-tuf's repository.
fn store(name: &str) -> PathBuf {
    let folder = folder(name);
    let store = Store::open(&folder).expect("a store");
    let repository = root().join("tests/data/tuf/base");
    store.trust(&fs::read(repository.join("metadata/1.root.json")).expect("a root")).expect("new");
    let from = Folder::new(repository);
    let answer = Updater::new(&store, &from, "demo").update(SystemTime::now());
    assert_eq!(answer, Answer::Updated);
    folder
}

/// Puts a file into the generation in use, as an update would.
fn put(store: &Path, name: &str, text: &str) {
    let current = fs::read_to_string(store.join("current")).expect("a store");
    let generation = store.join("generations").join(current.trim());
    fs::write(generation.join(name), text).expect("written");
}

fn age(store: &Path) {
    let current = fs::read_to_string(store.join("current")).expect("a store");
    let timestamp = store.join("generations").join(current.trim()).join("timestamp.json");
    let text = fs::read_to_string(&timestamp).expect("a timestamp");
    assert!(text.contains("2100-01-01"));
    fs::write(timestamp, text.replace("2100-01-01", "2001-01-01")).expect("written");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

const PICTURE: &str = "tests/data/media/test-picture.png";

#[test]
fn a_store_is_a_list() {
    let store = store("store");
    let (code, out, err) = run(&["scan", "--json", "--list", text(&store), PICTURE]);
    assert_eq!((code, err.as_str()), (1, ""));
    let lines: Vec<Value> = out.lines().map(json).collect();
    assert_eq!(lines[0]["findings"][0]["list_version"], 1);
    // The list names no action, and the client granted no more than this.
    assert_eq!(lines[0]["verdict"], "ask");
    let lists = &lines[1]["summary"]["lists"];
    assert_eq!(lists, &serde_json::json!([{ "id": "demo", "version": 1, "stale": false }]));
    assert_eq!(run(&["list", "verify", text(&store)]).0, 0);
    let nothing = folder("no-store");
    let (code, _, err) = run(&["scan", "--list", text(&nothing), PICTURE]);
    assert!(code == 2 && err.contains("presend-update --store"), "{err}");
}

#[test]
fn a_stale_store_still_scans_and_says_so() {
    let store = store("stale");
    age(&store);
    let (code, out, err) = run(&["scan", "--json", "--list", text(&store), PICTURE]);
    assert_eq!((code, err.contains("demo version 1 may not be the newest")), (1, true), "{err}");
    let summary = json(out.lines().last().expect("a summary"));
    assert_eq!(summary["summary"]["lists"][0]["stale"], true);
    let (code, out, _) = run(&["list", "info", text(&store)]);
    assert!(code == 0 && out.contains("stale for"), "{out}");
}

#[test]
fn a_list_that_asks_for_less_gets_less() {
    let store = store("scope");
    put(&store, "scope", r#"{"action":"warn"}"#);
    let (code, out, _) = run(&["scan", "--list", text(&store), PICTURE]);
    assert!(code == 1 && out.starts_with("warn "), "{out}");
    put(&store, "scope", r#"{"action":"block"}"#);
    let halved = "tests/data/media/test-picture-halved-q50.jpg";
    let (_, out, _) = run(&["scan", "--list", text(&store), halved]);
    let (_, without, _) = run(&["scan", halved]);
    assert_eq!(out.split(' ').next(), without.split(' ').next());
}

#[test]
fn what_is_signed_beside_a_list_is_shown() {
    let store = store("manifest");
    let manifest = r#"{"categories":{"demo":2},"work":{"first":55.5},"later":["a\nb",1]}"#;
    put(&store, "manifest", manifest);
    put(&store, "scope", r#"{"action":"ask","views":9,"probes":7}"#);
    let (code, out, _) = run(&["list", "info", text(&store)]);
    assert_eq!(code, 0);
    for line in [
        "version       1",
        "asks for.action  ask",
        "asks for.views  9",
        "manifest.categories.demo  2",
        "manifest.work.first  55.5",
        "manifest.later  [\"a\\nb\",1]",
    ] {
        assert!(out.lines().any(|other| other == line), "{line}: {out}");
    }
    let (_, text_out, _) = run(&["list", "info", text(&store)]);
    let (_, out, _) = run(&["list", "info", "--json", text(&store)]);
    let release = &json(&out)["release"];
    assert_eq!(release["manifest"], json(manifest));
    let Value::Array(signed) = &release["signers"]["signed"] else { panic!("{release}") };
    let signed: Vec<&str> = signed.iter().filter_map(Value::as_str).collect();
    assert_eq!((&release["signers"]["threshold"], signed.len()), (&2.into(), 3));
    let line = format!("signed by     {} (2 have to)", signed.join(", "));
    assert!(text_out.contains(&line), "{text_out}");
    assert_eq!((&release["stale"], &release["scope"]["probes"]), (&false.into(), &7.into()));
}

#[test]
fn a_manifest_of_any_shape_is_shown_in_few_lines() {
    let store = store("shapes");
    let deep = "{\"a\":".repeat(100) + "1" + &"}".repeat(100);
    let wide: Vec<String> = (0..20_000).map(|n| format!("\"{n}\":{n}")).collect();
    let long = format!("{{\"long\":\"{}\"}}", "x".repeat(900_000));
    for manifest in [deep, format!("{{{}}}", wide.join(",")), long] {
        put(&store, "manifest", &manifest);
        let (code, out, err) = run(&["list", "info", text(&store)]);
        assert!(code == 0 && out.len() < 20_000, "{} {err}", out.len());
        let (code, out, _) = run(&["list", "info", "--json", text(&store)]);
        assert_eq!((code, &json(&out)["release"]["manifest"]), (0, &json(&manifest)));
    }
}

#[test]
fn a_lawful_picture_is_shown_to_be_absent() {
    let store = store("absent");
    let absent = |picture: &str| run(&["list", "absent", picture, "--list", text(&store)]);
    let (code, out, _) = absent("tests/data/media/waves.jpg");
    let expected = "not listed  tests/data/media/waves.jpg in demo version 1 \
                    (the file's digests, and 25 views of each frame)\n";
    assert_eq!((code, out.as_str()), (0, expected));
    let (code, out, _) = absent(PICTURE);
    assert!(code == 1 && out.starts_with("would match  "), "{out}");
    assert!(out.ends_with("the file itself (sha256)\n"), "{out}");
    let (code, out, _) = absent("tests/data/media/test-picture-halved-q50.jpg");
    assert!(code == 1 && out.contains("a near copy ("), "{out}");
    let (code, out, _) = absent("tests/data/broken/truncated.png");
    assert!(code == 2 && out.starts_with("not known  "), "{out}");
    assert_eq!(absent("no-such-file").0, 2);
    let file = "hashlists/demo/demo.presend";
    let (code, out, _) =
        run(&["list", "absent", PICTURE, "--json", "--list", file, "--list", text(&store)]);
    let lines: Vec<Value> = out.lines().map(json).collect();
    assert_eq!((code, lines.len()), (1, 2));
    assert_eq!((&lines[1]["result"], &lines[1]["views"]), (&"would match".into(), &25.into()));
    assert_eq!(lines[1]["matches"].as_array().map(Vec::len), Some(2));
}
