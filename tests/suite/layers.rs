//! The house: which room may use which.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Every room and the rooms it may use. `crate::` paths elsewhere are upward.
const ROOMS: [(&str, &[&str]); 15] = [
    ("limits", &[]),
    ("frame", &[]),
    ("media", &["limits", "frame"]),
    ("hash", &["limits", "frame"]),
    // Golden inputs are pictures in files.
    ("classify", &["limits", "frame", "media"]),
    ("list", &["hash"]),
    ("verdict", &["limits", "media", "hash", "list"]),
    ("policy", &["limits", "media", "hash", "verdict"]),
    ("scanner", &["limits", "frame", "media", "hash", "classify", "list", "verdict", "policy"]),
    ("hook", &["limits", "list", "queue", "scanner", "verdict"]),
    ("queue", &["limits", "scanner", "verdict"]),
    ("session", &["limits", "frame", "scanner", "verdict"]),
    ("update", &["limits", "hash", "list"]),
    ("publish", &["hash", "list", "update"]),
    (
        "lib",
        &[
            "classify", "frame", "hash", "hook", "limits", "list", "media", "policy", "publish",
            "queue", "scanner", "session", "update", "verdict",
        ],
    ),
];

#[test]
fn no_room_uses_a_room_above_it() {
    let allowed: BTreeMap<_, _> = ROOMS.into_iter().collect();
    let mut files = Vec::new();
    collect(&crate::root("src"), &mut files);
    assert!(files.len() > 20, "the walk found {} files", files.len());
    for (room, path, text) in files {
        let may =
            allowed.get(room.as_str()).unwrap_or_else(|| panic!("{path}: `{room}` has no place"));
        let depth = Path::new(&path).components().count();
        assert!(!climbs(&text, depth), "{path}: a `super::` path leads out of the room");
        for used in used_rooms(&text) {
            assert!(used == room || may.contains(&used.as_str()), "{path} uses crate::{used}");
        }
    }
}

#[test]
fn only_one_file_knows_a_runtime() {
    let mut files = Vec::new();
    collect(&crate::root("src"), &mut files);
    let knows = |text: &str| {
        let is_path = |(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        ["rten::", "ort::"].iter().any(|name| text.match_indices(name).any(is_path))
    };
    let knowing: Vec<_> = files.iter().filter(|(.., text)| knows(text)).map(|f| &f.1).collect();
    assert_eq!(knowing, ["classify/onnx.rs"]);
}

#[test]
fn an_upward_use_is_seen_in_every_spelling() {
    for text in [
        "use crate::scanner::Scanner;",
        "use crate::{limits::Limits, scanner::{Scanner}};",
        "fn f() { crate::scanner::run() }",
        "use crate :: scanner;",
    ] {
        assert!(used_rooms(text).contains(&"scanner".to_owned()), "{text}");
    }
    assert_eq!(used_rooms("// crate::scanner\nuse crate::limits::Limits;"), ["limits"]);
}

#[test]
fn a_super_path_out_of_the_room_is_seen() {
    assert!(climbs("use super::scanner::Scanner;", 1));
    assert!(climbs("use super::super::scanner::Scanner;", 2));
    assert!(!climbs("use super::super::Fault;", 3));
    assert!(!climbs("mod tests {\n    use super::*;", 1));
}

/// Whether a path of the file, `depth` modules below the root, climbs to the
/// root by `super::`, where only `crate::` paths are looked for.
fn climbs(text: &str, depth: usize) -> bool {
    let (code, tests) = text.split_once("mod tests {").unwrap_or((text, ""));
    let root = "super::".repeat(depth);
    code.contains(&root) || tests.contains(&(root + "super::"))
}

/// The rooms behind each `crate::` of the code, comments left out.
fn used_rooms(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .flat_map(|line| line.chars().chain([' ']))
        .collect();
    let code = code.replace("crate ::", "crate::").replace(":: ", "::");
    let mut rooms = Vec::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 1;
            let mut name = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                if depth == 1 && (c.is_alphanumeric() || c == '_') {
                    name.push(c);
                } else if depth <= 1 && matches!(c, ',' | '}') {
                    rooms.extend(first_name(&name));
                    name.clear();
                } else if depth == 1 {
                    // A path's first name ends here; the rest is not needed.
                    name.push(' ');
                }
                if depth == 0 {
                    break;
                }
            }
        } else {
            rooms.extend(first_name(rest));
        }
    }
    rooms
}

fn first_name(path: &str) -> Option<String> {
    let path = path.trim_start();
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(path.len());
    (end > 0).then(|| path[..end].to_owned())
}

fn collect(folder: &Path, files: &mut Vec<(String, String, String)>) {
    for entry in fs::read_dir(folder).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let inside = path.strip_prefix(crate::root("src")).expect("below src");
            let first = inside.iter().next().expect("a file has a name");
            let room = Path::new(first).file_stem().expect("a file has a name");
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            files.push((room.to_string_lossy().into(), inside.display().to_string(), text));
        }
    }
}
