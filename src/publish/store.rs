//! What every source says, in one file that survives a kill.
//!
//! An entry is known by its source, the member of the source that speaks, and
//! that member's id for it. The newest word stands: an update that carries an
//! older time than what is kept changes nothing, so pages may be taken in any
//! order and again after an interruption. What is withdrawn stays as a record
//! of that, so that an old page cannot bring it back.
//!
//! A file is taken in one transaction, a snapshot in one for all its files:
//! after a kill the store holds the old state or the new one.

use std::collections::HashSet;
use std::fmt::{self, Display};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::{fs, io};

use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition};

use super::feed::RowHash;
use super::ingest::{Format, Page, Record, Status, Update};
use crate::hash::{Algorithm, Digest, PerceptualHash};

/// An open store. One process at a time may have it open.
pub struct Store {
    db: Database,
}

/// The store cannot do this; it holds what it held.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such file.
    #[error("there is no store; `ingest` makes one")]
    Absent,
    /// Another process has it open.
    #[error("another process has the store open")]
    Busy,
    /// Not a file of this kind, or of another version of it.
    #[error("the file is not a store of this version of presend")]
    NotAStore,
    /// The file holds what no store does.
    #[error("the file is damaged: take it from a copy, or ingest the sources into a new store")]
    Damaged,
    /// The source's name cannot be one.
    #[error("a source's name is 1 to 64 characters of a-z, 0-9 and -")]
    Name,
    /// The source has been of another format so far.
    #[error("source {source_name} sends {kept}, so this is not a file of it")]
    OtherFormat {
        /// The source.
        source_name: String,
        /// The format of its earlier files.
        kept: &'static str,
    },
    /// A snapshot with entries that cannot be read: they would count as withdrawn.
    #[error(
        "{0} entries of the snapshot cannot be read, and would be taken for withdrawn; nothing was taken"
    )]
    BadSnapshot(u64),
    /// The snapshot's last page says that another follows.
    #[error(
        "the snapshot's last page says that another follows, and what stands there would be taken for withdrawn; nothing was taken"
    )]
    PartOfSnapshot,
    /// More would be withdrawn by its absence than the gate lets through.
    #[error(
        "{missing} of the source's {live} entries are not in the snapshot, more than {percent} %; nothing was taken. If they are meant to go, say --accept-shrink"
    )]
    Shrinks {
        /// Entries that are not in the snapshot.
        missing: u64,
        /// Entries that stood before.
        live: u64,
        /// The gate.
        percent: u8,
    },
    /// The disk or the file failed.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// What an ingest changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Taken {
    /// Entries that were not there.
    pub added: u64,
    /// Entries that say something else now.
    pub changed: u64,
    /// Entries that said the same before.
    pub unchanged: u64,
    /// Entries that their members took back.
    pub withdrawn: u64,
    /// Entries that are not in the snapshot.
    pub missing: u64,
    /// Updates passed over because something newer is kept.
    pub older: u64,
}

impl std::ops::AddAssign for Taken {
    fn add_assign(&mut self, other: Self) {
        self.added += other.added;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
        self.withdrawn += other.withdrawn;
        self.missing += other.missing;
        self.older += other.older;
    }
}

/// What one member says of a hash.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Claim {
    /// The source.
    pub source: String,
    /// Its member; empty for the source itself.
    pub member: String,
    /// The member's id for the entry.
    pub id: String,
    /// What is said.
    pub record: Record,
}

/// Without the entry's name: where a source gives none, it is made of the hash.
impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("source", &self.source)
            .field("member", &self.member)
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a store.
    ///
    /// # Errors
    /// [`StoreError`] when it is absent, in use, or not one.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::Absent);
        }
        guarded(|| Self::open_file(path))
    }

    fn open_file(path: &Path) -> Result<Self, StoreError> {
        let db = Database::open(path).map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => StoreError::Busy,
            redb::DatabaseError::Storage(redb::StorageError::Io(error))
                if error.kind() != io::ErrorKind::InvalidData =>
            {
                failed(error)
            }
            _ => StoreError::NotAStore,
        })?;
        let read = db.begin_read().map_err(failed)?;
        let meta = read.open_table(META).map_err(|_| StoreError::NotAStore)?;
        let version = meta.get("version").map_err(failed)?.map(|version| version.value());
        if version != Some(VERSION) {
            return Err(StoreError::NotAStore);
        }
        Ok(Self { db })
    }

    /// Opens a store, and makes it when there is none.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_or_create(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            // Whole or not at all: a kill leaves no half-made store behind the name.
            let mut new = path.as_os_str().to_owned();
            new.push(format!(".{}.new", std::process::id()));
            let new = PathBuf::from(new);
            let made = Self::create(&new).and_then(|()| fs::rename(&new, path).map_err(failed));
            if let Err(error) = made {
                // Best effort: the error itself is what matters.
                let _ = fs::remove_file(&new);
                return Err(error);
            }
        }
        Self::open(path)
    }

    fn create(path: &Path) -> Result<(), StoreError> {
        let db = Database::create(path).map_err(failed)?;
        let write = db.begin_write().map_err(failed)?;
        write.open_table(META).map_err(failed)?.insert("version", VERSION).map_err(failed)?;
        write.open_table(SOURCES).map_err(failed)?;
        write.open_table(ENTRIES).map_err(failed)?;
        write.open_table(HASHES).map_err(failed)?;
        write.commit().map_err(failed)
    }

    /// Takes in what changed at a source: entries that the page does not name
    /// stay as they are.
    ///
    /// # Errors
    /// [`StoreError`]; nothing of the page is in then.
    pub fn take(&self, source: &str, format: Format, page: &Page) -> Result<Taken, StoreError> {
        self.write(source, format, |writing| {
            for update in &page.updates {
                writing.update(update, Kind::Changes)?;
            }
            Ok(())
        })
    }

    /// Takes in all that a source has: entries that no page names count as
    /// withdrawn. When they are more than `percent` % of those that stood, the
    /// snapshot is refused.
    ///
    /// # Errors
    /// [`StoreError`]; nothing of the pages is in then.
    pub fn take_snapshot(
        &self,
        source: &str,
        format: Format,
        pages: &[Page],
        percent: u8,
    ) -> Result<Taken, StoreError> {
        let bad: u64 = pages.iter().map(|page| page.bad.len() as u64).sum();
        if bad > 0 {
            return Err(StoreError::BadSnapshot(bad));
        }
        if pages.last().is_none_or(|page| page.more) {
            return Err(StoreError::PartOfSnapshot);
        }
        self.write(source, format, |writing| {
            let before = writing.live()?;
            let mut named = HashSet::new();
            for update in pages.iter().flat_map(|page| &page.updates) {
                match update {
                    Update::Entry { id, member, .. } => {
                        named.insert((id.as_str(), member.as_str()));
                    }
                    Update::Indicator { id, members, .. } => {
                        let members = members.iter().map(|(member, _)| member.as_str());
                        named.extend(members.chain([""]).map(|member| (id.as_str(), member)));
                    }
                }
                writing.update(update, Kind::Snapshot)?;
            }
            let is_missing =
                |(id, member): &&(String, String)| !named.contains(&(id.as_str(), member.as_str()));
            let missing: Vec<_> = before.iter().filter(is_missing).collect();
            let (gone, live) = (missing.len() as u64, before.len() as u64);
            if gone * 100 > u64::from(percent) * live {
                return Err(StoreError::Shrinks { missing: gone, live, percent });
            }
            for (id, member) in missing {
                writing.miss(id, member)?;
            }
            Ok(())
        })
    }

    /// Sources and how many of their entries stand, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn sources(&self) -> Result<Vec<(String, u64)>, StoreError> {
        guarded(|| self.read_sources())
    }

    fn read_sources(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let read = self.db.begin_read().map_err(failed)?;
        let mut sources = Vec::new();
        for source in read.open_table(SOURCES).map_err(failed)?.iter().map_err(failed)? {
            sources.push((source.map_err(failed)?.0.value().to_owned(), 0));
        }
        for entry in read.open_table(ENTRIES).map_err(failed)?.iter().map_err(failed)? {
            let (key, record) = entry.map_err(failed)?;
            let at = sources.iter().position(|(name, _)| name == key.value().0);
            if let Some(at) = at.filter(|_| decode(record.value()).is_ok_and(|r| is_live(&r))) {
                sources[at].1 += 1;
            }
        }
        Ok(sources)
    }

    /// What is said of a hash, by source, id and member.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn claims(&self, hash: &RowHash) -> Result<Vec<Claim>, StoreError> {
        guarded(|| self.read_claims(hash))
    }

    fn read_claims(&self, hash: &RowHash) -> Result<Vec<Claim>, StoreError> {
        let key = key_of(hash);
        let read = self.db.begin_read().map_err(failed)?;
        let hashes = read.open_table(HASHES).map_err(failed)?;
        let entries = read.open_table(ENTRIES).map_err(failed)?;
        let mut claims = Vec::new();
        for place in hashes.range((key.as_slice(), "", "", "")..).map_err(failed)? {
            let place = place.map_err(failed)?.0;
            let (found, source, id, member) = place.value();
            if found != key {
                break;
            }
            claims.push(claim(&entries, source, id, member)?);
        }
        Ok(claims)
    }

    /// Hands every hash and what is said of it to `each`, in the order of the
    /// hashes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn each_hash(&self, each: impl FnMut(RowHash, &[Claim])) -> Result<(), StoreError> {
        guarded(|| self.read_each_hash(each))
    }

    fn read_each_hash(&self, mut each: impl FnMut(RowHash, &[Claim])) -> Result<(), StoreError> {
        let read = self.db.begin_read().map_err(failed)?;
        let hashes = read.open_table(HASHES).map_err(failed)?;
        let entries = read.open_table(ENTRIES).map_err(failed)?;
        let mut claims = Vec::new();
        let mut current: Vec<u8> = Vec::new();
        for place in hashes.iter().map_err(failed)? {
            let place = place.map_err(failed)?.0;
            let (key, source, id, member) = place.value();
            if key != current {
                if !claims.is_empty() {
                    each(hash_of(&current)?, &claims);
                    claims.clear();
                }
                key.clone_into(&mut current);
            }
            claims.push(claim(&entries, source, id, member)?);
        }
        if !claims.is_empty() {
            each(hash_of(&current)?, &claims);
        }
        Ok(())
    }

    /// How many hashes there are, each once for everyone who names it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn len(&self) -> Result<u64, StoreError> {
        guarded(|| {
            let read = self.db.begin_read().map_err(failed)?;
            let hashes = read.open_table(HASHES).map_err(failed)?;
            redb::ReadableTableMetadata::len(&hashes).map_err(failed)
        })
    }

    /// Whether there is no hash.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        self.len().map(|hashes| hashes == 0)
    }

    fn write(
        &self,
        source: &str,
        format: Format,
        work: impl FnOnce(&mut Writing<'_>) -> Result<(), StoreError>,
    ) -> Result<Taken, StoreError> {
        let usable = source.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if !usable || !(1..=64).contains(&source.len()) {
            return Err(StoreError::Name);
        }
        guarded(|| self.write_all(source, format, work))
    }

    fn write_all(
        &self,
        source: &str,
        format: Format,
        work: impl FnOnce(&mut Writing<'_>) -> Result<(), StoreError>,
    ) -> Result<Taken, StoreError> {
        // Dropped without a commit, a transaction leaves nothing.
        let write = self.db.begin_write().map_err(failed)?;
        let taken = {
            let mut sources = write.open_table(SOURCES).map_err(failed)?;
            let kept = sources.get(source).map_err(failed)?.map(|kept| kept.value().to_owned());
            match kept {
                Some(kept) if kept != format.name() => {
                    let kept = Format::from_name(&kept).ok_or(StoreError::NotAStore)?.name();
                    return Err(StoreError::OtherFormat { source_name: source.to_owned(), kept });
                }
                Some(_) => {}
                None => {
                    sources.insert(source, format.name()).map_err(failed)?;
                }
            }
            let mut writing = Writing {
                source,
                entries: write.open_table(ENTRIES).map_err(failed)?,
                hashes: write.open_table(HASHES).map_err(failed)?,
                taken: Taken::default(),
            };
            work(&mut writing)?;
            writing.taken
        };
        write.commit().map_err(failed)?;
        Ok(taken)
    }
}

/// redb takes some damage for a fault in its own code, and panics.
fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(StoreError::Damaged))
}

/// A transaction on one source.
struct Writing<'a> {
    source: &'a str,
    entries: Table<'a, EntryKey, &'static [u8]>,
    hashes: Table<'a, HashKey, ()>,
    taken: Taken,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Changes,
    Snapshot,
}

impl Writing<'_> {
    fn update(&mut self, update: &Update, kind: Kind) -> Result<(), StoreError> {
        match update {
            Update::Entry { member, id, record } => {
                let kept = self.kept(id, member)?;
                if kept.as_ref().is_some_and(|kept| is_older(record, kept, kind)) {
                    self.taken.older += 1;
                    return Ok(());
                }
                self.put(id, member, kept, record.clone())
            }
            Update::Indicator { id, updated, members } => {
                let before = self.members(id)?;
                let said = Record {
                    status: if members.is_empty() { Status::Withdrawn } else { Status::Listed },
                    updated: *updated,
                    category: String::new(),
                    hashes: Vec::new(),
                    feedback: Vec::new(),
                };
                if before.iter().any(|(_, kept)| is_older(&said, kept, kind)) {
                    self.taken.older += 1;
                    return Ok(());
                }
                // The indicator's own record is what an older page is held against.
                let own = Record { status: Status::Withdrawn, ..said };
                let told = |name: &str| members.iter().any(|(member, _)| member == name);
                for (member, kept) in &before {
                    if !told(member) && !member.is_empty() {
                        self.put(id, member, Some(kept.clone()), own.clone())?;
                    }
                }
                let kept_of = |name: &str| {
                    before.iter().find(|(member, _)| member == name).map(|(_, kept)| kept.clone())
                };
                if members.is_empty() && before.is_empty() {
                    self.put(id, "", None, own)?;
                }
                for (member, record) in members {
                    self.put(id, member, kept_of(member), record.clone())?;
                }
                Ok(())
            }
        }
    }

    fn put(
        &mut self,
        id: &str,
        member: &str,
        kept: Option<Record>,
        mut record: Record,
    ) -> Result<(), StoreError> {
        if let Some(kept) = &kept {
            // A withdrawal names the entry alone; what it was stays explainable.
            if record.status == Status::Withdrawn && record.hashes.is_empty() {
                record.hashes.clone_from(&kept.hashes);
                record.category.clone_from(&kept.category);
            }
            if *kept == record {
                self.taken.unchanged += 1;
                return Ok(());
            }
        }
        match (&kept, record.status) {
            (kept, Status::Withdrawn) if kept.as_ref().is_none_or(is_live) => {
                self.taken.withdrawn += 1;
            }
            (Some(kept), Status::Missing) if is_live(kept) => self.taken.missing += 1,
            (Some(_), _) => self.taken.changed += 1,
            (None, _) => self.taken.added += 1,
        }
        for hash in kept.iter().flat_map(|kept| &kept.hashes) {
            let key = key_of(&hash.hash);
            self.hashes.remove((key.as_slice(), self.source, id, member)).map_err(failed)?;
        }
        for hash in &record.hashes {
            let key = key_of(&hash.hash);
            self.hashes.insert((key.as_slice(), self.source, id, member), ()).map_err(failed)?;
        }
        let bytes = serde_json::to_vec(&record).map_err(failed)?;
        self.entries.insert((self.source, id, member), bytes.as_slice()).map_err(failed)?;
        Ok(())
    }

    fn miss(&mut self, id: &str, member: &str) -> Result<(), StoreError> {
        let Some(kept) = self.kept(id, member)? else { return Ok(()) };
        let record = Record { status: Status::Missing, ..kept.clone() };
        self.put(id, member, Some(kept), record)
    }

    fn kept(&self, id: &str, member: &str) -> Result<Option<Record>, StoreError> {
        let kept = self.entries.get((self.source, id, member)).map_err(failed)?;
        kept.map(|kept| decode(kept.value())).transpose()
    }

    /// Everything under an id.
    fn members(&self, id: &str) -> Result<Vec<(String, Record)>, StoreError> {
        let mut members = Vec::new();
        for entry in self.entries.range((self.source, id, "")..).map_err(failed)? {
            let (key, record) = entry.map_err(failed)?;
            let (source, found, member) = key.value();
            if (source, found) != (self.source, id) {
                break;
            }
            members.push((member.to_owned(), decode(record.value())?));
        }
        Ok(members)
    }

    /// Ids and members of the source's entries that stand.
    fn live(&self) -> Result<Vec<(String, String)>, StoreError> {
        let mut live = Vec::new();
        for entry in self.entries.range((self.source, "", "")..).map_err(failed)? {
            let (key, record) = entry.map_err(failed)?;
            let (source, id, member) = key.value();
            if source != self.source {
                break;
            }
            if is_live(&decode(record.value())?) {
                live.push((id.to_owned(), member.to_owned()));
            }
        }
        Ok(live)
    }
}

/// Whether what is kept is newer. At the same time a withdrawal stands; what a
/// snapshot lacked, only another snapshot brings back.
fn is_older(new: &Record, kept: &Record, kind: Kind) -> bool {
    let (Some(new_time), Some(kept_time)) = (new.updated, kept.updated) else { return false };
    let is_back = new.status != Status::Withdrawn;
    new_time < kept_time
        || new_time == kept_time
            && is_back
            && match kept.status {
                Status::Withdrawn => true,
                Status::Missing => kind == Kind::Changes,
                _ => false,
            }
}

fn is_live(record: &Record) -> bool {
    !matches!(record.status, Status::Withdrawn | Status::Missing)
}

fn claim(
    entries: &impl ReadableTable<EntryKey, &'static [u8]>,
    source: &str,
    id: &str,
    member: &str,
) -> Result<Claim, StoreError> {
    let record = entries.get((source, id, member)).map_err(failed)?;
    let record = record.ok_or_else(|| failed("a hash without an entry"))?;
    let record = decode(record.value())?;
    let (source, member, id) = (source.to_owned(), member.to_owned(), id.to_owned());
    Ok(Claim { source, member, id, record })
}

fn decode(bytes: &[u8]) -> Result<Record, StoreError> {
    // The parser's own words may quote the record.
    serde_json::from_slice(bytes).map_err(|_| failed("an entry cannot be read"))
}

/// The algorithm's number and the hash.
fn key_of(hash: &RowHash) -> Vec<u8> {
    let mut key = vec![hash.algorithm() as u8];
    match hash {
        RowHash::Perceptual(hash) => {
            key.extend(hash.words().iter().rev().flat_map(|word| word.to_be_bytes()))
        }
        RowHash::Exact(digest) => key.extend(digest.as_bytes()),
    }
    key
}

fn hash_of(key: &[u8]) -> Result<RowHash, StoreError> {
    let read = || {
        let (&number, bytes) = key.split_first()?;
        let algorithm = Algorithm::ALL.into_iter().find(|algorithm| *algorithm as u8 == number)?;
        if algorithm.is_perceptual() {
            Some(RowHash::Perceptual(PerceptualHash::from_bytes(bytes.try_into().ok()?)))
        } else {
            Digest::new(algorithm, bytes).map(RowHash::Exact)
        }
    };
    read().ok_or_else(|| failed("a hash cannot be read"))
}

fn failed(error: impl Display) -> StoreError {
    StoreError::Failed(error.to_string())
}

type EntryKey = (&'static str, &'static str, &'static str);
type HashKey = (&'static [u8], &'static str, &'static str, &'static str);

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// Name to format.
const SOURCES: TableDefinition<'_, &str, &str> = TableDefinition::new("sources");
/// Source, id and member to a [`Record`] in JSON: a page names ids, and a range
/// over one finds all its members.
const ENTRIES: TableDefinition<'_, EntryKey, &[u8]> = TableDefinition::new("entries");
/// Hash to source, id and member.
const HASHES: TableDefinition<'_, HashKey, ()> = TableDefinition::new("hashes");

const VERSION: u64 = 1;
