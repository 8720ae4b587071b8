//! docs/threat-model.md names the test behind each of its answers.

use std::fs;
use std::path::Path;

#[test]
fn every_attack_has_its_test() {
    let text = fs::read_to_string(crate::root("docs/threat-model.md")).expect("a page");
    let (_, attacks) = text.split_once("| attack | answer | test |").expect("a table");
    let rows: Vec<&str> =
        attacks.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() >= 30, "{} attacks", rows.len());
    let mut tests = String::new();
    for folder in ["tests/suite", "update-cli/tests"] {
        read(&crate::root(folder), &mut tests);
    }
    for row in rows {
        let names = row.rsplit('|').nth(1).expect("a cell");
        let names: Vec<&str> = names.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{row}");
        for name in names {
            let is_there = match name.contains('/') {
                true => crate::root(name).exists(),
                false => tests.contains(&format!("#[test]\nfn {name}()")),
            };
            assert!(is_there, "no test {name}");
        }
    }
}

fn read(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|ending| ending == "rs") {
            text.push_str(&fs::read_to_string(path).expect("UTF-8"));
        }
    }
}
