//! `presend-publish`: the list operator's command.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Args, CommandFactory, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use presend::HashList;
use presend::hash::views::ViewSet;
use presend::list::delta;
use presend::publish::rules::Selection;
use presend::publish::{self, Built, Change, Feed, Parameters, Rules, Store};

mod explain;
mod ingest;

/// Builds presend hash lists from feeds.
#[derive(Parser)]
#[command(name = "presend-publish", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Take what a source sends into the store.
    ///
    /// Exit code 0 when every entry was read, 1 when some were not and the rest was taken, 2
    /// when nothing of a file was taken.
    Ingest(ingest::Ingest),
    /// Say why a hash is on the list or off it.
    ///
    /// Exit code 0 when it is on the list, 1 when it is not.
    Explain(explain::Explain),
    /// Build a list file and its manifest, from a store and rules or from feeds.
    ///
    /// Takes about 320 bytes of memory for every row: 0.3 GB for a million, 2.8 GB for ten.
    Build(Build),
    /// Write what changes from one edition of a list to the next.
    Diff(Diff),
    /// Write a list without what its readers can make themselves, to send it whole.
    Pack(Pack),
    /// Write a completion script for a shell to standard output.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Args)]
#[command(group = ArgGroup::new("from").args(["feed", "store"]).required(true))]
struct Build {
    /// Name of the list: a-z, 0-9 and -.
    #[arg(long, value_name = "NAME")]
    id: String,
    /// Number of this edition; higher ones replace lower ones.
    #[arg(long, value_name = "N")]
    version: u64,
    /// Feeds: CSV with a header `algorithm,hex[,category][,quality]`, or lines of `pdq <hex>`.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    feed: Vec<PathBuf>,
    /// The store that `ingest` fills.
    #[arg(long, value_name = "FILE", requires = "rules")]
    store: Option<PathBuf>,
    /// Which of the store's entries go on the list.
    #[arg(long, value_name = "FILE", requires = "store")]
    rules: Option<PathBuf>,
    /// The last released list, which the rules' `max-change-percent` is about [default: the one
    /// in --out].
    #[arg(long, value_name = "FILE", requires = "store")]
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
    /// Leave bad rows out instead of refusing to build.
    #[arg(long)]
    skip_bad_rows: bool,
    /// Print the manifest instead of a summary; with --store also what was left out and what
    /// changed: `{"manifest", "selection", "change"}`.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Diff {
    /// The list that readers have.
    old: PathBuf,
    /// Its next edition, built with the same salt and profile.
    new: PathBuf,
    /// The delta, for `presend list apply`.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Args)]
struct Pack {
    /// The list file.
    list: PathBuf,
    /// The packed list, for `presend list unpack`.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let good = |()| ExitCode::SUCCESS;
    let done = match Cli::parse().command {
        Command::Ingest(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Build(command) => command.run().map(good),
        Command::Diff(command) => command.run().map(good),
        Command::Pack(command) => command.run().map(good),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "presend-publish", &mut script);
            print(&script).map(good)
        }
    };
    match done {
        Ok(code) => code,
        Err(message) => {
            eprintln!("presend-publish: {message}");
            ExitCode::from(2)
        }
    }
}

impl Build {
    fn run(self) -> Result<(), String> {
        let (feed, picked) = match (&self.store, &self.rules) {
            (Some(store), Some(rules)) => {
                let rules = read_rules(rules)?;
                let last = self.last()?;
                let store = Store::open(store).map_err(|error| at(store, &error))?;
                let bar = progress("choosing");
                let selection = rules.select(&store, &mut |done| {
                    bar.set_position((done * 100.0) as u64);
                });
                bar.finish_and_clear();
                let mut selection = selection.map_err(|error| error.to_string())?;
                let feed = std::mem::take(&mut selection.feed);
                (feed, Some((rules, selection, last)))
            }
            _ => (self.read_feeds()?, None),
        };
        let parameters = Parameters {
            id: self.id.clone(),
            version: self.version,
            profile: self.profile.clone(),
            salt: self.salt,
        };
        let bar = progress("building");
        let built = publish::build_watched(&parameters, &feed, &mut |done| {
            bar.set_position((done * 100.0) as u64);
        });
        bar.finish_and_clear();
        let built = built.map_err(|error| error.to_string())?;
        let picked = match picked {
            Some((rules, selection, last)) => {
                Some((selection, self.gate(&rules, last.as_ref(), &built, &feed)?))
            }
            None => None,
        };
        let manifest = serde_json::to_string_pretty(&built.manifest)
            .map_err(|error| format!("the manifest cannot be written: {error}"))?;
        fs::create_dir_all(&self.out).map_err(|error| at(&self.out, &error))?;
        replace(&self.out.join(&built.manifest.file), &built.list)?;
        replace(&self.out.join("manifest.json"), format!("{manifest}\n").as_bytes())?;
        let text = match (&picked, self.json) {
            (None, true) => manifest,
            (None, false) => summary(&built),
            (Some((selection, change)), true) => {
                let json = serde_json::json!({
                    "manifest": built.manifest,
                    "selection": { "hashes": selection.hashes, "left_out": selection.left_out },
                    "change": change,
                });
                format!("{json:#}")
            }
            (Some((selection, change)), false) => {
                format!("{}\n{}", choice(selection, change.as_ref()), summary(&built))
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
            None if in_out.exists() => open(&in_out).map(Some),
            None => Err(format!(
                "{} is not there to compare with: name the last release by --last, or say --first",
                in_out.display()
            )),
        }
    }

    fn gate(
        &self,
        rules: &Rules,
        last: Option<&HashList>,
        built: &Built,
        feed: &Feed,
    ) -> Result<Option<Change>, String> {
        let Some(last) = last else { return Ok(None) };
        let new = HashList::open(built.list.clone()).map_err(|error| error.to_string())?;
        let change = Change::between(last, &new, feed);
        let (percent, most) = (change.percent(), rules.max_change_percent());
        if percent > most && !self.accept_change {
            return Err(format!(
                "{} entries come and {} go of {} in the last release: {percent:.1} %, and the rules let {most} % through. Nothing is written. If that is meant, say --accept-change",
                change.added, change.removed, change.last
            ));
        }
        Ok(Some(change))
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

impl Diff {
    fn run(self) -> Result<(), String> {
        let (old, new) = (open(&self.old)?, open(&self.new)?);
        let delta = delta::diff(&old, &new).map_err(|error| at(&self.new, &error))?;
        replace(&self.out, &delta)?;
        let (id, before, after) = (new.id(), old.version(), new.version());
        print(
            format!("{id} version {before} to version {after}, {} bytes\n", delta.len()).as_bytes(),
        )
    }
}

impl Pack {
    fn run(self) -> Result<(), String> {
        let list = open(&self.list)?;
        let packed = delta::pack(&list).map_err(|error| at(&self.list, &error))?;
        replace(&self.out, &packed)?;
        let (id, version) = (list.id(), list.version());
        print(format!("{id} version {version}, {} bytes\n", packed.len()).as_bytes())
    }
}

fn open(path: &Path) -> Result<HashList, String> {
    let bytes = fs::read(path).map_err(|error| at(path, &error))?;
    HashList::open(bytes).map_err(|error| at(path, &error))
}

fn read_rules(path: &Path) -> Result<Rules, String> {
    let text = fs::read_to_string(path).map_err(|error| at(path, &error))?;
    Rules::parse(&text).map_err(|error| at(path, &error))
}

/// A bar on standard error, and only where somebody watches.
fn progress(what: &'static str) -> ProgressBar {
    ProgressBar::new(100).with_message(what).with_style(
        ProgressStyle::with_template("{msg} {bar:30} {percent} %, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
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

/// To standard output; a reader that has gone has read enough.
fn print(text: &[u8]) -> Result<(), String> {
    match io::stdout().write_all(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// Replaces the file by a rename: whoever has it mapped keeps the old one.
fn replace(path: &Path, contents: &[u8]) -> Result<(), String> {
    let name = path.file_name().ok_or_else(|| at(path, &"not the name of a file"))?;
    let mut name = name.to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let write = || {
        let mut file = fs::File::create_new(&new)?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(|error: io::Error| {
        if error.kind() != io::ErrorKind::AlreadyExists {
            // Best effort: the error itself is what matters.
            let _ = fs::remove_file(&new);
        }
        at(path, &error)
    })
}

fn at(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

fn salt(hex: &str) -> Result<[u8; 16], String> {
    let digits = hex.len() == 32 && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = digits.then(|| u128::from_str_radix(hex, 16).ok()).flatten();
    number.map(u128::to_be_bytes).ok_or_else(|| "expected 32 hexadecimal digits".to_owned())
}
