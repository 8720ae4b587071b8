//! `presend-publish root`, `release`, `sign`, `finish` and `renew`: from a built
//! list to what clients fetch.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Args;
use presend::hash::views::ViewSet;
use presend::list::manifest::Manifest;
use presend::publish::repository::{Progress, Published};
use presend::publish::{Edition, Repository, Roles, Scope};
use serde_json::json;

use crate::key::{Keys, read_public};
use crate::{at, print, working};

#[derive(Args)]
pub(crate) struct Root {
    /// The repository; made when it is not there.
    #[arg(long, value_name = "DIR")]
    repository: PathBuf,
    /// Who signs what: roles, keys, thresholds and expiry.
    #[arg(long, value_name = "FILE")]
    roles: PathBuf,
    /// Throw away a root that is staged, with its signatures.
    #[arg(long)]
    replace: bool,
    /// Print what is to be signed as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Release {
    /// The repository.
    #[arg(long, value_name = "DIR")]
    repository: PathBuf,
    /// Folder that `build` wrote, and perhaps a Sigsum proof ID.sigsum beside the list; may be
    /// repeated. Without one, what is released only gets a later expiry.
    #[arg(long = "list", value_name = "DIR")]
    lists: Vec<PathBuf>,
    /// What clients are asked to do at most when they find something of these lists [default:
    /// as before].
    #[arg(long, value_name = "warn|ask|block", value_parser = ["warn", "ask", "block"])]
    action: Option<String>,
    /// How many views of a picture they are asked to look up at most [default: as before].
    #[arg(long, value_name = "1|9|25", value_parser = views)]
    views: Option<u8>,
    /// How many keys they are asked to try for a scan at most [default: as before].
    #[arg(long, value_name = "N")]
    probes: Option<u64>,
    /// Throw away a release that is staged, with its signatures.
    #[arg(long)]
    replace: bool,
    /// Print what was staged as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Sign {
    /// The repository, or a copy of it.
    #[arg(long, value_name = "DIR")]
    repository: PathBuf,
    #[command(flatten)]
    keys: Keys,
    /// Take the signatures from a copy of a staged document that was signed elsewhere; may be
    /// repeated.
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// Print who has signed as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Finish {
    #[command(flatten)]
    online: Online,
}

#[derive(Args)]
pub(crate) struct Renew {
    #[command(flatten)]
    online: Online,
}

/// What needs the online keys: those of the snapshot and of the timestamp.
#[derive(Args)]
struct Online {
    /// The repository.
    #[arg(long, value_name = "DIR")]
    repository: PathBuf,
    #[command(flatten)]
    keys: Keys,
    /// Print what was published as JSON.
    #[arg(long)]
    json: bool,
}

impl Root {
    pub(crate) fn run(self) -> Result<(), String> {
        let roles = read_roles(&self.roles)?;
        let repository = open(&self.repository)?;
        let staged = repository.stage_root(&roles, SystemTime::now(), self.replace);
        staged.map_err(|error| at(&self.repository, &error))?;
        self.say(&repository)
    }

    fn say(&self, repository: &Repository) -> Result<(), String> {
        say_progress(repository.progress(), &self.repository, self.json)
    }
}

impl Release {
    pub(crate) fn run(self) -> Result<(), String> {
        let editions: Result<Vec<Edition>, String> =
            self.lists.iter().map(|folder| read_edition(folder)).collect();
        let editions = editions?;
        let repository = open(&self.repository)?;
        let mut scope = Scope::default();
        scope.action.clone_from(&self.action);
        (scope.views, scope.probes) = (self.views, self.probes);
        let bar = working("packing and comparing");
        let staged = repository.stage_release(&editions, &scope, SystemTime::now(), self.replace);
        bar.finish_and_clear();
        let staged = staged.map_err(|error| at(&self.repository, &error))?;
        let progress = repository.progress().map_err(|error| at(&self.repository, &error))?;
        if self.json {
            let staged = json!({ "staged": staged, "signing": progress });
            return print(format!("{staged:#}\n").as_bytes());
        }
        let mut text = String::new();
        for list in &staged.lists {
            let deltas: Vec<String> = list
                .deltas
                .iter()
                .map(|(from, bytes)| format!("from version {from} {bytes}"))
                .collect();
            let deltas = if deltas.is_empty() { "none".to_owned() } else { deltas.join(", ") };
            text += &format!(
                "{} version {}: {} bytes, packed {}, deltas: {deltas}\n",
                list.id, list.version, list.bytes, list.packed
            );
        }
        print(format!("{text}{}", lines(&progress)).as_bytes())
    }
}

impl Sign {
    pub(crate) fn run(self) -> Result<(), String> {
        if self.keys.is_empty() && self.from.is_empty() {
            return Err("name a key by --key, or a signed copy by --from".to_owned());
        }
        let keys = self.keys.read()?;
        let repository = open(&self.repository)?;
        for path in &self.from {
            let copy = fs::read(path).map_err(|error| at(path, &error))?;
            repository.merge(&copy).map_err(|error| at(path, &error))?;
        }
        say_progress(repository.sign(&keys, SystemTime::now()), &self.repository, self.json)
    }
}

impl Finish {
    pub(crate) fn run(self) -> Result<(), String> {
        self.online.run(Repository::finish).map(|_| ())
    }
}

impl Renew {
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        let published = self.online.run(Repository::renew)?;
        Ok(ExitCode::from(u8::from(!published.due.is_empty())))
    }
}

impl Online {
    fn run(
        self,
        publish: impl FnOnce(
            &Repository,
            &[presend::publish::PrivateKey],
            SystemTime,
        ) -> Result<Published, presend::publish::RepositoryError>,
    ) -> Result<Published, String> {
        let keys = self.keys.read()?;
        let repository = open(&self.repository)?;
        let bar = working("verifying as a client");
        let published = publish(&repository, &keys, SystemTime::now());
        bar.finish_and_clear();
        let published = published.map_err(|error| at(&self.repository, &error))?;
        if self.json {
            print(format!("{:#}\n", json!(published)).as_bytes())?;
        } else {
            print(summary(&published).as_bytes())?;
        }
        Ok(published)
    }
}

fn summary(published: &Published) -> String {
    let root = published.root.map_or(String::new(), |root| format!("root {root}, "));
    let mut text = format!(
        "published: {root}targets {}, snapshot {}, timestamp {}; {} old files removed\n",
        published.targets, published.snapshot, published.timestamp, published.pruned
    );
    if published.rough {
        text += "a client that was fetching just now may be turned away once: the keys that went have not signed once more\n";
    }
    for (role, days) in &published.due {
        let how = if role == "root" { "`root`" } else { "`release`" };
        text += &format!(
            "{role} expires in {days} days: stage it anew with {how} and have it signed\n"
        );
    }
    text
}

fn say_progress(
    progress: Result<Vec<Progress>, presend::publish::RepositoryError>,
    repository: &Path,
    json: bool,
) -> Result<(), String> {
    let progress = progress.map_err(|error| at(repository, &error))?;
    let text = if json { format!("{:#}\n", json!(progress)) } else { lines(&progress) };
    print(text.as_bytes())
}

pub(crate) fn lines(progress: &[Progress]) -> String {
    let mut text: String = progress.iter().map(|one| format!("staged/{}\n", line(one))).collect();
    if !progress.is_empty() && progress.iter().all(|one| one.enough) {
        text += "everything staged is signed: `finish` publishes it\n";
    }
    text
}

/// `2.targets.json by root 1: 1 of 2 signatures: Example Hotline; to sign: ...`
pub(crate) fn line(progress: &Progress) -> String {
    let Progress { document, root, signed, missing, threshold, .. } = progress;
    let names = |what: &str, names: &[String]| match names {
        [] => String::new(),
        names => format!("{what}{}", names.join(", ")),
    };
    format!(
        "{document} by root {root}: {} of {threshold} signatures{}{}",
        signed.len(),
        names(": ", signed),
        names("; may sign: ", missing)
    )
}

/// Reads a file of roles and, from its folder, the public keys that it names.
pub(crate) fn read_roles(path: &Path) -> Result<Roles, String> {
    let text = fs::read_to_string(path).map_err(|error| at(path, &error))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    Roles::parse(&text, |name| read_public(&folder.join(name))).map_err(|error| at(path, &error))
}

fn read_edition(folder: &Path) -> Result<Edition, String> {
    let path = folder.join("manifest.json");
    let bytes = fs::read(&path).map_err(|error| at(&path, &error))?;
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|_| at(&path, &"not a manifest as `build` writes it"))?;
    let list = folder.join(format!("{}.presend", manifest.id));
    let proof = folder.join(format!("{}.sigsum", manifest.id));
    Ok(Edition {
        list: fs::read(&list).map_err(|error| at(&list, &error))?,
        manifest: bytes,
        proof: match proof.exists() {
            true => Some(fs::read(&proof).map_err(|error| at(&proof, &error))?),
            false => None,
        },
    })
}

fn open(path: &Path) -> Result<Repository, String> {
    Repository::open(path).map_err(|error| at(path, &error))
}

pub(crate) fn open_read_only(path: &Path) -> Result<Repository, String> {
    Repository::open_read_only(path).map_err(|error| at(path, &error))
}

fn views(name: &str) -> Result<u8, String> {
    let known: Vec<&str> = ViewSet::ALL.into_iter().map(ViewSet::name).collect();
    let number = known.contains(&name).then(|| name.parse().ok()).flatten();
    number.ok_or_else(|| format!("the sets of views are {}", known.join(", ")))
}
