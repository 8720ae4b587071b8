//! The client's side of [The Update Framework](https://theupdateframework.github.io/specification/latest/),
//! version 1.0.
//!
//! The steps are those of the specification's section 5, whose numbers stand
//! beside them. Metadata that was trusted once is the floor for what comes later,
//! even where it has expired. Nothing is trusted, or saved, before everything
//! that the specification asks of it holds.
//!
//! A key's name need not be its hash (TAP 12); a key counts once, whatever its
//! names. RSA keys, and all of an unknown kind, verify nothing. Succinct
//! delegations (TAP 15) are not followed.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::SystemTime;

use super::transport::{FetchError, Transport};

mod delegation;
mod json;
mod key;
mod metadata;
#[cfg(feature = "publish")]
pub(crate) mod signing;
mod time;

pub use delegation::TargetName;
#[cfg(feature = "log")]
pub(super) use key::unhex;
pub use metadata::FileFacts;
pub(super) use metadata::Targets;

use delegation::{Delegation, encode};
use key::{Keys, Signers};
use metadata::{Contents, Document, Meta, Root, Snapshot, Timestamp};

/// Whose metadata it is: one of the four top-level roles, or one that was
/// delegated to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Role(String);

impl Role {
    pub(super) fn root() -> Self {
        Self::new(TOP_LEVEL[0])
    }

    pub(super) fn timestamp() -> Self {
        Self::new(TOP_LEVEL[1])
    }

    fn snapshot() -> Self {
        Self::new(TOP_LEVEL[2])
    }

    pub(super) fn targets() -> Self {
        Self::new(TOP_LEVEL[3])
    }

    fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The name of a file for the role's metadata: `root.json`. Whatever the role
    /// is called, it is one segment of a path.
    pub fn file(&self) -> String {
        format!("{}.json", encode(&self.0))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_debug())
    }
}

impl fmt::Debug for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const TOP_LEVEL: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

/// The metadata that this client trusts, between one update and the next.
pub trait Trusted {
    /// The bytes saved last.
    ///
    /// # Errors
    /// Whatever kept them from being read.
    fn load(&self, role: &Role) -> io::Result<Option<Vec<u8>>>;

    /// Keeps bytes that have been verified.
    ///
    /// # Errors
    /// Whatever kept them from being written; the update fails with it.
    fn save(&mut self, role: &Role, bytes: &[u8]) -> io::Result<()>;

    /// Drops what is saved, if anything: it is no floor any longer.
    ///
    /// # Errors
    /// Whatever kept it from being dropped.
    fn forget(&mut self, role: &Role) -> io::Result<()>;
}

/// Why an update came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TufError {
    /// The file could not be fetched; try again later.
    #[error("{file} could not be fetched: {reason}")]
    Fetch {
        /// Its path in the repository.
        file: String,
        /// What the transport said.
        reason: FetchError,
    },
    /// The repository's metadata has expired: somebody holds newer metadata back,
    /// or the publisher has not renewed it. Try again later.
    #[error("the {0} metadata has expired")]
    Expired(Role),
    /// The document is not metadata of that role.
    #[error("the {0} metadata is malformed")]
    Malformed(Role),
    /// Too few of the role's keys have signed the document.
    #[error("the {0} metadata is not signed by enough of its keys")]
    Unsigned(Role),
    /// The document is older than one that was trusted before.
    #[error("the {0} metadata goes back to an earlier version")]
    Rollback(Role),
    /// The document is not the version that was asked for.
    #[error("the {0} metadata is of another version than promised")]
    OtherVersion(Role),
    /// The document is not the one that signed metadata promises.
    #[error("the {0} metadata has another length or hash than promised")]
    OtherContents(Role),
    /// The document is longer than one may be.
    #[error("the {0} metadata is too long")]
    TooLong(Role),
    /// No root of trust was given, or it cannot be used.
    #[error("there is no trusted root; set one up from a copy that came by a safe way")]
    NoRoot,
    /// A release does not name a role that it delegates to.
    #[error("the release has no {0} metadata")]
    NoRole(Role),
    /// Nobody who may has signed a file of this name.
    #[error("the repository has no such target")]
    NoTarget,
    /// The file is not the one that was signed.
    #[error("the target has another length or hash than promised")]
    OtherTarget,
    /// The trusted metadata, or the file fetched, could not be read or written.
    #[error("trusted metadata or a target could not be read or written: {0}")]
    Local(io::ErrorKind),
}

impl From<io::Error> for TufError {
    fn from(error: io::Error) -> Self {
        Self::Local(error.kind())
    }
}

/// A repository whose top-level metadata is verified and fresh.
pub struct Repository<'a> {
    transport: &'a dyn Transport,
    trusted: &'a mut dyn Trusted,
    /// 5.1: one time for the whole update.
    now: SystemTime,
    root: Root,
    snapshot: Snapshot,
    targets: Targets,
}

impl<'a> Repository<'a> {
    /// Brings the top-level metadata up to date, from a root in `trusted`.
    ///
    /// # Errors
    /// [`TufError`]; what was verified before the failure stays saved.
    pub fn refresh(
        transport: &'a dyn Transport,
        trusted: &'a mut dyn Trusted,
        now: SystemTime,
    ) -> Result<Self, TufError> {
        let mut update = Update { transport, trusted, now };
        let root = update.root()?;
        let timestamp = update.timestamp(&root)?;
        let meta = timestamp.snapshot().ok_or_else(|| TufError::Malformed(Role::timestamp()))?;
        let snapshot = update.snapshot(&root, meta)?;
        let signers = &root.roles.targets;
        let targets = update.targets(&root, &snapshot, &Role::targets(), &root.keys, signers)?;
        Ok(Self { transport, trusted: update.trusted, now, root, snapshot, targets })
    }

    /// What is signed about a target: by the targets role, or by the first that
    /// it hands the file on to, in their order and depth first (5.6.7).
    ///
    /// # Errors
    /// [`TufError::NoTarget`] if none has signed one; otherwise, what is wrong
    /// with a role that had to be asked.
    pub fn find(&mut self, name: &TargetName) -> Result<FileFacts, TufError> {
        if let Some(facts) = self.targets.file(name) {
            return Ok(facts.clone());
        }
        let mut update =
            Update { transport: self.transport, trusted: &mut *self.trusted, now: self.now };
        let mut asked = BTreeSet::from([Role::targets()]);
        let mut waiting = Vec::new();
        queue(&mut waiting, &self.targets, name);
        while let Some(Waiting { delegation, keys }) = waiting.pop() {
            if asked.len() > MOST_DELEGATIONS || !asked.insert(delegation.role()) {
                continue;
            }
            let signers = &delegation.signers;
            let role = delegation.role();
            let targets = update.targets(&self.root, &self.snapshot, &role, &keys, signers)?;
            if let Some(facts) = targets.file(name) {
                return Ok(facts.clone());
            }
            queue(&mut waiting, &targets, name);
        }
        Err(TufError::NoTarget)
    }

    /// What the targets role itself has signed, and nobody it hands files on to.
    pub(super) fn targets(&self) -> &Targets {
        &self.targets
    }

    /// Fetches a target into `out`, which is only to be used on success.
    ///
    /// # Errors
    /// [`TufError::OtherTarget`] if it is not what was signed; at most one buffer
    /// more than the file's length is read before that is known.
    pub fn fetch(
        &self,
        name: &TargetName,
        facts: &FileFacts,
        out: &mut dyn Write,
    ) -> Result<(), TufError> {
        let digest = self.root.consistent_snapshot.then(|| facts.digest());
        let file = format!("targets/{}", name.path(digest));
        let failed = |reason| TufError::Fetch { file: file.clone(), reason };
        let mut reader =
            self.transport.open(&file).map_err(failed)?.take(facts.length().saturating_add(1));
        let mut checker = facts.checker();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => {
                    checker.add(&buffer[..read]);
                    out.write_all(&buffer[..read])?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(FetchError::Failed(error.to_string()))),
            }
        }
        if checker.ends_as_the_file() { Ok(()) } else { Err(TufError::OtherTarget) }
    }
}

impl fmt::Debug for Repository<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository").finish_non_exhaustive()
    }
}

/// A role to be asked, and the keys that its delegator gave.
struct Waiting {
    delegation: Delegation,
    keys: Rc<Keys>,
}

/// Puts the roles that are to be asked about a file on the stack, first on top.
/// Where there are more than are ever asked, nobody comes after them.
fn queue(waiting: &mut Vec<Waiting>, delegator: &Targets, name: &TargetName) {
    let mut children = Vec::new();
    let keys = Rc::new(delegator.delegations.keys.clone());
    for delegation in delegator.delegations.roles.iter().filter(|role| role.covers(name)) {
        children.push(Waiting { delegation: delegation.clone(), keys: Rc::clone(&keys) });
        if delegation.terminating || children.len() == MOST_DELEGATIONS {
            waiting.clear();
            break;
        }
    }
    waiting.extend(children.into_iter().rev());
}

/// One update on its way.
struct Update<'a> {
    transport: &'a dyn Transport,
    trusted: &'a mut dyn Trusted,
    now: SystemTime,
}

impl Update<'_> {
    /// 5.2 and 5.3.
    fn root(&mut self) -> Result<Root, TufError> {
        let role = Role::root();
        let bytes = self.trusted.load(&role)?.ok_or(TufError::NoRoot)?;
        let document = Document::<Root>::read(&role, &bytes)?;
        let itself = document.unverified();
        document.check(&itself.keys, &itself.roles.root)?;
        let mut root = document.into_verified();
        let mut are_rotated = false;
        for _ in 0..MOST_ROOTS {
            let version = root.header().version.saturating_add(1);
            let file = format!("metadata/{version}.{}", role.file());
            let bytes = match self.fetch(&role, &file, MOST_ROOT_BYTES) {
                Err(TufError::Fetch { reason: FetchError::NotFound, .. }) => break,
                fetched => fetched?,
            };
            let document = Document::<Root>::read(&role, &bytes)?;
            document.check(&root.keys, &root.roles.root)?;
            let next = document.unverified();
            document.check(&next.keys, &next.roles.root)?;
            if next.header().version != version {
                return Err(TufError::OtherVersion(role));
            }
            let next = document.into_verified();
            self.trusted.save(&role, &bytes)?;
            are_rotated |= [
                (&root.roles.timestamp, &next.roles.timestamp),
                (&root.roles.snapshot, &next.roles.snapshot),
            ]
            .iter()
            .any(|(old, new)| !old.remain(&root.keys, new, &next.keys));
            root = next;
        }
        if are_rotated {
            // 5.3.11: whoever held a key that was taken away may have set
            // versions so high that no honest one is above them.
            self.trusted.forget(&Role::timestamp())?;
            self.trusted.forget(&Role::snapshot())?;
        }
        self.fresh(&role, &root)?;
        Ok(root)
    }

    /// 5.4.
    fn timestamp(&mut self, root: &Root) -> Result<Timestamp, TufError> {
        let role = Role::timestamp();
        let signers = &root.roles.timestamp;
        let old = self.saved::<Timestamp>(&role, &root.keys, signers)?;
        let bytes = self.fetch(&role, "metadata/timestamp.json", MOST_TIMESTAMP_BYTES)?;
        let new = Document::<Timestamp>::read(&role, &bytes)?.verify(&root.keys, signers)?;
        if let Some(old) = old {
            let version = old.header().version;
            if new.header().version < version {
                return Err(TufError::Rollback(role));
            }
            if new.header().version == version {
                self.fresh(&role, &old)?;
                return Ok(old);
            }
            let of = |timestamp: &Timestamp| timestamp.snapshot().map(|meta| meta.version);
            if of(&new) < of(&old) {
                return Err(TufError::Rollback(Role::snapshot()));
            }
        }
        self.fresh(&role, &new)?;
        self.trusted.save(&role, &bytes)?;
        Ok(new)
    }

    /// 5.5.
    fn snapshot(&mut self, root: &Root, meta: &Meta) -> Result<Snapshot, TufError> {
        let role = Role::snapshot();
        let signers = &root.roles.snapshot;
        let old = match self.saved::<Snapshot>(&role, &root.keys, signers)? {
            Some(old)
                if old.header().version == meta.version && self.fresh(&role, &old).is_ok() =>
            {
                return Ok(old);
            }
            old => old,
        };
        let bytes = self.promised(root, &role, meta, MOST_SNAPSHOT_BYTES)?;
        let new = Document::<Snapshot>::read(&role, &bytes)?.verify(&root.keys, signers)?;
        if new.header().version != meta.version {
            return Err(TufError::OtherVersion(role));
        }
        for (file, before) in old.iter().flat_map(|old| &old.meta) {
            if new.meta.get(file).is_none_or(|now| now.version < before.version) {
                let name = file.strip_suffix(".json").unwrap_or(file);
                return Err(TufError::Rollback(Role::new(name)));
            }
        }
        self.fresh(&role, &new)?;
        self.trusted.save(&role, &bytes)?;
        Ok(new)
    }

    /// 5.6, for the top-level role as for one delegated to.
    fn targets(
        &mut self,
        root: &Root,
        snapshot: &Snapshot,
        role: &Role,
        keys: &Keys,
        signers: &Signers,
    ) -> Result<Targets, TufError> {
        let meta = snapshot
            .meta
            .get(&format!("{}.json", role.0))
            .ok_or_else(|| TufError::NoRole(role.clone()))?;
        if let Some(bytes) = self.trusted.load(role)?
            && meta.is_of(&bytes)
            && let Some(old) = verified::<Targets>(role, &bytes, keys, signers)
            && old.header().version == meta.version
            && self.fresh(role, &old).is_ok()
        {
            return Ok(old);
        }
        let bytes = self.promised(root, role, meta, MOST_TARGETS_BYTES)?;
        let new = Document::<Targets>::read(role, &bytes)?.verify(keys, signers)?;
        if new.header().version != meta.version {
            return Err(TufError::OtherVersion(role.clone()));
        }
        self.fresh(role, &new)?;
        self.trusted.save(role, &bytes)?;
        Ok(new)
    }

    /// Saved metadata, if the keys of today have signed it. It may have expired.
    fn saved<T: Contents>(
        &self,
        role: &Role,
        keys: &Keys,
        signers: &Signers,
    ) -> Result<Option<T>, TufError> {
        let bytes = self.trusted.load(role)?;
        Ok(bytes.and_then(|bytes| verified(role, &bytes, keys, signers)))
    }

    fn fresh<T: Contents>(&self, role: &Role, contents: &T) -> Result<(), TufError> {
        if contents.header().expires.has_passed(self.now) {
            Err(TufError::Expired(role.clone()))
        } else {
            Ok(())
        }
    }

    /// The document that other metadata promises.
    fn promised(
        &self,
        root: &Root,
        role: &Role,
        meta: &Meta,
        most: u64,
    ) -> Result<Vec<u8>, TufError> {
        let version = match root.consistent_snapshot {
            true => format!("{}.", meta.version),
            false => String::new(),
        };
        let file = format!("metadata/{version}{}", role.file());
        let bytes = match self.fetch(role, &file, meta.length.unwrap_or(most).min(most)) {
            Err(TufError::TooLong(role)) if meta.length.is_some_and(|length| length <= most) => {
                return Err(TufError::OtherContents(role));
            }
            fetched => fetched?,
        };
        if meta.is_of(&bytes) { Ok(bytes) } else { Err(TufError::OtherContents(role.clone())) }
    }

    fn fetch(&self, role: &Role, file: &str, most: u64) -> Result<Vec<u8>, TufError> {
        let failed = |reason| TufError::Fetch { file: file.to_owned(), reason };
        let mut bytes = Vec::new();
        let read =
            self.transport.open(file).map_err(failed)?.take(most + 1).read_to_end(&mut bytes);
        read.map_err(|error| failed(FetchError::Failed(error.to_string())))?;
        if bytes.len() as u64 > most { Err(TufError::TooLong(role.clone())) } else { Ok(bytes) }
    }
}

/// Whether these bytes are a root that its own keys have signed.
pub(super) fn is_root(bytes: &[u8]) -> bool {
    Document::<Root>::read(&Role::root(), bytes).is_ok_and(|document| {
        let root = document.unverified();
        document.check(&root.keys, &root.roles.root).is_ok()
    })
}

/// When the timestamp in these bytes, which were verified before, expires.
pub(super) fn expiry(timestamp: &[u8]) -> Option<SystemTime> {
    let document = Document::<Timestamp>::read(&Role::timestamp(), timestamp).ok()?;
    Some(document.unverified().header().expires.moment())
}

/// How many keys have to sign the targets, and whose each of them is and whether it
/// has signed; by a root and targets in these bytes, which were verified before.
pub(super) fn signers(root: &[u8], targets: &[u8]) -> Option<(u64, Vec<(String, bool)>)> {
    let root: Document<Root> = Document::read(&Role::root(), root).ok()?;
    let Root { keys, roles, .. } = root.unverified();
    let targets = Document::<Targets>::read(&Role::targets(), targets).ok()?;
    Some((roles.targets.threshold(), targets.signed_by(keys, &roles.targets)))
}

fn verified<T: Contents>(role: &Role, bytes: &[u8], keys: &Keys, signers: &Signers) -> Option<T> {
    Document::read(role, bytes).and_then(|document| document.verify(keys, signers)).ok()
}

// The reference implementation's numbers.
const MOST_ROOTS: u32 = 256;
const MOST_DELEGATIONS: usize = 32;
const MOST_ROOT_BYTES: u64 = 512_000;
const MOST_TIMESTAMP_BYTES: u64 = 16_384;
const MOST_SNAPSHOT_BYTES: u64 = 2_000_000;
const MOST_TARGETS_BYTES: u64 = 5_000_000;

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use serde_json::json;

    use super::{MOST_DELEGATIONS, TargetName, queue};

    #[test]
    fn delegations_without_number_wait_no_longer_than_they_are_asked() {
        let role = |n| json!({ "name": n, "keyids": [], "threshold": 1, "paths": ["*"] });
        let roles: Vec<_> = (0..10_000).map(|n| role(n.to_string())).collect();
        let targets = serde_json::from_value(json!({ "_type": "targets", "spec_version": "1.0",
            "version": 1, "expires": "2100-01-01T00:00:00Z", "targets": {},
            "delegations": { "keys": {}, "roles": roles } }));
        let mut waiting = Vec::new();
        queue(&mut waiting, &targets.expect("targets"), &TargetName::new("a").expect("a name"));
        assert_eq!(waiting.len(), MOST_DELEGATIONS);
        let keys = &waiting[0].keys;
        assert!(waiting.iter().all(|one| Rc::ptr_eq(&one.keys, keys)));
    }
}
