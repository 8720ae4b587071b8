//! The suite: presend's promises, each with expected values that are somebody
//! else's.

mod catch_up;
mod classify;
mod corpus;
mod delta;
mod demo;
mod fast;
mod hook;
mod ingest;
mod jpeg;
mod layers;
mod leaks;
mod lists;
mod log;
mod media;
mod pdq;
mod pre_send;
mod queue;
mod reference;
mod releases;
mod reload;
mod scan;
mod served;
mod session;
mod threats;
mod update;

use std::fs;
use std::path::{Path, PathBuf};

/// A path below the project's root.
fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: impl AsRef<Path>) -> Vec<u8> {
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// The rows of a CSV file, each a look-up by column name.
fn table(path: impl AsRef<Path>) -> Vec<Row> {
    let text = String::from_utf8(read(path)).expect("tables are UTF-8");
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect());
    let header: Vec<String> = lines.next().expect("a table has a header");
    lines.map(|cells| Row { header: header.clone(), cells }).collect()
}

struct Row {
    header: Vec<String>,
    cells: Vec<String>,
}

impl std::ops::Index<&str> for Row {
    type Output = str;

    fn index(&self, column: &str) -> &str {
        let at = self.header.iter().position(|name| name == column);
        &self.cells[at.unwrap_or_else(|| panic!("no column `{column}`"))]
    }
}

/// The shared test data beside the project, when it is there.
fn shared(path: &str) -> Option<PathBuf> {
    let path = root("../shared/data").join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not on this machine", path.display());
    None
}
