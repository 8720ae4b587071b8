//! A TUF repository in a folder, as its publisher writes it.
//!
//! | path | what |
//! |---|---|
//! | `metadata/N.root.json`, `N.targets.json`, `N.snapshot.json`, `timestamp.json` | what clients fetch |
//! | `targets/SHA256.NAME` | the files that targets metadata names |
//! | `staged/N.root.json`, `N.targets.json`, `targets/` | the next root or release, while people sign |
//! | `lock` | locked by whoever writes |
//!
//! A half-signed release is never where clients fetch: [`Repository::finish`]
//! verifies the whole as a client would before it writes anything, adds files
//! under names that no client knows yet, and last replaces the timestamp by a
//! rename. Whatever breaks off before leaves the old release.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::build::encode_hex;
use super::key::PrivateKey;
use super::roles::{self, Roles, SPECIFICATION};
use crate::update::tuf::signing::{self, canonical};
use crate::update::tuf::{self, Role, TargetName, Trusted, TufError};
use crate::update::{FetchError, Folder, Transport};

/// A repository that nobody else writes to while this is there.
pub struct Repository {
    folder: PathBuf,
    is_read_only: bool,
    /// None for a copy to look at, which has no lock.
    _lock: Option<File>,
}

/// Without the path.
impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Repository(..)")
    }
}

/// The repository cannot do this; what clients fetch is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RepositoryError {
    /// A file could not be read or written.
    #[error("{file}: {reason}")]
    File {
        /// Its path in the repository.
        file: String,
        /// What the system said.
        reason: io::ErrorKind,
    },
    /// A file is not what its name says.
    #[error("{0} is not metadata, or damaged; take it from a copy of the repository")]
    Damaged(String),
    /// There is no root, staged or published.
    #[error("the repository has no root yet; make one with `root`")]
    NoRoot,
    /// Nothing was ever released, and nothing is staged.
    #[error("nothing is released yet; stage a release with `release`")]
    NoRelease,
    /// What is staged has something in it that presend does not stage.
    #[error("do not sign it: {0}")]
    Foreign(String),
    /// Nothing waits to be signed.
    #[error("nothing is staged; `root` and `release` stage something")]
    NothingStaged,
    /// What is staged would lose signatures.
    #[error(
        "staged/{0} has signatures; finish it first, or say --replace to throw them away with it"
    )]
    Signed(String),
    /// The key signs nothing of what is staged.
    #[error(
        "a key is in no role that signs what is staged: is it the right file, or has the root no such key?"
    )]
    OtherKey,
    /// The document signed elsewhere is not the one that is staged.
    #[error("the file is not a copy of what is staged; sign a fresh copy")]
    OtherDocument,
    /// Too few have signed.
    #[error(
        "staged/{document} has {signed} of {threshold} signatures that it needs by root {root}; let the others `sign`"
    )]
    Short {
        /// The document's name.
        document: String,
        /// Signatures that count.
        signed: usize,
        /// Signatures that it needs.
        threshold: u64,
        /// The version of the root that says so.
        root: u64,
    },
    /// Too few of an online role's keys were given.
    #[error("the {0} role needs more of its keys; name them by --key")]
    Keys(String),
    /// A new root takes keys away that the released targets need.
    #[error(
        "by the new root, too few have signed the released targets; stage them again with `release`, without a list if none is new"
    )]
    TargetsBehind,
    /// A client would not take what would be published.
    #[error("nothing is published, because a client would refuse it: {0}")]
    Client(TufError),
    /// A list cannot be released.
    #[error("{0}")]
    List(String),
    /// The clock is before 1970.
    #[error("the clock of this machine is wrong")]
    Clock,
}

type Result<T> = std::result::Result<T, RepositoryError>;

/// A metadata document and its version.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) version: u64,
    pub(super) bytes: Vec<u8>,
}

/// What clients fetch now.
#[derive(Debug, Default)]
pub(super) struct Current {
    pub(super) root: Option<Document>,
    pub(super) targets: Option<Document>,
    pub(super) snapshot: Option<Document>,
    pub(super) timestamp: Option<Document>,
}

/// How far the signing of a document has come.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Progress {
    /// The document: `2.targets.json`.
    pub document: String,
    /// The version of the root whose keys are meant.
    pub root: u64,
    /// Organisations that have signed.
    pub signed: Vec<String>,
    /// Organisations that may still sign.
    pub missing: Vec<String>,
    /// How many have to.
    pub threshold: u64,
    /// Whether that is enough.
    pub enough: bool,
}

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Published {
    /// The root's version, when it is new.
    pub root: Option<u64>,
    /// The version of the targets.
    pub targets: u64,
    /// The version of the snapshot.
    pub snapshot: u64,
    /// The version of the timestamp.
    pub timestamp: u64,
    /// Whether a client that is fetching at this moment may have to try again:
    /// a new root takes keys away, and the old ones have not signed once more.
    pub rough: bool,
    /// Old files that were removed.
    pub pruned: usize,
    /// Roles that people must sign anew, and the whole days that are left.
    pub due: BTreeMap<String, u64>,
}

impl Repository {
    /// Opens the repository in a folder, and makes the folder when it is not there.
    /// Waits while another process has it open.
    ///
    /// # Errors
    /// Whatever kept the folder from being made.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self> {
        let folder = folder.into();
        let lock = || {
            fs::create_dir_all(&folder)?;
            let lock = File::options().create(true).append(true).open(folder.join("lock"))?;
            lock.lock()?;
            Ok(lock)
        };
        let lock = lock().map_err(|error| failed("lock", &error))?;
        Ok(Self { folder, is_read_only: false, _lock: Some(lock) })
    }

    /// Opens a repository, or a copy of one, to look at it: writes nothing, not even
    /// a lock, and whatever would write fails. Waits while another process writes.
    ///
    /// # Errors
    /// Whatever kept the folder from being read, its absence among it.
    pub fn open_read_only(folder: impl Into<PathBuf>) -> Result<Self> {
        let folder = folder.into();
        fs::read_dir(&folder).map_err(|error| failed("the repository", &error))?;
        let lock = match File::open(folder.join("lock")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            lock => lock.and_then(|lock| lock.lock_shared().map(|()| Some(lock))),
        };
        let lock = lock.map_err(|error| failed("lock", &error))?;
        Ok(Self { folder, is_read_only: true, _lock: lock })
    }

    /// Stages the next root, which nobody has signed: the first one, or one that
    /// follows the last.
    ///
    /// # Errors
    /// [`RepositoryError::Signed`] if one is staged with signatures and `replace`
    /// does not say that it goes.
    pub fn stage_root(&self, roles: &Roles, now: SystemTime, replace: bool) -> Result<String> {
        let version = self.current()?.root.map_or(0, |root| root.version) + 1;
        let expires = signing::expiry(now, roles.root_days()).ok_or(RepositoryError::Clock)?;
        self.stage("root", &roles.root(version, &expires), replace)
    }

    /// Whether the root that counts next, staged or published, says what these
    /// roles say; only its version and its expiry are not theirs.
    ///
    /// # Errors
    /// [`RepositoryError::NoRoot`].
    pub fn root_says(&self, roles: &Roles) -> Result<bool> {
        let (root, expected) = (self.next_root()?, roles.root(0, ""));
        let fields = |root: &Value| {
            let mut root = root.clone();
            (root["version"], root["expires"]) = (Value::Null, Value::Null);
            root
        };
        Ok(fields(&root) == fields(&expected))
    }

    /// [`Self::stage`] with the files that the document names, in place of those of
    /// the one before.
    pub(super) fn stage_with(
        &self,
        role: &str,
        signed: &Value,
        replace: bool,
        files: &[(String, Vec<u8>)],
    ) -> Result<String> {
        for (name, bytes) in files {
            self.write(&format!("staged/targets/{name}"), bytes)?;
        }
        let document = self.stage(role, signed, replace)?;
        for name in self.names("staged/targets")? {
            if !files.iter().any(|(new, _)| *new == name) {
                self.remove(&format!("staged/targets/{name}"))?;
            }
        }
        Ok(document)
    }

    /// Puts a document without signatures into `staged/` and says its name.
    pub(super) fn stage(&self, role: &str, signed: &Value, replace: bool) -> Result<String> {
        if let Some(old) = self.staged(role)? {
            let name = format!("{}.{role}.json", old.version);
            let is_signed = parsed(&name, &old.bytes)?.1.iter().any(|_| true);
            if is_signed && !replace {
                return Err(RepositoryError::Signed(name));
            }
            self.remove(&format!("staged/{name}"))?;
        }
        let name = format!("{}.{role}.json", signed["version"]);
        self.write(&format!("staged/{name}"), &written(signed, &[]))?;
        Ok(name)
    }

    /// Adds the signatures of these keys to what is staged, and says how far its
    /// signing has come.
    ///
    /// # Errors
    /// [`RepositoryError::OtherKey`] for a key that none of it is signed by, and
    /// [`RepositoryError::Foreign`] for what presend would not have staged so.
    pub fn sign(&self, keys: &[PrivateKey], now: SystemTime) -> Result<Vec<Progress>> {
        self.refuse_foreign(now)?;
        let mut used = vec![false; keys.len()];
        let mut files = Vec::new();
        for (role, staged, roots) in self.staged_documents()? {
            let name = format!("{}.{role}.json", staged.version);
            let (signed, mut signatures) = parsed(&name, &staged.bytes)?;
            for (key, used) in keys.iter().zip(&mut used) {
                for root in &roots {
                    if let Some(id) = key_id(root, role, key)? {
                        *used = true;
                        add_signature(&mut signatures, &signed, &id, key)?;
                    }
                }
            }
            files.push((format!("staged/{name}"), written(&signed, &signatures)));
        }
        if used.contains(&false) {
            return Err(RepositoryError::OtherKey);
        }
        for (path, bytes) in files {
            self.write(&path, &bytes)?;
        }
        self.progress()
    }

    fn refuse_foreign(&self, now: SystemTime) -> Result<()> {
        match self.foreign(now)?.into_iter().next() {
            Some(what) => Err(RepositoryError::Foreign(what)),
            None => Ok(()),
        }
    }

    /// Takes the signatures from a copy of a staged document that was signed
    /// elsewhere, and says how far its signing has come. What does not verify is
    /// left out.
    ///
    /// # Errors
    /// [`RepositoryError::OtherDocument`] for anything else.
    pub fn merge(&self, copy: &[u8]) -> Result<Vec<Progress>> {
        let (theirs, more) = parsed("copy", copy).map_err(|_| RepositoryError::OtherDocument)?;
        for (role, staged, roots) in self.staged_documents()? {
            let name = format!("{}.{role}.json", staged.version);
            let (signed, mut signatures) = parsed(&name, &staged.bytes)?;
            if signed != theirs {
                continue;
            }
            for signature in &more {
                let alone = written(&signed, std::slice::from_ref(signature));
                let counts = |root: &Document| {
                    signing::signed(role, &alone, &root.bytes)
                        .is_ok_and(|signed| signed.by.iter().any(|(_, has)| *has))
                };
                let is_there = signatures.iter().any(|s| s["keyid"] == signature["keyid"]);
                if !is_there && roots.iter().any(counts) {
                    signatures.push(signature.clone());
                }
            }
            self.write(&format!("staged/{name}"), &written(&signed, &signatures))?;
            return self.progress();
        }
        Err(RepositoryError::OtherDocument)
    }

    /// How far the signing of what is staged has come, document by document and
    /// root by root.
    ///
    /// # Errors
    /// [`RepositoryError::NothingStaged`].
    pub fn progress(&self) -> Result<Vec<Progress>> {
        let mut progress = Vec::new();
        for (role, staged, roots) in self.staged_documents()? {
            // A root needs the keys of both; targets those of the newest.
            let skip = if role == "root" { 0 } else { roots.len() - 1 };
            for root in &roots[skip..] {
                progress.push(progress_of(role, &staged, root)?);
            }
        }
        Ok(progress)
    }

    /// Publishes what is staged: signs a snapshot and a timestamp with the online
    /// keys and puts everything where clients fetch, the timestamp last. Where a
    /// root changes online keys, the old ones should sign too, so that no client
    /// is turned away while files are being replaced.
    ///
    /// # Errors
    /// [`RepositoryError`] says what is missing; nothing is published then.
    pub fn finish(&self, keys: &[PrivateKey], now: SystemTime) -> Result<Published> {
        let current = self.current()?;
        self.refuse_foreign(now)?;
        let (root, targets) = (self.staged("root")?, self.staged("targets")?);
        for Progress { document, root, signed, threshold, enough, .. } in self.progress()? {
            if !enough {
                let signed = signed.len();
                return Err(RepositoryError::Short { document, signed, threshold, root });
            }
        }
        self.publish(current, root, targets, true, keys, now)
    }

    /// Renews the timestamp, and the snapshot when half of its time is over; what
    /// is staged stays staged.
    ///
    /// # Errors
    /// [`RepositoryError`] says what is missing; nothing is published then.
    pub fn renew(&self, keys: &[PrivateKey], now: SystemTime) -> Result<Published> {
        let current = self.current()?;
        let root = current.root.as_ref().ok_or(RepositoryError::NoRoot)?;
        let days = roles::days(&parsed("root", &root.bytes)?.0, "snapshot");
        let left = current.snapshot.as_ref().and_then(|snapshot| snapshot.left(now));
        let is_old = left.is_none_or(|left| left < days * DAY / 2);
        self.publish(current, None, None, is_old, keys, now)
    }

    fn publish(
        &self,
        current: Current,
        new_root: Option<Document>,
        new_targets: Option<Document>,
        new_snapshot: bool,
        keys: &[PrivateKey],
        now: SystemTime,
    ) -> Result<Published> {
        let root = new_root.as_ref().or(current.root.as_ref()).ok_or(RepositoryError::NoRoot)?;
        let targets = new_targets.as_ref().or(current.targets.as_ref());
        let targets = targets.ok_or(RepositoryError::NoRelease)?;
        if !progress_of("targets", targets, root)?.enough {
            return Err(RepositoryError::TargetsBehind);
        }
        let roots: Vec<&Document> = current.root.iter().chain([root]).collect();
        let online = |role: &str, meta: Value| -> Result<Document> {
            let signed = parsed("root", &root.bytes)?.0;
            let expires = signing::expiry(now, roles::days(&signed, role));
            let version = self.highest(role)?.max(current.version(role)) + 1;
            let signed = json!({
                "_type": role,
                "spec_version": SPECIFICATION,
                "version": version,
                "expires": expires.ok_or(RepositoryError::Clock)?,
                "meta": meta,
            });
            let mut signatures = Vec::new();
            for (key, root) in keys.iter().flat_map(|key| roots.iter().map(move |r| (key, r))) {
                if let Some(id) = key_id(root, role, key)? {
                    add_signature(&mut signatures, &signed, &id, key)?;
                }
            }
            let document = Document { version, bytes: written(&signed, &signatures) };
            if progress_of(role, &document, root)?.enough {
                Ok(document)
            } else {
                Err(RepositoryError::Keys(role.to_owned()))
            }
        };
        let snapshot = match current.snapshot.as_ref().filter(|_| !new_snapshot) {
            Some(snapshot) => snapshot.clone(),
            None => online("snapshot", json!({ "targets.json": targets.facts() }))?,
        };
        let timestamp = online("timestamp", json!({ "snapshot.json": snapshot.facts() }))?;

        let mut after = Prospect::new(&self.folder);
        after.put(format!("metadata/{}.targets.json", targets.version), &targets.bytes);
        after.put(format!("metadata/{}.snapshot.json", snapshot.version), &snapshot.bytes);
        after.put("metadata/timestamp.json".to_owned(), &timestamp.bytes);
        let first = self.read("metadata/1.root.json")?.unwrap_or_else(|| root.bytes.clone());
        // Who has not seen the new root yet.
        let smooth =
            new_root.is_none() || current.timestamp.is_none() || after.verify(&first, now).is_ok();
        after.put(format!("metadata/{}.root.json", root.version), &root.bytes);
        after.verify(&first, now).map_err(RepositoryError::Client)?;

        if new_targets.is_some() {
            self.unstage_targets()?;
        }
        self.add("targets", targets)?;
        self.add("snapshot", &snapshot)?;
        // A first root comes before what it vouches for.
        let root_first = !smooth || current.timestamp.is_none();
        if root_first {
            self.add("root", root)?;
        }
        self.write("metadata/timestamp.json", &timestamp.bytes)?;
        self.add("root", root)?;
        for (role, new) in [("root", &new_root), ("targets", &new_targets)] {
            if let Some(new) = new {
                self.remove(&format!("staged/{}.{role}.json", new.version))?;
            }
        }
        Ok(Published {
            root: new_root.as_ref().map(|root| root.version),
            targets: targets.version,
            snapshot: snapshot.version,
            timestamp: timestamp.version,
            rough: !smooth,
            pruned: self.prune()?,
            due: self.due(now)?,
        })
    }

    /// Root and targets of which less than a quarter of their time is left.
    fn due(&self, now: SystemTime) -> Result<BTreeMap<String, u64>> {
        let current = self.current()?;
        let Some(root) = &current.root else { return Ok(BTreeMap::new()) };
        let signed = parsed("root", &root.bytes)?.0;
        let mut due = BTreeMap::new();
        for (role, document) in [("root", Some(root)), ("targets", current.targets.as_ref())] {
            let left = document.and_then(|document| document.left(now));
            if let Some(left) = left.filter(|left| left * 4 < roles::days(&signed, role) * DAY) {
                due.insert(role.to_owned(), left / DAY);
            }
        }
        Ok(due)
    }

    /// Removes what no client needs any more. Roots stay because new clients walk
    /// along them; targets metadata and manifests because they say who signed
    /// what.
    fn prune(&self) -> Result<usize> {
        let current = self.current()?;
        let mut targets = self.versions("targets")?;
        let mut keep: BTreeSet<String> = BTreeSet::new();
        targets.retain(|version| *version <= current.version("targets"));
        for (age, version) in targets.iter().rev().enumerate() {
            let name = format!("metadata/{version}.targets.json");
            let Some(bytes) = self.read(&name)? else { continue };
            for (target, facts) in target_facts(&parsed(&name, &bytes)?.0) {
                if age < KEPT || target.ends_with(".manifest.json") {
                    keep.insert(file_name(&target, &facts));
                }
            }
        }
        keep.extend(self.anchors(&current)?);
        let mut pruned = 0;
        for name in self.names("targets")? {
            if !keep.contains(&name) {
                self.remove(&format!("targets/{name}"))?;
                pruned += 1;
            }
        }
        let newest = current.version("snapshot");
        for version in self.versions("snapshot")? {
            if version + KEPT as u64 <= newest {
                self.remove(&format!("metadata/{version}.snapshot.json"))?;
                pruned += 1;
            }
        }
        Ok(pruned)
    }

    /// What clients fetch now, as far as there is anything.
    pub(super) fn current(&self) -> Result<Current> {
        let mut current = Current::default();
        for version in 1.. {
            let Some(bytes) = self.read(&format!("metadata/{version}.root.json"))? else { break };
            current.root = Some(Document { version, bytes });
        }
        let Some(bytes) = self.read("metadata/timestamp.json")? else { return Ok(current) };
        let (signed, _) = parsed("metadata/timestamp.json", &bytes)?;
        current.timestamp = Some(Document { version: number(&signed["version"]), bytes });
        let next = |signed: &Value, role: &str| -> Result<Document> {
            let version = number(&signed["meta"][format!("{role}.json")]["version"]);
            let name = format!("metadata/{version}.{role}.json");
            let bytes = self.read(&name)?.ok_or(RepositoryError::Damaged(name))?;
            Ok(Document { version, bytes })
        };
        let snapshot = next(&signed, "snapshot")?;
        let (signed, _) = parsed("the snapshot", &snapshot.bytes)?;
        current.targets = Some(next(&signed, "targets")?);
        current.snapshot = Some(snapshot);
        Ok(current)
    }

    /// The document of that role which waits for signatures.
    pub(super) fn staged(&self, role: &str) -> Result<Option<Document>> {
        let current = self.current()?;
        for name in self.names("staged")? {
            let version = name.strip_suffix(&format!(".{role}.json")).map(str::parse::<u64>);
            let Some(Ok(version)) = version else { continue };
            let path = format!("staged/{name}");
            // Left there by a kill at the very end.
            if version <= current.version(role) {
                if !self.is_read_only {
                    self.remove(&path)?;
                }
                continue;
            }
            let bytes = self.read(&path)?.ok_or_else(|| RepositoryError::Damaged(path.clone()))?;
            parsed(&path, &bytes)?;
            return Ok(Some(Document { version, bytes }));
        }
        Ok(None)
    }

    /// What is staged, each with the roots whose keys sign it, the newest last.
    fn staged_documents(&self) -> Result<Vec<(&'static str, Document, Vec<Document>)>> {
        let root = self.staged("root")?;
        let mut roots: Vec<Document> = self.current()?.root.into_iter().collect();
        roots.extend(root.clone());
        let staged = [("root", root), ("targets", self.staged("targets")?)];
        let staged: Vec<_> = staged
            .into_iter()
            .filter_map(|(role, document)| Some((role, document?, roots.clone())))
            .collect();
        if staged.is_empty() { Err(RepositoryError::NothingStaged) } else { Ok(staged) }
    }

    /// The `signed` part of the root that counts next.
    pub(super) fn next_root(&self) -> Result<Value> {
        let root = match self.staged("root")? {
            Some(root) => Some(root),
            None => self.current()?.root,
        };
        let root = root.ok_or(RepositoryError::NoRoot)?;
        Ok(parsed("root", &root.bytes)?.0)
    }

    /// Versions of a role's metadata that are there, ascending.
    pub(super) fn versions(&self, role: &str) -> Result<Vec<u64>> {
        let ending = format!(".{role}.json");
        let names = self.names("metadata")?;
        let versions = names.iter().filter_map(|name| name.strip_suffix(&ending)?.parse().ok());
        let mut versions: Vec<u64> = versions.collect();
        versions.sort_unstable();
        Ok(versions)
    }

    /// No version is used twice, not even one that was never published: somebody
    /// may have copied it.
    pub(super) fn highest(&self, role: &str) -> Result<u64> {
        Ok(self.versions(role)?.last().copied().unwrap_or(0))
    }

    /// A file of `targets/` or of those that are staged, if it is the one meant.
    pub(super) fn target(&self, name: &str, facts: &Value) -> Result<Vec<u8>> {
        let file = file_name(name, facts);
        let bytes = match self.read(&format!("staged/targets/{file}"))? {
            Some(bytes) => Some(bytes),
            None => self.read(&format!("targets/{file}"))?,
        };
        let bytes = bytes.filter(|bytes| facts["length"] == json!(bytes.len()));
        let digest = |bytes: &Vec<u8>| encode_hex(&Sha256::digest(bytes));
        let bytes = bytes.filter(|bytes| facts["hashes"]["sha256"] == json!(digest(bytes)));
        bytes.ok_or(RepositoryError::Damaged(format!("targets/{file}")))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn unstage_targets(&self) -> Result<()> {
        let folder = self.folder.join("targets");
        fs::create_dir_all(&folder).map_err(|error| failed("targets", &error))?;
        for name in self.names("staged/targets")? {
            let from = self.folder.join("staged/targets").join(&name);
            fs::rename(from, folder.join(&name)).map_err(|error| failed(&name, &error))?;
        }
        sync_folder(&folder).map_err(|error| failed("targets", &error))
    }

    /// Puts a versioned document where clients fetch, unless it is there.
    fn add(&self, role: &str, document: &Document) -> Result<()> {
        let path = format!("metadata/{}.{role}.json", document.version);
        match self.read(&path)? {
            Some(bytes) if bytes == document.bytes => Ok(()),
            _ => self.write(&path, &document.bytes),
        }
    }

    pub(super) fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        match fs::read(self.folder.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(path, &error)),
        }
    }

    /// Replaces a file by a rename.
    fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let at = self.folder.join(path);
        let write = || {
            self.refuse_read_only()?;
            let folder = at.parent().unwrap_or(&self.folder);
            fs::create_dir_all(folder)?;
            let part = self.folder.join("part");
            let mut file = File::create(&part)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(part, &at)?;
            sync_folder(folder)
        };
        write().map_err(|error| failed(path, &error))
    }

    fn remove(&self, path: &str) -> Result<()> {
        match self.refuse_read_only().and_then(|()| fs::remove_file(self.folder.join(path))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, &error)),
            _ => Ok(()),
        }
    }

    fn refuse_read_only(&self) -> io::Result<()> {
        match self.is_read_only {
            true => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            false => Ok(()),
        }
    }

    /// The files of a folder, none if it is not there.
    fn names(&self, folder: &str) -> Result<Vec<String>> {
        let entries = match fs::read_dir(self.folder.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(folder, &error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| failed(folder, &error))?;
            if entry.file_type().is_ok_and(|of| of.is_file()) {
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort();
        Ok(names)
    }
}

impl Current {
    pub(super) fn version(&self, role: &str) -> u64 {
        let document = match role {
            "root" => &self.root,
            "targets" => &self.targets,
            "snapshot" => &self.snapshot,
            _ => &self.timestamp,
        };
        document.as_ref().map_or(0, |document| document.version)
    }
}

impl Document {
    /// What other metadata says of this one.
    fn facts(&self) -> Value {
        let mut meta = facts(&self.bytes);
        meta["version"] = self.version.into();
        meta
    }

    /// Seconds until it expires.
    pub(super) fn left(&self, now: SystemTime) -> Option<u64> {
        let signed = parsed("", &self.bytes).ok()?.0;
        signing::left(signed["expires"].as_str()?, now)
    }
}

/// The repository as it would be: some files in place of those in the folder.
struct Prospect {
    released: Folder,
    staged: Folder,
    files: BTreeMap<String, Vec<u8>>,
}

impl Prospect {
    fn new(folder: &Path) -> Self {
        let staged = Folder::new(folder.join("staged"));
        Self { released: Folder::new(folder), staged, files: BTreeMap::new() }
    }

    fn put(&mut self, path: String, bytes: &[u8]) {
        self.files.insert(path, bytes.to_owned());
    }

    /// Has a client with that root fetch everything.
    fn verify(&self, root: &[u8], now: SystemTime) -> std::result::Result<(), TufError> {
        let mut trusted = Memory::new(root);
        let mut client = tuf::Repository::refresh(self, &mut trusted, now)?;
        let document = self.files.iter().find(|(path, _)| path.ends_with(".targets.json"));
        let signed = document.and_then(|(name, bytes)| parsed(name, bytes).ok());
        for (name, _) in signed.iter().flat_map(|(signed, _)| target_facts(signed)) {
            let name = TargetName::new(&name).ok_or(TufError::NoTarget)?;
            let facts = client.find(&name)?;
            client.fetch(&name, &facts, &mut io::sink())?;
        }
        Ok(())
    }
}

impl Transport for Prospect {
    fn open(&self, path: &str) -> std::result::Result<Box<dyn Read + '_>, FetchError> {
        if let Some(bytes) = self.files.get(path) {
            return Ok(Box::new(bytes.as_slice()));
        }
        if path.starts_with("targets/")
            && let Ok(file) = self.staged.open(path)
        {
            return Ok(file);
        }
        self.released.open(path)
    }
}

/// A client's trusted metadata, for as long as it looks.
pub(super) struct Memory(BTreeMap<String, Vec<u8>>);

impl Memory {
    pub(super) fn new(root: &[u8]) -> Self {
        Self(BTreeMap::from([("root.json".to_owned(), root.to_owned())]))
    }
}

impl Trusted for Memory {
    fn load(&self, role: &Role) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(&role.file()).cloned())
    }

    fn save(&mut self, role: &Role, bytes: &[u8]) -> io::Result<()> {
        self.0.insert(role.file(), bytes.to_owned());
        Ok(())
    }

    fn forget(&mut self, role: &Role) -> io::Result<()> {
        self.0.remove(&role.file());
        Ok(())
    }
}

/// Judges a document by a root, in the names of organisations.
pub(super) fn progress_of(role: &str, document: &Document, root: &Document) -> Result<Progress> {
    let name = format!("{}.{role}.json", document.version);
    let judged = signing::signed(role, &document.bytes, &root.bytes)
        .map_err(|_| RepositoryError::Damaged(name.clone()))?;
    let of = |wanted: bool| -> Vec<String> {
        let by = judged.by.iter().filter(|(_, has)| *has == wanted);
        let mut names: Vec<_> = by.map(|(organisation, _)| organisation.clone()).collect();
        names.sort();
        names
    };
    Ok(Progress {
        document: name,
        root: root.version,
        signed: of(true),
        missing: of(false),
        threshold: judged.threshold,
        enough: judged.enough,
    })
}

/// What the root calls this key, if the role has it.
fn key_id(root: &Document, role: &str, key: &PrivateKey) -> Result<Option<String>> {
    let (root, _) = parsed("root", &root.bytes)?;
    let public = key.public();
    let same = |theirs: &Value| {
        ["keytype", "scheme"].iter().all(|field| theirs[*field] == public.value()[*field])
            && theirs["keyval"]["public"] == public.value()["keyval"]["public"]
    };
    let ids = root["roles"][role]["keyids"].as_array().into_iter().flatten();
    let mut ids = ids.filter_map(Value::as_str);
    Ok(ids.find(|id| same(&root["keys"][*id])).map(str::to_owned))
}

fn add_signature(
    signatures: &mut Vec<Value>,
    signed: &Value,
    id: &str,
    key: &PrivateKey,
) -> Result<()> {
    if signatures.iter().any(|signature| signature["keyid"] == *id) {
        return Ok(());
    }
    let message = canonical(signed).ok_or(RepositoryError::Damaged("metadata".to_owned()))?;
    signatures.push(json!({ "keyid": id, "sig": key.sign(&message) }));
    Ok(())
}

/// The two parts of a document.
pub(super) fn parsed(name: &str, bytes: &[u8]) -> Result<(Value, Vec<Value>)> {
    let read = || {
        let mut document = signing::parse(bytes)?;
        let signatures = document.get_mut("signatures")?.take();
        let signed = document.get_mut("signed")?.take();
        let Value::Array(signatures) = signatures else { return None };
        signed.is_object().then_some((signed, signatures))
    };
    read().ok_or_else(|| RepositoryError::Damaged(name.to_owned()))
}

/// A document's file.
fn written(signed: &Value, signatures: &[Value]) -> Vec<u8> {
    json!({ "signatures": signatures, "signed": signed }).to_string().into_bytes()
}

/// Names and facts of the targets.
pub(super) fn target_facts(signed: &Value) -> Vec<(String, Value)> {
    let targets = signed["targets"].as_object().into_iter().flatten();
    targets.map(|(name, facts)| (name.clone(), facts.clone())).collect()
}

/// Where a target's file lies, below `targets/`.
pub(super) fn file_name(name: &str, facts: &Value) -> String {
    format!("{}.{name}", facts["hashes"]["sha256"].as_str().unwrap_or_default())
}

/// What metadata says of a file.
pub(super) fn facts(bytes: &[u8]) -> Value {
    json!({ "length": bytes.len(), "hashes": { "sha256": encode_hex(&Sha256::digest(bytes)) } })
}

pub(super) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn failed(file: &str, error: &io::Error) -> RepositoryError {
    RepositoryError::File { file: file.to_owned(), reason: error.kind() }
}

/// Windows opens no folders, and needs none opened.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Releases and snapshots whose files stay: a client reads a timestamp, and
/// then what it names, which a cache in between may have kept for a while.
const KEPT: usize = 3;

pub(super) const DAY: u64 = 24 * 60 * 60;
