//! What a publisher asks: how a document is to be signed, and who has.
//!
//! The answers are the client's, so that nothing is taken for signed that a
//! client would not.

use std::time::SystemTime;

use super::metadata::{Contents, Document, Root, Snapshot, Targets, Timestamp};
use super::time::Expiry;
use super::{Role, TufError};

pub(crate) use super::json::{canonical, parse};

/// How far the signing of a document has come, by one root.
pub(crate) struct Signed {
    /// Whose the keys of the role are, and whether they have signed.
    pub(crate) by: Vec<(String, bool)>,
    /// How many have to.
    pub(crate) threshold: u64,
    /// Whether a client is content.
    pub(crate) enough: bool,
}

/// Judges a document of the role by a root that is trusted.
pub(crate) fn signed(role: &str, document: &[u8], root: &[u8]) -> Result<Signed, TufError> {
    match role {
        "root" => judge::<Root>(role, document, root),
        "targets" => judge::<Targets>(role, document, root),
        "snapshot" => judge::<Snapshot>(role, document, root),
        _ => judge::<Timestamp>(role, document, root),
    }
}

fn judge<T: Contents>(role: &str, document: &[u8], root: &[u8]) -> Result<Signed, TufError> {
    let Root { keys, roles, .. } = Document::read(&Role::root(), root)?.into_verified();
    let signers = match role {
        "root" => &roles.root,
        "targets" => &roles.targets,
        "snapshot" => &roles.snapshot,
        _ => &roles.timestamp,
    };
    let document = Document::<T>::read(&Role::new(role), document)?;
    Ok(Signed {
        by: document.signed_by(&keys, signers),
        threshold: signers.threshold(),
        enough: document.check(&keys, signers).is_ok(),
    })
}

/// So many days after `now`, as metadata says it.
pub(crate) fn expiry(now: SystemTime, days: u64) -> Option<String> {
    Expiry::after(now, days).map(|expiry| expiry.to_string())
}

/// Seconds that are left of metadata with this `expires`.
pub(crate) fn left(expires: &str, now: SystemTime) -> Option<u64> {
    Expiry::parse(expires).map(|expiry| expiry.left(now))
}
