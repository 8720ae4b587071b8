//! `presend-publish ingest`: what a source sends, into the store.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use presend::publish::ingest::{self, Page};
use presend::publish::store::Taken;
use presend::publish::{Format, Store};
use serde_json::json;

use crate::{at, print, progress};

#[derive(Args)]
pub(crate) struct Ingest {
    /// The store; made when it is not there.
    #[arg(long, value_name = "FILE")]
    store: PathBuf,
    /// Name of the source, as in the rules: a-z, 0-9 and -.
    #[arg(long, value_name = "NAME")]
    source: String,
    /// What the files are written in.
    #[arg(long, value_name = "csv|threatexchange|ncmec|stopncii|tat", value_parser = format)]
    format: Format,
    /// Files, oldest first. Each is taken whole or not at all.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Together the files are all that the source has: what is not in them counts as withdrawn.
    #[arg(long)]
    snapshot: bool,
    /// Let a snapshot withdraw more than 10 % of the source's entries by leaving them out.
    #[arg(long, requires = "snapshot")]
    accept_shrink: bool,
    /// Take nothing of a file in which an entry cannot be read.
    #[arg(long)]
    strict: bool,
    /// Print what was taken as JSON.
    #[arg(long)]
    json: bool,
}

impl Ingest {
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        let mut seen = Seen::default();
        let done = if self.snapshot { self.snapshot(&mut seen) } else { self.changes(&mut seen) };
        // What earlier files gave is in, whatever became of a later one.
        if self.json {
            let report = json!({
                "source": self.source,
                "files": seen.files,
                "taken": seen.taken,
                "bad": seen.bad,
                "unsupported": seen.unsupported,
                "more": seen.more,
                "error": done.as_ref().err(),
            });
            print(format!("{report:#}\n").as_bytes())?;
        } else if done.is_ok() || seen.files > 0 {
            print(format!("{}\n", self.summary(&seen)).as_bytes())?;
        }
        done?;
        Ok(ExitCode::from(u8::from(!seen.bad.is_empty())))
    }

    fn changes(&self, seen: &mut Seen) -> Result<(), String> {
        // A first file that is refused leaves no store behind.
        let mut store = None;
        let bar = progress("reading");
        for (number, path) in self.files.iter().enumerate() {
            bar.set_position((number * 100 / self.files.len()) as u64);
            let page = self.read(path, seen)?;
            if store.is_none() {
                store = Some(self.open()?);
            }
            let Some(store) = &store else { continue };
            let taken = store.take(&self.source, self.format, &page);
            seen.take(taken.map_err(|error| at(path, &error))?, &page);
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn snapshot(&self, seen: &mut Seen) -> Result<(), String> {
        let pages: Result<Vec<Page>, String> =
            self.files.iter().map(|path| self.read(path, seen)).collect();
        let pages = pages?;
        let percent = if self.accept_shrink { 100 } else { SHRINK_PERCENT };
        let taken = self.open()?.take_snapshot(&self.source, self.format, &pages, percent);
        seen.taken = taken.map_err(|error| at(&self.store, &error))?;
        for page in &pages {
            seen.take(Taken::default(), page);
        }
        Ok(())
    }

    fn read(&self, path: &Path, seen: &mut Seen) -> Result<Page, String> {
        let bytes = fs::read(path).map_err(|error| at(path, &error))?;
        let page = ingest::read(self.format, &bytes)
            .map_err(|error| format!("{}: nothing was taken of it", at(path, &error)))?;
        for bad in &page.bad {
            eprintln!("{}: {bad}", path.display());
            seen.bad.push(json!({
                "file": path.display().to_string(),
                "place": bad.place.to_string(),
                "reason": bad.reason,
            }));
        }
        if self.strict && !page.bad.is_empty() {
            let rows = page.bad.len();
            return Err(at(path, &format!("{rows} bad entries: nothing was taken of it")));
        }
        Ok(page)
    }

    fn open(&self) -> Result<Store, String> {
        Store::open_or_create(&self.store).map_err(|error| at(&self.store, &error))
    }

    fn summary(&self, seen: &Seen) -> String {
        let Taken { added, changed, unchanged, withdrawn, missing, older, .. } = seen.taken;
        let mut text = format!(
            "{} from {} of {} files: {added} added, {changed} changed, {unchanged} unchanged, \
             {withdrawn} withdrawn, {missing} missing, {older} older than what is kept\n\
             not taken: {} bad, {} of kinds that presend does not compare",
            self.source,
            seen.files,
            self.files.len(),
            seen.bad.len(),
            seen.unsupported,
        );
        if seen.more {
            text += "\nthe last file says that another page follows: fetch and ingest it too";
        }
        text
    }
}

/// What has been seen so far.
#[derive(Default)]
struct Seen {
    files: usize,
    taken: Taken,
    bad: Vec<serde_json::Value>,
    unsupported: u64,
    more: bool,
}

impl Seen {
    fn take(&mut self, taken: Taken, page: &Page) {
        self.files += 1;
        self.taken += taken;
        self.unsupported += page.unsupported;
        self.more = page.more;
    }
}

fn format(name: &str) -> Result<Format, String> {
    Format::from_name(name).ok_or_else(|| {
        let known: Vec<_> = Format::ALL.map(Format::name).into();
        format!("the formats are {}", known.join(", "))
    })
}

/// A source that loses more at once has more likely failed.
const SHRINK_PERCENT: u8 = 10;
