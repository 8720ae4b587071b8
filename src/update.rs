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

use std::fmt;
use std::io;
use std::time::SystemTime;

use crate::list::{HashList, ListError};

pub mod store;
pub mod transport;
pub mod tuf;

pub use store::Store;
pub use transport::{FetchError, Folder, Transport};
pub use tuf::TufError;

use store::{Generation, Lock};
use tuf::{Repository, TargetName};

/// Updates one store from one repository.
pub struct Updater<'a> {
    store: &'a Store,
    transport: &'a dyn Transport,
    id: String,
    most_bytes: u64,
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
    /// the repository.
    pub fn new(store: &'a Store, transport: &'a dyn Transport, id: impl Into<String>) -> Self {
        Self { store, transport, id: id.into(), most_bytes: MOST_BYTES }
    }

    /// The largest list that is fetched. The default is 512 MiB.
    #[must_use]
    pub fn most_bytes(mut self, bytes: u64) -> Self {
        self.most_bytes = bytes;
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
                    }
                    Err(error)
                }
            }
        });
        answer.unwrap_or_else(|error| {
            let has_list = self.store.current().is_ok_and(|now| now.list.is_some());
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
        let target = TargetName::new(&format!("{}.presend", self.id)).ok_or(UpdateError::Id)?;
        let in_use = after.list.clone();
        let mut repository = Repository::refresh(self.transport, after, now)?;
        let facts = repository.find(&target)?;
        if facts.length() > self.most_bytes {
            return Err(UpdateError::TooLarge(facts.length()));
        }
        // One that the disk has damaged is fetched again.
        let old = in_use.as_ref().and_then(|name| self.store.read_list(name).ok());
        if old.as_ref().is_some_and(|bytes| facts.are_of(bytes)) {
            return Ok(Answer::Current);
        }
        let name = lock.keep_list(&facts, |file| repository.fetch(&target, &facts, file))?;
        let list = HashList::open(self.store.read_list(&name)?)?;
        if list.id() != self.id {
            return Err(UpdateError::OtherList);
        }
        if let Some(old) = old.and_then(|bytes| HashList::open(bytes).ok())
            && list.version() < old.version()
        {
            return Err(UpdateError::Backwards { in_use: old.version(), offered: list.version() });
        }
        after.list = Some(name);
        Ok(Answer::Updated)
    }
}

impl UpdateError {
    /// Whether the same may go well another time, with nobody doing anything.
    fn may_pass(&self) -> bool {
        matches!(self, Self::Repository(TufError::Fetch { .. } | TufError::Expired(_)))
    }
}

impl fmt::Debug for Updater<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updater").field("id", &self.id).finish_non_exhaustive()
    }
}

const MOST_BYTES: u64 = 512 << 20;
