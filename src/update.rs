//! Keeping a list up to date from a TUF repository.
//!
//! Lists are published as static files, signed by several organisations in the
//! way of [The Update Framework](tuf). An [`Updater`] fetches them over a
//! [`Transport`] into a [`Store`]. Metadata and list change together; whatever
//! goes wrong, the last good list stays in use.
//!
//! ```no_run
//! use std::time::SystemTime;
//! use presend::HashList;
//! use presend::update::{Answer, Folder, Store, Updater};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Store::open("lists/example")?;
//! store.trust(&std::fs::read("root.json")?)?;
//!
//! let mirror = Folder::new("/mnt/mirror");
//! match Updater::new(&store, &mirror, "example").update(SystemTime::now()) {
//!     Answer::Updated | Answer::Current => {}
//!     Answer::Stale(reason) => eprintln!("using the last list: {reason}"),
//!     Answer::Refused(reason) => eprintln!("refused: {reason}"),
//! }
//! let list = store.list()?.map(HashList::open).transpose()?;
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::time::SystemTime;

use serde::Deserialize;

use crate::list::delta;
use crate::list::{HashList, ListError};

#[cfg(feature = "log")]
pub mod log;
pub mod scope;
pub mod store;
pub mod transport;
pub mod tuf;

mod way;

pub use scope::{Action, Scope};
pub use store::{Release, Signers, Store};
pub use transport::{FetchError, Folder, Transport};
pub use tuf::TufError;

use store::{Beside, Generation, Lock};
use tuf::{FileFacts, Repository, TargetName, Targets};
use way::{By, Way};

/// Updates one store from one repository.
pub struct Updater<'a> {
    store: &'a Store,
    transport: &'a dyn Transport,
    id: String,
    most_bytes: u64,
    most_scope: Scope,
    condition: Option<Box<dyn Condition>>,
}

/// What a release has to show beyond its signatures.
trait Condition {
    fn check(&self, list: &FileFacts, proof: Option<&[u8]>) -> Result<(), UpdateError>;
}

/// What came of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Answer {
    /// A newer list is in use.
    Updated,
    /// The list in use is the repository's latest.
    Current,
    /// Nothing newer could be had, by no fault that anybody must look at: the
    /// list in use stays. Try again later.
    Stale(UpdateError),
    /// What the repository offered was not accepted, or there is no list yet. A
    /// list in use stays.
    Refused(UpdateError),
}

/// Why there is no newer list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// The repository could not be read or verified.
    #[error(transparent)]
    Repository(#[from] TufError),
    /// The file signed is not a list that this version can use.
    #[error("the release's list cannot be used: {0}")]
    List(#[from] ListError),
    /// The file signed is another list than the one asked for.
    #[error("the release holds a list of another id")]
    OtherList,
    /// The store has a list of another id in use; each list has a store of its own.
    #[error("the store is that of another list")]
    OtherStore,
    /// The manifest is that of another list.
    #[error("the release's manifest is that of another list")]
    OtherManifest,
    /// The list is of an earlier edition than the one in use, which stays.
    #[error("the release's list is version {offered}, before version {in_use}, which is in use")]
    Backwards {
        /// The version in use.
        in_use: u64,
        /// The version that was offered.
        offered: u64,
    },
    /// The list is larger than [`Updater::most_bytes`] allows.
    #[error("the release's list has {0} bytes, more than are allowed")]
    TooLarge(u64),
    /// The list asks for more than [`Updater::most_scope`] grants.
    #[error("the release's list asks for more {0} than this client grants")]
    WiderScope(&'static str),
    /// What is signed about the list cannot be read: it is for a later version of
    /// presend, or for another program.
    #[error("what the release says about its list cannot be understood; update presend")]
    Facts,
    /// The list is not the edition that is signed.
    #[error("the release's list is version {found}, where version {signed} is signed")]
    OtherVersion {
        /// The version that the signed metadata states.
        signed: u64,
        /// The version that the list states.
        found: u64,
    },
    /// The release does not show that its list is in a public log, as the client
    /// asks.
    #[error("the release's list is not shown to be in a public log: {0}")]
    NotLogged(&'static str),
    /// A file beside the list is larger than one may be.
    #[error("the release's {0} has more bytes than are allowed")]
    BesideTooLarge(&'static str),
    /// The list's id cannot be the name of a file.
    #[error("the list's id cannot be used as a file name")]
    Id,
    /// The store could not be read or written.
    #[error("the store could not be read or written: {0}")]
    Store(io::ErrorKind),
}

impl From<io::Error> for UpdateError {
    fn from(error: io::Error) -> Self {
        Self::Store(error.kind())
    }
}

impl<'a> Updater<'a> {
    /// An updater of the list with this id, which is the target `<id>.presend` of
    /// the repository. The targets role itself must have signed it: delegations are
    /// not followed.
    pub fn new(store: &'a Store, transport: &'a dyn Transport, id: impl Into<String>) -> Self {
        let (id, most_bytes, most_scope) = (id.into(), MOST_BYTES, Scope::DEFAULT_CAP);
        Self { store, transport, id, most_bytes, most_scope, condition: None }
    }

    /// The largest list that is fetched. The default is 512 MiB.
    #[must_use]
    pub fn most_bytes(mut self, bytes: u64) -> Self {
        self.most_bytes = bytes;
        self
    }

    /// The widest scope that a list may ask for; one that asks for more is refused.
    /// The default is [`Scope::DEFAULT_CAP`].
    #[must_use]
    pub fn most_scope(mut self, cap: Scope) -> Self {
        self.most_scope = cap;
        self
    }

    /// Asks the repository for a newer list, and takes it into use.
    ///
    /// Whether metadata has expired is judged by `now`. Of two updates at once,
    /// one waits.
    pub fn update(&self, now: SystemTime) -> Answer {
        let answer = self.store.lock().map_err(UpdateError::from).and_then(|lock| {
            let before = self.store.current()?;
            let mut after = before.clone();
            match self.stage(&lock, &mut after, now) {
                Ok(answer) => {
                    if after.differs(&before) {
                        lock.commit(after)?;
                    }
                    Ok(answer)
                }
                Err(error) => {
                    let rooted = before.clone().with_root_of(&after);
                    if rooted.differs(&before) {
                        lock.commit(rooted)?;
                    } else {
                        lock.drop_unnamed(&before);
                    }
                    Err(error)
                }
            }
        });
        answer.unwrap_or_else(|error| {
            let list = self.store.list().ok().flatten();
            let has_list = list.is_some_and(|bytes| HashList::open(bytes).is_ok());
            if has_list && error.may_pass() { Answer::Stale(error) } else { Answer::Refused(error) }
        })
    }

    /// Puts into `after` what is to be committed.
    fn stage(
        &self,
        lock: &Lock<'_>,
        after: &mut Generation,
        now: SystemTime,
    ) -> Result<Answer, UpdateError> {
        let target = self.target("presend")?;
        let before = after.clone();
        if before.id().is_some_and(|id| id != self.id) {
            return Err(UpdateError::OtherStore);
        }
        let repository = Repository::refresh(self.transport, after, now)?;
        // A role that this one hands files on to may have a single key.
        let signed = repository.targets();
        let facts = signed.file(&target).ok_or(TufError::NoTarget)?;
        let said = Said::of(facts)?;
        let scope = said.scope.unwrap_or_default();
        if let Some(member) = scope.beyond(&self.most_scope) {
            return Err(UpdateError::WiderScope(member));
        }
        if facts.length() > self.most_bytes {
            return Err(UpdateError::TooLarge(facts.length()));
        }
        let mut beside = BTreeMap::from([(Beside::Id, self.id.clone().into_bytes())]);
        let proof = self.condition.as_ref().map(|_| Beside::Proof);
        for kind in [Beside::Manifest].into_iter().chain(proof) {
            let kept = before.beside.get(&kind);
            beside.extend(self.fetch_beside(&repository, signed, kind, kept)?);
        }
        if let Some(condition) = &self.condition {
            condition.check(facts, beside.get(&Beside::Proof).map(Vec::as_slice))?;
        }
        // Where the list says nothing about a match, what is granted is all there is.
        let scope = Scope { action: scope.action.or(self.most_scope.action), ..scope };
        let scope = serde_json::to_vec(&scope).map_err(|_| UpdateError::Facts)?;
        beside.insert(Beside::Scope, scope);
        // One that the disk has damaged is fetched again.
        let old = before.list.as_ref().and_then(|name| self.store.read_list(name).ok());
        let is_current = old.as_ref().is_some_and(|bytes| facts.are_of(bytes));
        let mut name = before.list;
        if !is_current {
            let old = old.and_then(|bytes| HashList::open(bytes).ok());
            let offer = Offer { signed, target: &target, facts, said: &said };
            name = Some(self.fetch_list(lock, &repository, &offer, old.as_ref())?);
        }
        if let (Some(name), Some(manifest)) = (&name, beside.get(&Beside::Manifest))
            && !is_of(manifest, self.store.read_list(name)?)?
        {
            return Err(UpdateError::OtherManifest);
        }
        (after.list, after.beside) = (name, beside);
        Ok(if is_current { Answer::Current } else { Answer::Updated })
    }

    /// The name of the list that is offered, in the store.
    fn fetch_list(
        &self,
        lock: &Lock<'_>,
        repository: &Repository<'_>,
        offer: &Offer<'_>,
        old: Option<&HashList>,
    ) -> Result<String, UpdateError> {
        let Offer { signed, target, facts, said } = offer;
        let ways = way::ways(signed, &self.id, facts, old.map(HashList::version), said.version);
        let mut name = None;
        let mut failed = UpdateError::Repository(TufError::OtherTarget);
        for Way { by, .. } in ways {
            let is_whole = matches!(by, By::Whole);
            let led = match by {
                By::Whole => {
                    let whole = |file: &mut File| repository.fetch(target, facts, file);
                    lock.keep_list(facts, whole).map_err(UpdateError::from)
                }
                By::Packed(target, packed) => {
                    let list = self.unpacked(repository, &target, &packed);
                    list.and_then(|list| self.keep(lock, facts, &list))
                }
                By::Deltas(chain) => {
                    let list = self.followed(repository, old, &chain);
                    list.and_then(|list| self.keep(lock, facts, &list))
                }
            };
            match led {
                Ok(kept) => {
                    name = Some(kept);
                    break;
                }
                Err(error) if error.is_local() => return Err(error),
                // A shorter way that leads nowhere does no harm; the list itself does.
                Err(error) if is_whole => failed = error,
                Err(_) => {}
            }
        }
        let name = name.ok_or(failed)?;
        let list = HashList::open(self.store.read_list(&name)?)?;
        if list.id() != self.id {
            return Err(UpdateError::OtherList);
        }
        if let Some(signed) = said.version
            && list.version() != signed
        {
            return Err(UpdateError::OtherVersion { signed, found: list.version() });
        }
        if let Some(old) = old
            && list.version() < old.version()
        {
            return Err(UpdateError::Backwards { in_use: old.version(), offered: list.version() });
        }
        Ok(name)
    }

    /// The list that deltas make of the one in use.
    fn followed(
        &self,
        repository: &Repository<'_>,
        old: Option<&HashList>,
        chain: &[(TargetName, FileFacts)],
    ) -> Result<Vec<u8>, UpdateError> {
        let mut list = old.ok_or(TufError::NoTarget)?.clone();
        let mut made = None;
        for (target, facts) in chain {
            if let Some(bytes) = made.take() {
                list = HashList::open_unverified(bytes)?;
            }
            let mut change = Vec::new();
            repository.fetch(target, facts, &mut change)?;
            let bytes = delta::apply(&list, &change).map_err(|_| TufError::OtherTarget)?;
            if bytes.len() as u64 > self.most_bytes {
                return Err(UpdateError::TooLarge(bytes.len() as u64));
            }
            made = Some(bytes);
        }
        made.ok_or(TufError::NoTarget.into())
    }

    fn unpacked(
        &self,
        repository: &Repository<'_>,
        target: &TargetName,
        facts: &FileFacts,
    ) -> Result<Vec<u8>, UpdateError> {
        let mut packed = Vec::new();
        repository.fetch(target, facts, &mut packed)?;
        delta::unpack(&packed).map_err(|_| TufError::OtherTarget.into())
    }

    /// Keeps a list that was made here, if it is the one that is signed.
    fn keep(&self, lock: &Lock<'_>, facts: &FileFacts, list: &[u8]) -> Result<String, UpdateError> {
        if !facts.are_of(list) {
            return Err(TufError::OtherTarget.into());
        }
        lock.keep_list(facts, |file| file.write_all(list).map_err(UpdateError::from))
    }

    /// A file beside the list, if the release has one; fetched unless it is kept.
    fn fetch_beside(
        &self,
        repository: &Repository<'_>,
        signed: &Targets,
        kind: Beside,
        kept: Option<&Vec<u8>>,
    ) -> Result<Option<(Beside, Vec<u8>)>, UpdateError> {
        let (ending, what) = match kind {
            Beside::Manifest => ("manifest.json", "manifest"),
            Beside::Proof => ("sigsum", "proof"),
            Beside::Id | Beside::Scope => return Ok(None),
        };
        let target = self.target(ending)?;
        let Some(facts) = signed.file(&target) else { return Ok(None) };
        if facts.length() > MOST_BESIDE_BYTES {
            return Err(UpdateError::BesideTooLarge(what));
        }
        if let Some(kept) = kept.filter(|kept| facts.are_of(kept)) {
            return Ok(Some((kind, kept.clone())));
        }
        let mut bytes = Vec::new();
        repository.fetch(&target, facts, &mut bytes)?;
        Ok(Some((kind, bytes)))
    }

    fn target(&self, ending: &str) -> Result<TargetName, UpdateError> {
        TargetName::new(&format!("{}.{ending}", self.id)).ok_or(UpdateError::Id)
    }
}

/// The list of a release, and what is signed with it.
struct Offer<'r> {
    signed: &'r Targets,
    target: &'r TargetName,
    facts: &'r FileFacts,
    said: &'r Said,
}

/// Whether a manifest is of this list, by as much as it says of it. A repository
/// that is not presend's own may say anything else there.
fn is_of(manifest: &[u8], list: Vec<u8>) -> Result<bool, ListError> {
    #[derive(Deserialize)]
    struct Said {
        id: Option<String>,
        version: Option<u64>,
        blake3: Option<String>,
    }
    let Ok(said) = serde_json::from_slice::<Said>(manifest) else { return Ok(false) };
    let digest = blake3::hash(&list).to_hex();
    let list = HashList::open_unverified(list)?;
    Ok(said.id.is_none_or(|id| id == list.id())
        && said.version.is_none_or(|version| version == list.version())
        && said.blake3.is_none_or(|said| said == digest.as_str()))
}

/// What is signed about a list beyond its length and hash. A repository that is
/// not presend's own says nothing.
#[derive(Default, Deserialize)]
struct Said {
    version: Option<u64>,
    scope: Option<Scope>,
}

impl Said {
    fn of(facts: &FileFacts) -> Result<Self, UpdateError> {
        let Some(said) = facts.custom("presend") else { return Ok(Self::default()) };
        Self::deserialize(said).map_err(|_| UpdateError::Facts)
    }
}

impl UpdateError {
    /// Whether the same may go well another time, with nobody doing anything.
    fn may_pass(&self) -> bool {
        matches!(self, Self::Repository(TufError::Fetch { .. } | TufError::Expired(_)))
    }

    /// Whether it is this device that failed: no other way would go better.
    fn is_local(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Repository(TufError::Local(_)))
    }
}

impl fmt::Debug for Updater<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updater").field("id", &self.id).finish_non_exhaustive()
    }
}

const MOST_BYTES: u64 = 512 << 20;

/// Of a manifest or a proof.
const MOST_BESIDE_BYTES: u64 = 1 << 20;
