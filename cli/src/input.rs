//! The files that a command is to look at.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use walkdir::WalkDir;

/// One file, or standard input when the path is `-`.
pub(crate) struct Input(pub(crate) PathBuf);

/// The files behind `paths`: folders give everything below them, by name.
/// What cannot be listed is an error in its place.
pub(crate) fn expand(paths: &[PathBuf]) -> Vec<Result<Input, (PathBuf, io::Error)>> {
    let mut inputs = Vec::new();
    for path in paths {
        if !path.is_dir() {
            inputs.push(Ok(Input(path.clone())));
            continue;
        }
        for entry in WalkDir::new(path).sort_by_file_name() {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {}
                // A link is followed to a file, never into a folder.
                Ok(entry) if entry.path().is_file() => inputs.push(Ok(Input(entry.into_path()))),
                Ok(entry) => {
                    let error = io::Error::other("not scanned: neither a file nor a link to one");
                    inputs.push(Err((entry.into_path(), error)));
                }
                Err(error) => {
                    let at = error.path().unwrap_or(path).to_owned();
                    inputs.push(Err((at, error.into())));
                }
            }
        }
    }
    inputs
}

impl Input {
    /// The bytes, but at most one more than `limit`: enough to see that they
    /// are too many.
    pub(crate) fn read(&self, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if self.0 == Path::new("-") {
            io::stdin().take(limit + 1).read_to_end(&mut bytes)?;
        } else {
            let file = File::open(&self.0)?;
            let length = file.metadata()?.len().min(limit);
            bytes.reserve_exact(usize::try_from(length).unwrap_or(0) + 1);
            file.take(limit + 1).read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }
}

/// The path in one line of text, whatever it is made of.
pub(crate) fn shown(path: &Path) -> String {
    shown_text(&path.to_string_lossy())
}

/// The text in one line, without control characters.
pub(crate) fn shown_text(text: &str) -> String {
    let escape =
        |c: char| if c.is_control() { c.escape_default().collect() } else { String::from(c) };
    text.chars().map(escape).collect()
}

/// A bar on standard error, on a terminal alone.
pub(crate) fn progress(length: usize, quiet: bool) -> ProgressBar {
    // One or two files are done before a bar can be read.
    if quiet || length < 3 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} files, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length as u64).with_style(style)
}

/// A bar on standard error, on a terminal alone; without a length, a spinner.
pub(crate) fn steps(what: &'static str, length: usize) -> ProgressBar {
    if length == 0 {
        let bar = ProgressBar::new_spinner().with_message(what);
        bar.enable_steady_tick(std::time::Duration::from_millis(100));
        return bar;
    }
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length as u64).with_style(style).with_message(what)
}
