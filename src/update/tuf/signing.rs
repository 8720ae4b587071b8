//! What a publisher asks: how a document is to be signed, and who has.
//!
//! The answers are the client's, so that nothing is taken for signed that a
//! client would not.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::key::{Signature, Signers};
use super::metadata::{Contents, Document, Root, Snapshot, Targets, Timestamp};
use super::time::Expiry;
use super::{Role, TufError};

pub(crate) use super::json::{canonical, parse};

/// How far the signing of a document has come, by one root.
pub(crate) struct Signed {
    /// The keys of the role, and whether each has signed.
    pub(crate) by: BTreeMap<String, bool>,
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
    let (named, malformed) = (Role::new(role), |role: &Role| TufError::Malformed(role.clone()));
    let facts = parse(root).and_then(|root| Some(root.get("signed")?.get("roles")?.clone()));
    let facts = facts.and_then(|roles| roles.get(role).cloned());
    let facts = facts.ok_or_else(|| malformed(&Role::root()))?;
    let root = Document::<Root>::read(&Role::root(), root)?.into_verified();
    let roles = &root.roles;
    let signers = match role {
        "root" => &roles.root,
        "targets" => &roles.targets,
        "snapshot" => &roles.snapshot,
        _ => &roles.timestamp,
    };
    let enough = Document::<T>::read(&named, document)?.check(&root.keys, signers).is_ok();
    let read = parse(document).ok_or_else(|| malformed(&named))?;
    let message = read.get("signed").and_then(canonical).ok_or_else(|| malformed(&named))?;
    let signatures: Vec<Signature> = read
        .get("signatures")
        .and_then(|signatures| serde_json::from_value(signatures.clone()).ok())
        .ok_or_else(|| malformed(&named))?;
    let ids = facts.get("keyids").and_then(Value::as_array).into_iter().flatten();
    let by = ids
        .filter_map(|id| {
            let alone = json!({ "keyids": [id], "threshold": 1 });
            let alone: Signers = serde_json::from_value(alone).ok()?;
            let has = alone.have_signed(&root.keys, &message, &signatures);
            Some((id.as_str()?.to_owned(), has))
        })
        .collect();
    let threshold = facts.get("threshold").and_then(Value::as_u64).unwrap_or(u64::MAX);
    Ok(Signed { by, threshold, enough })
}

/// So many days after `now`, as metadata says it.
pub(crate) fn expiry(now: SystemTime, days: u64) -> Option<String> {
    Expiry::after(now, days).map(|expiry| expiry.to_string())
}

/// Seconds that are left of metadata with this `expires`.
pub(crate) fn left(expires: &str, now: SystemTime) -> Option<u64> {
    Expiry::parse(expires).map(|expiry| expiry.left(now))
}
