//! Opening and inspecting list files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use presend::HashList;
use presend::hash::Algorithm;
use presend::list::delta;
use serde_json::json;

use crate::{Failure, Outcome};

/// The official test picture, PNG.
pub(crate) const TEST_PICTURE: &[u8] = include_bytes!("../../hashlists/demo/test-picture.png");

/// The list that `scan` uses when none is named: the project's own pictures,
/// the test picture among them.
static DEMO_LIST: &[u8] = include_bytes!("../../hashlists/demo/demo.presend");

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print what a list says about itself.
    Info(Args),
    /// Read a whole list and compare it with its digest.
    Verify(Args),
    /// Make the next edition of a list from a delta.
    Apply(Apply),
    /// Make a list file of a packed list.
    Unpack(Unpack),
}

#[derive(clap::Args)]
pub(crate) struct Unpack {
    /// From `presend-publish pack`.
    packed: PathBuf,
    /// Where the list goes.
    list: PathBuf,
}

#[derive(clap::Args)]
pub(crate) struct Apply {
    /// The list there is.
    old: PathBuf,
    /// What has changed, from `presend-publish diff`.
    delta: PathBuf,
    /// Where the new list goes; it may be the old one's place.
    new: PathBuf,
}

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The list file.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        match self {
            Self::Info(args) => args.info(),
            Self::Verify(args) => args.verify(),
            Self::Apply(apply) => apply.run(),
            Self::Unpack(unpack) => unpack.run(),
        }
    }
}

impl Args {
    fn info(&self) -> Result<Outcome, Failure> {
        let list = open(&self.file)?;
        let header = list.header();
        let algorithms: Vec<_> = list.algorithms().iter().map(Algorithm::name).collect();
        let mut out = io::stdout().lock();
        if self.json {
            let info = json!({
                "id": list.id(),
                "version": list.version(),
                "profile": header.profile(),
                "band_bits": header.band_bits,
                "algorithms": algorithms,
                "near_entries": header.near_entries,
                "exact_entries": header.exact_entries,
                "fingerprints": header.fingerprints,
                "fingerprint_bits": header.fingerprint_bits(),
                "bytes": list.size(),
                "false_match_log2": header.false_match_log2(),
            });
            writeln!(out, "{info}")?;
        } else {
            writeln!(out, "id            {}", list.id())?;
            writeln!(out, "version       {}", list.version())?;
            writeln!(out, "profile       {} ({} bits a band)", header.profile(), header.band_bits)?;
            writeln!(out, "algorithms    {}", algorithms.join(", "))?;
            writeln!(out, "near entries  {}", header.near_entries)?;
            writeln!(out, "exact entries {}", header.exact_entries)?;
            let bits = header.fingerprint_bits();
            writeln!(out, "fingerprints  {} of {bits} bits", header.fingerprints)?;
            writeln!(out, "bytes         {}", list.size())?;
            let bound = header.false_match_log2();
            writeln!(out, "false match   at most 2^{bound:.1} in one whole scan, 64 frames long")?;
        }
        Ok(Outcome::Clean)
    }

    fn verify(&self) -> Result<Outcome, Failure> {
        let list = open(&self.file)?;
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(
                out,
                "{}",
                json!({ "id": list.id(), "version": list.version(), "verified": true })
            )?;
        } else {
            writeln!(out, "{} version {}: the digest matches", list.id(), list.version())?;
        }
        Ok(Outcome::Clean)
    }
}

impl Apply {
    fn run(&self) -> Result<Outcome, Failure> {
        let old = open(&self.old)?;
        let delta = fs::read(&self.delta).map_err(|error| Failure::at(&self.delta, error))?;
        let new = delta::apply(&old, &delta).map_err(|error| Failure::at(&self.delta, error))?;
        let list = install(&self.new, new)?;
        writeln!(
            io::stdout(),
            "{} version {} to version {}, {} bytes",
            list.id(),
            old.version(),
            list.version(),
            list.size()
        )?;
        Ok(Outcome::Clean)
    }
}

impl Unpack {
    fn run(&self) -> Result<Outcome, Failure> {
        let packed = fs::read(&self.packed).map_err(|error| Failure::at(&self.packed, error))?;
        let list = delta::unpack(&packed).map_err(|error| Failure::at(&self.packed, error))?;
        let list = install(&self.list, list)?;
        let (id, version, bytes) = (list.id(), list.version(), list.size());
        writeln!(io::stdout(), "{id} version {version}, {bytes} bytes")?;
        Ok(Outcome::Clean)
    }
}

/// Opens a list and then puts its file in its place.
fn install(path: &Path, contents: Vec<u8>) -> Result<HashList, Failure> {
    let contents = Arc::<[u8]>::from(contents);
    let list = HashList::open(contents.clone())
        .map_err(|error| Failure::new(format!("what came of it cannot be used: {error}")))?;
    replace(path, &contents).map_err(|error| Failure::at(path, error))?;
    Ok(list)
}

/// Replaces the file by a rename: whoever has it mapped keeps the old one, and
/// whoever loses power has one or the other.
fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::other("not the name of a file"))?;
    let mut name = name.to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let write = || {
        let mut file = File::create_new(&new)?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().inspect_err(|error| {
        if error.kind() != io::ErrorKind::AlreadyExists {
            // Best effort: the error itself is what matters.
            let _ = fs::remove_file(&new);
        }
    })
}

/// Maps and opens a list file, checked to the last bit.
fn open(path: &Path) -> Result<HashList, Failure> {
    let file = File::open(path).map_err(|error| Failure::at(path, error))?;
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(Failure::at(path, "not a list file"));
    }
    let map = map(&file).map_err(|error| Failure::at(path, error))?;
    HashList::open(map).map_err(|error| Failure::at(path, error))
}

/// The lists to scan with; the demonstration list when none is named.
pub(crate) fn open_all(paths: &[PathBuf]) -> Result<Vec<HashList>, Failure> {
    if paths.is_empty() {
        let list = HashList::open(DEMO_LIST).map_err(|error| Failure::new(error.to_string()))?;
        return Ok(vec![list]);
    }
    paths.iter().map(|path| open(path)).collect()
}

fn map(file: &File) -> io::Result<memmap2::Mmap> {
    #[expect(unsafe_code, reason = "mapping a file has no safe form")]
    // SAFETY: the mapped bytes do not change while they are borrowed, because
    // list files are only ever replaced by a rename; hashlists/README.md asks
    // that of whoever installs them.
    unsafe {
        memmap2::Mmap::map(file)
    }
}
