//! Opening and inspecting lists: files, and the stores that `presend-update` keeps.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Subcommand;
use presend::hash::Algorithm;
use presend::list::delta;
use presend::update::{Action, Release, Signers, Store};
use presend::{HashList, Verdict};
use serde_json::{Value, json};

use crate::{Failure, Outcome, input};

mod absent;

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
    /// Show that a picture is not listed, in any of the views that a scan may look at.
    ///
    /// Exit code 0 when no list holds it, 1 when one would match, 2 when it cannot be looked at.
    Absent(absent::Args),
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
    /// The list file, or a store.
    #[arg(value_name = "FILE|STORE")]
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
            Self::Absent(args) => args.run(),
            Self::Apply(apply) => apply.run(),
            Self::Unpack(unpack) => unpack.run(),
        }
    }
}

impl Args {
    fn info(&self) -> Result<Outcome, Failure> {
        let opened = Opened::at(&self.file)?;
        let list = &opened.list;
        let header = list.header();
        let algorithms: Vec<_> = list.algorithms().iter().map(Algorithm::name).collect();
        let mut out = io::stdout().lock();
        if self.json {
            let mut info = json!({
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
            if let Some(release) = &opened.release {
                info["release"] = release_json(&opened, release);
            }
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
            if let Some(release) = &opened.release {
                write_release(&mut out, &opened, release)?;
            }
        }
        Ok(Outcome::Clean)
    }

    fn verify(&self) -> Result<Outcome, Failure> {
        let Opened { list, .. } = Opened::at(&self.file)?;
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

/// What is signed beside the list of a store. The manifest stands as it is, whatever
/// it holds.
fn release_json(opened: &Opened, release: &Release) -> Value {
    let expires = release.expires.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    json!({
        "signers": release.signers,
        "expires": expires.map(|at| at.as_secs()),
        "stale": opened.is_stale(),
        "scope": serde_json::to_value(release.scope).ok(),
        "manifest": manifest(release),
    })
}

fn manifest(release: &Release) -> Option<Value> {
    serde_json::from_slice(release.manifest.as_ref()?).ok()
}

fn write_release(out: &mut impl Write, opened: &Opened, release: &Release) -> io::Result<()> {
    if let Some(Signers { threshold, signed, missing, .. }) = &release.signers {
        let names = |names: &[String]| match names {
            [] => "nobody".to_owned(),
            names => input::shown_text(&short(names.join(", "))),
        };
        writeln!(out, "signed by     {} ({threshold} have to)", names(signed))?;
        writeln!(out, "not signed by {}", names(missing))?;
    }
    if let Some(expires) = release.expires.and_then(|at| at.duration_since(UNIX_EPOCH).ok()) {
        let days = expires.as_secs() as i64 - now();
        let word = if opened.is_stale() { "stale for" } else { "fresh for" };
        writeln!(out, "{word}     {:.1} days", days.abs() as f64 / 86_400.0)?;
    }
    let scope = serde_json::to_value(release.scope).unwrap_or_default();
    let mut lines = Vec::new();
    say("asks for", &scope, &mut lines);
    match manifest(release) {
        Some(manifest) => say("manifest", &manifest, &mut lines),
        None => lines.push("the release has no manifest that can be read".to_owned()),
    }
    for line in lines.iter().take(MOST_LINES) {
        writeln!(out, "{line}")?;
    }
    if lines.len() > MOST_LINES {
        writeln!(out, "and more; --json has it all")?;
    }
    Ok(())
}

/// Each value on a line of its own, behind its path. A manifest may be of any kind,
/// so a few lines more than are shown are enough, and long ones end early.
fn say(path: &str, value: &Value, lines: &mut Vec<String>) {
    let said = match value {
        Value::Object(members) => {
            for (name, value) in members {
                if lines.len() <= MOST_LINES {
                    say(&short(format!("{path}.{name}")), value, lines);
                }
            }
            return;
        }
        Value::Null => return,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    lines.push(format!("{}  {}", input::shown_text(path), input::shown_text(&short(said))));
}

fn short(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MOST_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    text
}

const MOST_LINES: usize = 200;
const MOST_CHARS: usize = 200;

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
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

/// A list, and what is known of it beyond its own words if it lies in a store.
pub(crate) struct Opened {
    pub(crate) list: HashList,
    pub(crate) release: Option<Release>,
}

impl Opened {
    /// Opens a list file or the list of a store.
    fn at(path: &Path) -> Result<Self, Failure> {
        if !path.is_dir() {
            return Ok(Self { list: open(path)?, release: None });
        }
        if !path.join("current").is_file() {
            return Err(Failure::at(path, "not a store; `presend-update --store` fills one"));
        }
        // It may be replaced twice before it is mapped.
        let mut tries = 3;
        loop {
            tries -= 1;
            let release = Store::open(path).and_then(|store| store.release());
            let Some(release) = release.map_err(|error| Failure::at(path, error))? else {
                return Err(Failure::at(path, "no list yet; `presend-update` fetches it"));
            };
            match open(&release.list) {
                Err(_) if tries > 0 && !release.list.exists() => {}
                list => return Ok(Self { list: list?, release: Some(release) }),
            }
        }
    }

    /// Whether nobody has confirmed lately that there is no newer one.
    pub(crate) fn is_stale(&self) -> bool {
        let expires = self.release.as_ref().and_then(|release| release.expires);
        expires.is_some_and(|expires| expires <= SystemTime::now())
    }

    /// The most that the list's publisher wants to come of a match.
    pub(crate) fn most(&self) -> Option<Verdict> {
        self.release.as_ref()?.scope.action.map(|action| match action {
            Action::Warn => Verdict::Warn,
            Action::Ask => Verdict::Ask,
            _ => Verdict::Block,
        })
    }
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
pub(crate) fn open_all(paths: &[PathBuf]) -> Result<Vec<Opened>, Failure> {
    if paths.is_empty() {
        let list = HashList::open(DEMO_LIST).map_err(|error| Failure::new(error.to_string()))?;
        return Ok(vec![Opened { list, release: None }]);
    }
    paths.iter().map(|path| Opened::at(path)).collect()
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
