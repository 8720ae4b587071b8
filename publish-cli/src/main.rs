//! `presend-publish`: the list operator's command.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use presend::HashList;
use presend::list::delta;

mod build;
mod check;
mod explain;
mod ingest;
mod key;
mod release;
mod report;

/// Builds presend hash lists from feeds, signs and releases them.
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
    Build(build::Build),
    /// Write what changes from one edition of a list to the next.
    Diff(Diff),
    /// Write a list without what its readers can make themselves, to send it whole.
    Pack(Pack),
    /// Make keys to sign with: NAME.pem, which is private, and NAME.pub.
    Keygen(key::Keygen),
    /// Stage the first root of a repository, or the next one: who signs what.
    Root(release::Root),
    /// Stage a release of new lists, for the organisations to sign.
    Release(release::Release),
    /// Sign what is staged.
    Sign(release::Sign),
    /// Publish what is staged and has all its signatures.
    Finish(release::Finish),
    /// Renew the timestamp, so that clients know that nothing is held back from them.
    ///
    /// Exit code 0 when it was renewed, 1 when it was and people must soon sign something anew.
    Renew(release::Renew),
    /// Look at a repository as a client does, and at what is staged.
    ///
    /// Exit code 0 when nothing is wrong, 1 when something is.
    Check(check::Check),
    /// Write a page about a release and those before it.
    Report(report::Report),
    /// Write a completion script for a shell to standard output.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
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
        Command::Keygen(command) => command.run().map(good),
        Command::Root(command) => command.run().map(good),
        Command::Release(command) => command.run().map(good),
        Command::Sign(command) => command.run().map(good),
        Command::Finish(command) => command.run().map(good),
        Command::Renew(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Report(command) => command.run().map(good),
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

/// A bar on standard error, and only where somebody watches.
fn progress(what: &'static str) -> ProgressBar {
    ProgressBar::new(100).with_message(what).with_style(
        ProgressStyle::with_template("{msg} {bar:30} {percent} %, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}

/// A sign of life on standard error, and only where somebody watches.
fn working(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
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
