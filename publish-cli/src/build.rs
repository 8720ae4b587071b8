//! `presend-publish build`: rows to a list file and its manifest.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use presend::HashList;
use presend::hash::views::ViewSet;
use presend::list::manifest::Manifest;
use presend::publish::rules::Selection;
use presend::publish::{self, Built, Change, Feed, Parameters, Rules, Store};

use crate::{at, explain, open, print, progress, replace};

#[derive(Args)]
#[command(group = ArgGroup::new("from").args(["feed", "store"]).required(true))]
pub(crate) struct Build {
    /// Name of the list: a-z, 0-9 and -.
    #[arg(long, value_name = "NAME")]
    id: String,
    /// Number of this edition; higher ones replace lower ones.
    #[arg(long, value_name = "N")]
    version: u64,
    #[command(flatten)]
    inputs: Inputs,
    /// The last released list, which the rules' `max-change-percent` is about [default: with
    /// --store, the one in --out].
    #[arg(long, value_name = "FILE")]
    last: Option<PathBuf>,
    /// There is no last release to compare with.
    #[arg(long, requires = "store", conflicts_with = "last")]
    first: bool,
    /// Build even if more changes than the rules let through.
    #[arg(long, requires = "store")]
    accept_change: bool,
    /// How well entries are hidden against how much is found.
    #[arg(long, default_value = "balanced", value_name = "open|balanced|strict")]
    profile: String,
    /// Key of the fingerprints, 32 hexadecimal digits, public [default: follows from the id].
    #[arg(long, value_name = "HEX", value_parser = salt)]
    salt: Option<[u8; 16]>,
    /// Folder for ID.presend and manifest.json.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print the manifest instead of a summary; with --store also what was left out and what
    /// changed: `{"manifest", "selection", "change"}`.
    #[arg(long)]
    json: bool,
}

/// What a list is built from: a store and rules, or feeds.
#[derive(Args)]
pub(crate) struct Inputs {
    /// Feeds: CSV with a header `algorithm,hex[,category][,quality]`, or lines of `pdq <hex>`.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    feed: Vec<PathBuf>,
    /// The store that `ingest` fills.
    #[arg(long, value_name = "FILE", requires = "rules")]
    store: Option<PathBuf>,
    /// Which of the store's entries go on the list.
    #[arg(long, value_name = "FILE", requires = "store")]
    rules: Option<PathBuf>,
    /// Leave bad rows out instead of refusing to build.
    #[arg(long)]
    skip_bad_rows: bool,
}

/// The rows that a list is built from.
pub(crate) struct Rows {
    feed: Feed,
    /// The rules and what they chose, when they did.
    chosen: Option<(Rules, Selection, String)>,
}

impl Build {
    pub(crate) fn run(self) -> Result<(), String> {
        let last = self.last()?;
        let rows = self.inputs.read()?;
        let built = rows.build(&Parameters {
            id: self.id.clone(),
            version: self.version,
            profile: self.profile.clone(),
            salt: self.salt,
        })?;
        let built = rows.compared(built, last.as_ref())?;
        if let (Some((rules, ..)), Some(change)) = (&rows.chosen, &built.manifest.change) {
            self.gate(rules, change)?;
        }
        let manifest = in_json(&built.manifest)?;
        fs::create_dir_all(&self.out).map_err(|error| at(&self.out, &error))?;
        replace(&self.out.join(&built.manifest.file), &built.list)?;
        replace(&self.out.join("manifest.json"), format!("{manifest}\n").as_bytes())?;
        let change = built.manifest.change.as_ref();
        let text = match (&rows.chosen, self.json) {
            (None, true) => manifest,
            (None, false) => summary(&built),
            (Some((_, selection, _)), true) => {
                let json = serde_json::json!({
                    "manifest": built.manifest,
                    "selection": { "hashes": selection.hashes, "left_out": selection.left_out },
                    "change": change,
                });
                format!("{json:#}")
            }
            (Some((_, selection, _)), false) => {
                format!("{}\n{}", choice(selection, change), summary(&built))
            }
        };
        print(format!("{text}\n").as_bytes())
    }

    /// The last release: named, in the output folder, or said not to be.
    fn last(&self) -> Result<Option<HashList>, String> {
        let in_out = self.out.join(format!("{}.presend", self.id));
        match &self.last {
            _ if self.first => Ok(None),
            Some(last) => open(last).map(Some),
            None if self.inputs.store.is_none() => Ok(None),
            None if in_out.exists() => open(&in_out).map(Some),
            None => Err(format!(
                "{} is not there to compare with: name the last release by --last, or say --first",
                in_out.display()
            )),
        }
    }

    /// Whether the rules let so much change through.
    fn gate(&self, rules: &Rules, change: &Change) -> Result<(), String> {
        match beyond(rules, change) {
            Some(how) if !self.accept_change => {
                Err(format!("{how}. Nothing is written. If that is meant, say --accept-change"))
            }
            _ => Ok(()),
        }
    }
}

impl Inputs {
    pub(crate) fn read(&self) -> Result<Rows, String> {
        let (Some(store), Some(rules)) = (&self.store, &self.rules) else {
            return Ok(Rows { feed: self.read_feeds()?, chosen: None });
        };
        let (rules, text) = read_rules(rules)?;
        let store = Store::open(store).map_err(|error| at(store, &error))?;
        let bar = progress("choosing");
        let selection = rules.select(&store, &mut |done| {
            bar.set_position((done * 100.0) as u64);
        });
        bar.finish_and_clear();
        let mut selection = selection.map_err(|error| error.to_string())?;
        let feed = std::mem::take(&mut selection.feed);
        Ok(Rows { feed, chosen: Some((rules, selection, text)) })
    }

    fn read_feeds(&self) -> Result<Feed, String> {
        let mut all = Feed::default();
        for path in &self.feed {
            let text = fs::read(path).map_err(|error| at(path, &error))?;
            let feed = Feed::read(&text).map_err(|error| at(path, &error))?;
            for bad in &feed.bad {
                eprintln!("{}: {bad}", path.display());
            }
            all.merge(feed);
        }
        if !all.bad.is_empty() && !self.skip_bad_rows {
            let rows = all.bad.len();
            return Err(format!(
                "{rows} bad rows; mend them, or leave them out with --skip-bad-rows"
            ));
        }
        Ok(all)
    }
}

impl Rows {
    pub(crate) fn build(&self, parameters: &Parameters) -> Result<Built, String> {
        let bar = progress("building");
        let built = publish::build_watched(parameters, &self.feed, &mut |done| {
            bar.set_position((done * 100.0) as u64);
        });
        bar.finish_and_clear();
        let mut built = built.map_err(|error| error.to_string())?;
        built.manifest.choice =
            self.chosen.as_ref().map(|(_, selection, rules)| selection.choice(rules));
        Ok(built)
    }

    /// How much more the manifest says has changed than the rules let through.
    pub(crate) fn beyond(&self, manifest: &Manifest) -> Option<String> {
        let (rules, ..) = self.chosen.as_ref()?;
        beyond(rules, manifest.change.as_ref()?)
    }

    /// With the change from the last release in the manifest.
    pub(crate) fn compared(
        &self,
        mut built: Built,
        last: Option<&HashList>,
    ) -> Result<Built, String> {
        if let Some(last) = last {
            let new = HashList::open(built.list.clone()).map_err(|error| error.to_string())?;
            built.manifest.change = Some(Change::between(last, &new, &self.feed));
        }
        Ok(built)
    }
}

/// How much more changes than the rules let through, if it does.
fn beyond(rules: &Rules, change: &Change) -> Option<String> {
    let (percent, most) = (change.percent(), rules.max_change_percent());
    (percent > most).then(|| {
        format!(
            "{} entries come and {} go of {} in the last release: {percent:.1} %, and the rules let {most} % through",
            change.added, change.removed, change.last
        )
    })
}

/// The manifest as its file has it, less the last line's end.
fn in_json(manifest: &Manifest) -> Result<String, String> {
    serde_json::to_string_pretty(manifest)
        .map_err(|error| format!("the manifest cannot be written: {error}"))
}

/// The rules, and the text that they were read from.
pub(crate) fn read_rules(path: &Path) -> Result<(Rules, String), String> {
    let text = fs::read_to_string(path).map_err(|error| at(path, &error))?;
    let rules = Rules::parse(&text).map_err(|error| at(path, &error))?;
    Ok((rules, text))
}

fn choice(selection: &Selection, change: Option<&Change>) -> String {
    let left_out: Vec<String> = selection
        .left_out
        .iter()
        .map(|(reason, hashes)| format!("{hashes} {}", explain::in_words(*reason)))
        .collect();
    let left_out = if left_out.is_empty() { "none".to_owned() } else { left_out.join(", ") };
    let change = change.map_or("no last release to compare with".to_owned(), |change| {
        format!(
            "since the last release: {} of {} added, {} removed",
            change.added, change.last, change.removed
        )
    });
    format!("{} hashes in the store; the rules leave out: {left_out}\n{change}", selection.hashes)
}

fn summary(Built { manifest, .. }: &Built) -> String {
    let entries: Vec<String> =
        manifest.entries.iter().map(|(algorithm, rows)| format!("{rows} {algorithm}")).collect();
    let left_out = &manifest.left_out;
    let bounds: Vec<String> = ViewSet::ALL
        .into_iter()
        .filter_map(|views| manifest.false_match_log2.get_key_value(views.name()))
        .map(|(views, log2)| format!("2^{log2:.1} with {views}"))
        .collect();
    let work = manifest.work.map_or(String::new(), |work| {
        format!(
            "guesses that uncover the first entry, 1 % and half of them: 2^{:.0}, 2^{:.0}, 2^{:.0}\n",
            work.first, work.percent, work.half
        )
    });
    format!(
        "{} version {}, profile {}: {}\n{} fingerprints of {} bits, {} bytes, {:.1} an entry\n\
         left out: {} bad, {} of low quality, {} duplicate, {} guessed too easily\n\
         false match in one whole scan, 64 frames long, by views: at most {}\n{work}blake3 {}",
        manifest.id,
        manifest.version,
        manifest.profile,
        entries.join(", "),
        manifest.fingerprints,
        manifest.fingerprint_bits,
        manifest.bytes,
        manifest.bytes_per_entry,
        left_out.bad,
        left_out.low_quality,
        left_out.duplicate,
        left_out.easily_guessed,
        bounds.join(", "),
        manifest.blake3,
    )
}

pub(crate) fn salt(hex: &str) -> Result<[u8; 16], String> {
    let digits = hex.len() == 32 && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = digits.then(|| u128::from_str_radix(hex, 16).ok()).flatten();
    number.map(u128::to_be_bytes).ok_or_else(|| "expected 32 hexadecimal digits".to_owned())
}
