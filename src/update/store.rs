//! What is trusted, on disk.
//!
//! | path | what |
//! |---|---|
//! | `current` | the number of the generation in use |
//! | `generations/N/root.json` and so on | the metadata that was trusted then |
//! | `generations/N/list` | the digest of its list, if it has one |
//! | `generations/N/manifest`, `scope`, `proof` | what was signed beside the list |
//! | `generations/N/id` | the list's id |
//! | `lists/DIGEST` | a list |
//! | `lock` | locked by whoever updates |
//!
//! A generation is written whole and never changed. The last step of a commit
//! renames a new `current` over the old one, so list and metadata change
//! together or not at all, wherever the power fails. The generation before stays,
//! for a reader that has just seen its number.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::scope::Scope;
use super::tuf::{self, FileFacts, Role, Trusted};

/// A store of one list: a folder that nothing else writes to.
#[derive(Clone)]
pub struct Store(PathBuf);

/// Without the path.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store(..)")
    }
}

/// What one generation holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Generation {
    number: u64,
    metadata: BTreeMap<String, Vec<u8>>,
    pub(super) list: Option<String>,
    pub(super) beside: BTreeMap<Beside, Vec<u8>>,
}

/// A small file that belongs to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Beside {
    Id,
    Manifest,
    Scope,
    Proof,
}

impl Beside {
    const ALL: [Self; 4] = [Self::Id, Self::Manifest, Self::Scope, Self::Proof];

    /// Metadata's names end in `.json`, so none is like these.
    fn file(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Manifest => "manifest",
            Self::Scope => "scope",
            Self::Proof => "proof",
        }
    }
}

/// The release that a store has in use. It was verified when it came, and is not
/// verified again.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Release {
    /// The list's file. It is only ever removed, and not before two releases have
    /// come after it, so it may be mapped.
    pub list: PathBuf,
    /// The publisher's manifest, in JSON.
    pub manifest: Option<Vec<u8>>,
    /// What the list asks for at most; where it names no action, the most that the
    /// client granted.
    pub scope: Scope,
    /// When the repository's word that this is the latest runs out.
    pub expires: Option<SystemTime>,
    /// Who has signed it.
    pub signers: Option<Signers>,
}

/// Who signs the lists of a repository. An organisation goes by the name that the
/// root gives it, and by the id of its key where that gives none.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Signers {
    /// How many have to sign.
    pub threshold: u64,
    /// Who has signed.
    pub signed: Vec<String>,
    /// Who may sign and has not.
    pub missing: Vec<String>,
}

impl Signers {
    fn of(root: &[u8], targets: &[u8]) -> Option<Self> {
        let (threshold, mut by) = tuf::signers(root, targets)?;
        by.sort();
        let (signed, missing): (Vec<_>, _) = by.into_iter().partition(|(_, has)| *has);
        let names = |by: Vec<(String, bool)>| by.into_iter().map(|(name, _)| name).collect();
        Some(Self { threshold, signed: names(signed), missing: names(missing) })
    }
}

/// Without the manifest.
impl fmt::Debug for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, expires, .. } = self;
        f.debug_struct("Release")
            .field("scope", scope)
            .field("expires", expires)
            .finish_non_exhaustive()
    }
}

/// The right to write; let go when dropped.
#[derive(Debug)]
pub(super) struct Lock<'s> {
    store: &'s Store,
    _file: File,
}

impl Store {
    /// Opens the store in a folder, which need not be there yet.
    ///
    /// # Errors
    /// Whatever kept the folder from being made.
    pub fn open(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let store = Self(folder.into());
        fs::create_dir_all(store.0.join(GENERATIONS))?;
        fs::create_dir_all(store.0.join(LISTS))?;
        Ok(store)
    }

    /// Whether an update has a root to start from.
    ///
    /// # Errors
    /// Whatever kept the store from being read.
    pub fn has_root(&self) -> io::Result<bool> {
        Ok(self.number()?.is_some())
    }

    /// Gives a new store the root that all trust starts from. It must have come
    /// by a safe way, such as in the application itself. A store that has one
    /// keeps it.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if it is no root that its own keys have
    /// signed, or whatever kept the store from being written.
    pub fn trust(&self, root: &[u8]) -> io::Result<()> {
        let lock = self.lock()?;
        if !self.has_root()? {
            if !tuf::is_root(root) {
                let wrong = "no root metadata that is signed by its own keys";
                return Err(io::Error::new(io::ErrorKind::InvalidData, wrong));
            }
            let mut first = Generation::default();
            first.save(&Role::root(), root)?;
            lock.commit(first)?;
        }
        Ok(())
    }

    /// The id of the list that the store keeps; none before the first.
    ///
    /// # Errors
    /// Whatever kept the store from being read.
    pub fn id(&self) -> io::Result<Option<String>> {
        self.read(|now| Ok(now.id().map(str::to_owned)))
    }

    /// The bytes of the list in use. They are not verified.
    ///
    /// # Errors
    /// Whatever kept the store from being read.
    pub fn list(&self) -> io::Result<Option<Vec<u8>>> {
        self.read(|now| now.list.map(|name| self.read_list(&name)).transpose())
    }

    /// The release in use.
    ///
    /// # Errors
    /// Whatever kept the store from being read.
    pub fn release(&self) -> io::Result<Option<Release>> {
        self.read(|mut now| {
            let Some(name) = now.list.take() else { return Ok(None) };
            let scope = now.beside.get(&Beside::Scope).map(|text| serde_json::from_slice(text));
            let timestamp = now.metadata.get(&Role::timestamp().file());
            let root = now.metadata.get(&Role::root().file());
            let targets = now.metadata.get(&Role::targets().file());
            Ok(Some(Release {
                list: self.0.join(LISTS).join(name),
                manifest: now.beside.remove(&Beside::Manifest),
                scope: scope.transpose()?.unwrap_or_default(),
                expires: timestamp.and_then(|bytes| tuf::expiry(bytes)),
                signers: root.zip(targets).and_then(|(root, targets)| Signers::of(root, targets)),
            }))
        })
    }

    /// Reads the generation in use. It goes away when two have come after it, so
    /// whoever is that late looks again.
    fn read<T>(&self, what: impl Fn(Generation) -> io::Result<T>) -> io::Result<T> {
        let mut tries = 3;
        loop {
            tries -= 1;
            match self.current().and_then(&what) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries > 0 => {}
                read => return read,
            }
        }
    }

    /// The generation in use, an empty one before the first.
    pub(super) fn current(&self) -> io::Result<Generation> {
        let Some(number) = self.number()? else { return Ok(Generation::default()) };
        let mut generation = Generation { number, ..Generation::default() };
        for entry in fs::read_dir(self.generation(number))? {
            let entry = entry?;
            let bytes = fs::read(entry.path())?;
            match entry.file_name().into_string() {
                Ok(name) if name == LIST => {
                    generation.list = Some(digest(&bytes).ok_or(io::ErrorKind::InvalidData)?);
                }
                Ok(name) => match Beside::ALL.into_iter().find(|beside| beside.file() == name) {
                    Some(beside) => generation.beside.extend([(beside, bytes)]),
                    None => generation.metadata.extend([(name, bytes)]),
                },
                Err(_) => {}
            }
        }
        Ok(generation)
    }

    pub(super) fn read_list(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(LISTS).join(name))
    }

    /// Waits until nobody else updates the store.
    pub(super) fn lock(&self) -> io::Result<Lock<'_>> {
        let file = File::options().create(true).append(true).open(self.0.join("lock"))?;
        file.lock()?;
        Ok(Lock { store: self, _file: file })
    }

    fn number(&self) -> io::Result<Option<u64>> {
        match fs::read_to_string(self.0.join(CURRENT)) {
            Ok(text) => {
                text.trim_end().parse().map(Some).map_err(|_| io::ErrorKind::InvalidData.into())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn generation(&self, number: u64) -> PathBuf {
        self.0.join(GENERATIONS).join(number.to_string())
    }
}

impl Lock<'_> {
    /// Writes a list that a generation may then name.
    pub(super) fn keep_list<E: From<io::Error>>(
        &self,
        facts: &FileFacts,
        fill: impl FnOnce(&mut File) -> Result<(), E>,
    ) -> Result<String, E> {
        let lists = self.store.0.join(LISTS);
        let part = lists.join("part");
        let mut file = File::create(&part)?;
        fill(&mut file)?;
        file.sync_all()?;
        drop(file);
        fs::rename(part, lists.join(facts.digest()))?;
        sync_folder(&lists)?;
        Ok(facts.digest().to_owned())
    }

    /// Makes a generation the one in use.
    pub(super) fn commit(&self, generation: Generation) -> io::Result<()> {
        let number = generation.number + 1;
        let folder = self.store.generation(number);
        // Of a commit that was broken off.
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir(&folder)?,
        }
        for (name, bytes) in &generation.metadata {
            write_synced(&folder.join(name), bytes)?;
        }
        if let Some(list) = &generation.list {
            write_synced(&folder.join(LIST), list.as_bytes())?;
        }
        for (beside, bytes) in &generation.beside {
            write_synced(&folder.join(beside.file()), bytes)?;
        }
        sync_folder(&folder)?;
        sync_folder(&self.store.0.join(GENERATIONS))?;
        replace(&self.store.0.join(CURRENT), format!("{number}\n").as_bytes())?;
        // What cannot be removed now is removed after the next commit.
        let _ = self.clean(number);
        Ok(())
    }

    /// Removes what an update that failed has kept, while this generation is in use.
    pub(super) fn drop_unnamed(&self, in_use: &Generation) {
        let _ = self.clean(in_use.number);
    }

    /// Removes what neither this generation nor the one before names.
    fn clean(&self, number: u64) -> io::Result<()> {
        let mut lists = Vec::new();
        for entry in fs::read_dir(self.store.0.join(GENERATIONS))? {
            let path = entry?.path();
            let of = path.file_name().and_then(|name| name.to_str()?.parse::<u64>().ok());
            if of.is_some_and(|of| of == number || of + 1 == number) {
                lists.extend(fs::read(path.join(LIST)).ok().and_then(|bytes| digest(&bytes)));
            } else {
                fs::remove_dir_all(path)?;
            }
        }
        for entry in fs::read_dir(self.store.0.join(LISTS))? {
            let entry = entry?;
            if !lists.iter().any(|name| entry.file_name() == name.as_str()) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// Changes a generation before it is committed.
impl Trusted for Generation {
    fn load(&self, role: &Role) -> io::Result<Option<Vec<u8>>> {
        Ok(self.metadata.get(&role.file()).cloned())
    }

    fn save(&mut self, role: &Role, bytes: &[u8]) -> io::Result<()> {
        self.metadata.insert(role.file(), bytes.to_owned());
        Ok(())
    }

    fn forget(&mut self, role: &Role) -> io::Result<()> {
        self.metadata.remove(&role.file());
        Ok(())
    }
}

impl Generation {
    pub(super) fn id(&self) -> Option<&str> {
        str::from_utf8(self.beside.get(&Beside::Id)?).ok()
    }

    /// Whether this one has other contents.
    pub(super) fn differs(&self, other: &Self) -> bool {
        (&self.metadata, &self.list, &self.beside) != (&other.metadata, &other.list, &other.beside)
    }

    /// What a failed update leaves of itself, whose generation this was: the
    /// roots that it found. Keys that one takes away stay away, and so does what
    /// such keys have signed.
    pub(super) fn with_root_of(mut self, failed: &Self) -> Self {
        let root = Role::root().file();
        if failed.metadata.get(&root) != self.metadata.get(&root) {
            self.metadata.retain(|name, _| failed.metadata.contains_key(name));
            self.metadata.extend(failed.metadata.get(&root).cloned().map(|bytes| (root, bytes)));
        }
        self
    }
}

/// Trusted metadata in a plain folder, each role in a file of its own, and no
/// list: for programs that fetch other things than lists.
#[derive(Clone)]
pub struct MetadataFolder(PathBuf);

/// Without the path.
impl fmt::Debug for MetadataFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetadataFolder(..)")
    }
}

impl MetadataFolder {
    /// The folder that holds `root.json`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }
}

impl Trusted for MetadataFolder {
    fn load(&self, role: &Role) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.0.join(role.file())) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn save(&mut self, role: &Role, bytes: &[u8]) -> io::Result<()> {
        replace(&self.0.join(role.file()), bytes)
    }

    fn forget(&mut self, role: &Role) -> io::Result<()> {
        match fs::remove_file(self.0.join(role.file())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// A file's name as a generation states it: the hexadecimal digits of a hash.
fn digest(bytes: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(bytes).ok()?;
    (!name.is_empty() && name.bytes().all(|c| c.is_ascii_hexdigit())).then(|| name.to_owned())
}

/// Puts a file in the place of another: a reader sees one of the two.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    write_synced(&part, bytes)?;
    fs::rename(&part, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A rename is on disk when its folder is. Windows opens no folders, and needs
/// none opened.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

const CURRENT: &str = "current";
const GENERATIONS: &str = "generations";
const LISTS: &str = "lists";
const LIST: &str = "list";
