//! docs/threat-model.md names the test behind each of its answers.

use std::fs;
use std::path::Path;

#[test]
fn every_attack_has_its_test() {
    let text = fs::read_to_string(crate::root("docs/threat-model.md")).expect("a page");
    let tables = text.split("| attack | answer | test |").skip(1);
    let rows: Vec<&str> = tables
        .flat_map(|table| table.lines().skip(2).take_while(|line| line.starts_with('|')))
        .collect();
    assert!(rows.len() >= 65, "{} attacks", rows.len());
    let mut tests = String::new();
    for folder in ["src", "tests/suite", "cli/tests", "update-cli/tests"] {
        read(&crate::root(folder), &mut tests);
    }
    for row in rows {
        let names = row.rsplit('|').nth(1).expect("a cell");
        let names: Vec<&str> = names.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{row}");
        for name in names {
            let is_there = match name.contains('/') {
                true => crate::root(name).exists(),
                false => tests.contains(&format!("fn {name}()")),
            };
            assert!(is_there, "no test {name}");
        }
    }
}

/// The names of the tests below a folder.
fn read(folder: &Path, tests: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            read(&path, tests);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(path).expect("UTF-8");
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            let named = lines.windows(2).filter(|pair| pair[0] == "#[test]");
            named.for_each(|pair| tests.extend([pair[1], "\n"]));
        }
    }
}
