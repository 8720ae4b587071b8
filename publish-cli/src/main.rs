//! `presend-publish`: the list operator's command.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use presend::HashList;
use presend::hash::views::ViewSet;
use presend::list::delta;
use presend::publish::{self, Built, Feed, Parameters};

/// Builds presend hash lists from feeds.
#[derive(Parser)]
#[command(name = "presend-publish", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build a list file and its manifest from feeds.
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
struct Build {
    /// Name of the list: a-z, 0-9 and -.
    #[arg(long, value_name = "NAME")]
    id: String,
    /// Number of this edition; higher ones replace lower ones.
    #[arg(long, value_name = "N")]
    version: u64,
    /// Feeds: CSV with a header `algorithm,hex[,category][,quality]`, or lines of `pdq <hex>`.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    feed: Vec<PathBuf>,
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
    /// Print the manifest instead of a summary.
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
    let done = match Cli::parse().command {
        Command::Build(command) => command.run(),
        Command::Diff(command) => command.run(),
        Command::Pack(command) => command.run(),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "presend-publish", &mut script);
            print(&script)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("presend-publish: {message}");
            ExitCode::from(2)
        }
    }
}

impl Build {
    fn run(self) -> Result<(), String> {
        let feed = self.read_feeds()?;
        let parameters = Parameters {
            id: self.id.clone(),
            version: self.version,
            profile: self.profile.clone(),
            salt: self.salt,
        };
        let bar = ProgressBar::new(100).with_style(
            ProgressStyle::with_template("{bar:30} {percent} %, {eta} left")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        let built = publish::build_watched(&parameters, &feed, &mut |done| {
            bar.set_position((done * 100.0) as u64);
        });
        bar.finish_and_clear();
        let built = built.map_err(|error| error.to_string())?;
        let manifest = serde_json::to_string_pretty(&built.manifest)
            .map_err(|error| format!("the manifest cannot be written: {error}"))?;
        fs::create_dir_all(&self.out).map_err(|error| at(&self.out, &error))?;
        replace(&self.out.join(&built.manifest.file), &built.list)?;
        replace(&self.out.join("manifest.json"), format!("{manifest}\n").as_bytes())?;
        let text = if self.json { manifest } else { summary(&built) };
        print(format!("{text}\n").as_bytes())
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
