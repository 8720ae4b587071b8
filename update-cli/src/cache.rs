//! What may save a request or a part of one: beside the store, and never trusted.
//!
//! | file | what |
//! |---|---|
//! | `cache/timestamp` | the server's tag for the timestamp, a line, and its bytes |
//! | `cache/part` | the path of a list, a line, and as much of it as has come |

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// The cache of one store. Nothing breaks where two commands touch it at once: what
/// comes of it is verified.
pub(crate) struct Cache(PathBuf);

/// An answer that may still hold.
pub(crate) struct Tagged {
    pub(crate) tag: String,
    pub(crate) bytes: Vec<u8>,
}

impl Cache {
    pub(crate) fn of(store: &Path) -> Self {
        Self(store.join("cache"))
    }

    /// The timestamp that was fetched last from this address.
    pub(crate) fn timestamp(&self, url: &str) -> Option<Tagged> {
        let mut file = BufReader::new(File::open(self.0.join("timestamp")).ok()?);
        if line(&mut file)? != url {
            return None;
        }
        let tag = line(&mut file)?;
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes).ok()?;
        Some(Tagged { tag, bytes })
    }

    /// Keeps a timestamp, if it can: without it only more is fetched.
    pub(crate) fn keep_timestamp(&self, url: &str, tagged: &Tagged) {
        let is_one_line = |text: &str| !text.contains(|c: char| c.is_control());
        if tagged.bytes.len() as u64 > LONGEST || !is_one_line(&tagged.tag) || !is_one_line(url) {
            return;
        }
        let text = [url.as_bytes(), b"\n", tagged.tag.as_bytes(), b"\n", &tagged.bytes].concat();
        let new = self.0.join("timestamp.new");
        let kept = fs::create_dir_all(&self.0)
            .and_then(|()| fs::write(&new, text))
            .and_then(|()| fs::rename(&new, self.0.join("timestamp")));
        let _ = kept;
    }

    /// What has come of this list, to be read from its start.
    pub(crate) fn part(&self, path: &str) -> Option<BufReader<File>> {
        let mut file = BufReader::new(File::open(self.0.join("part")).ok()?);
        (line(&mut file)? == path).then_some(file)
    }

    /// A new part of this list.
    pub(crate) fn begin(&self, path: &str) -> io::Result<File> {
        fs::create_dir_all(&self.0)?;
        let mut file = File::create(self.0.join("part"))?;
        writeln!(file, "{path}")?;
        Ok(file)
    }

    /// The part that is there, to be added to.
    pub(crate) fn go_on(&self) -> io::Result<File> {
        File::options().append(true).open(self.0.join("part"))
    }

    /// Drops the part: it is whole, or of no use.
    pub(crate) fn end(&self) {
        let _ = fs::remove_file(self.0.join("part"));
    }

    pub(crate) fn clear(&self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn line(file: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    file.take(LONGEST).read_line(&mut line).ok()?;
    line.ends_with('\n').then(|| line.trim_end_matches('\n').to_owned())
}

/// As long as a timestamp may be.
const LONGEST: u64 = 16_384;
