//! The documents of a TUF repository, as far as a client needs them.
//!
//! Fields that are not named here are signed like the others, and ignored.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha512};

use super::delegation::{Delegations, TargetName};
use super::key::{self, Keys, Signature, Signers};
use super::time::Expiry;
use super::{Role, TufError, json};

/// A document that has been read and not verified.
pub(super) struct Document<T> {
    role: Role,
    message: Vec<u8>,
    signatures: Vec<Signature>,
    contents: T,
}

/// What all roles' documents begin with.
#[derive(Clone, Deserialize)]
pub(super) struct Header {
    #[serde(rename = "_type")]
    kind: String,
    spec_version: String,
    pub(super) version: u64,
    pub(super) expires: Expiry,
}

/// The contents of one kind of document.
pub(super) trait Contents: DeserializeOwned {
    /// What the document says it is.
    const KIND: &'static str;

    fn header(&self) -> &Header;

    /// Whether the fields fit each other.
    fn is_sound(&self) -> bool {
        true
    }
}

impl<T: Contents> Document<T> {
    pub(super) fn read(role: &Role, bytes: &[u8]) -> Result<Self, TufError> {
        Self::parse(role, bytes).ok_or_else(|| TufError::Malformed(role.clone()))
    }

    fn parse(role: &Role, bytes: &[u8]) -> Option<Self> {
        let mut document = json::parse(bytes)?;
        let signed = document.get_mut("signed").map(Value::take)?;
        let signatures = document.get_mut("signatures").map(Value::take)?;
        let message = json::canonical(&signed)?;
        let signatures: Vec<Signature> = serde_json::from_value(signatures).ok()?;
        // The contents come from the value that the message was written from,
        // so that nothing is believed which is not signed.
        let contents: T = serde_json::from_value(signed).ok()?;
        let header = contents.header();
        let is_sound = header.kind == T::KIND
            && header.spec_version.split('.').next() == Some("1")
            && header.version > 0
            && key::are_unique(&signatures)
            && contents.is_sound();
        is_sound.then(|| Self { role: role.clone(), message, signatures, contents })
    }

    /// The contents, if these keys have signed them.
    pub(super) fn verify(self, keys: &Keys, signers: &Signers) -> Result<T, TufError> {
        self.check(keys, signers)?;
        Ok(self.into_verified())
    }

    pub(super) fn check(&self, keys: &Keys, signers: &Signers) -> Result<(), TufError> {
        if signers.have_signed(keys, &self.message, &self.signatures) {
            Ok(())
        } else {
            Err(TufError::Unsigned(self.role.clone()))
        }
    }

    /// Whose each of a role's keys is, and whether it has signed.
    pub(super) fn signed_by(&self, keys: &Keys, signers: &Signers) -> Vec<(String, bool)> {
        signers.each(keys, &self.message, &self.signatures)
    }

    /// The contents, after the caller has checked them.
    pub(super) fn into_verified(self) -> T {
        self.contents
    }

    /// What the document says about itself before anybody has vouched for it.
    pub(super) fn unverified(&self) -> &T {
        &self.contents
    }
}

/// Who may sign what.
#[derive(Deserialize)]
pub(super) struct Root {
    #[serde(flatten)]
    header: Header,
    #[serde(default)]
    pub(super) consistent_snapshot: bool,
    pub(super) keys: Keys,
    pub(super) roles: Roles,
}

/// Each top-level role has its signers.
#[derive(Deserialize)]
pub(super) struct Roles {
    pub(super) root: Signers,
    pub(super) timestamp: Signers,
    pub(super) snapshot: Signers,
    pub(super) targets: Signers,
}

impl Contents for Root {
    const KIND: &'static str = "root";

    fn header(&self) -> &Header {
        &self.header
    }

    fn is_sound(&self) -> bool {
        let Roles { root, timestamp, snapshot, targets } = &self.roles;
        [root, timestamp, snapshot, targets].iter().all(|signers| signers.are_possible())
    }
}

/// Which snapshot is the latest.
#[derive(Deserialize)]
pub(super) struct Timestamp {
    #[serde(flatten)]
    header: Header,
    meta: BTreeMap<String, Meta>,
}

impl Timestamp {
    pub(super) fn snapshot(&self) -> Option<&Meta> {
        self.meta.get("snapshot.json")
    }
}

impl Contents for Timestamp {
    const KIND: &'static str = "timestamp";

    fn header(&self) -> &Header {
        &self.header
    }

    fn is_sound(&self) -> bool {
        self.snapshot().is_some_and(Meta::is_sound)
    }
}

/// Which version of each targets document belongs to one release.
#[derive(Deserialize)]
pub(super) struct Snapshot {
    #[serde(flatten)]
    header: Header,
    pub(super) meta: BTreeMap<String, Meta>,
}

impl Contents for Snapshot {
    const KIND: &'static str = "snapshot";

    fn header(&self) -> &Header {
        &self.header
    }

    fn is_sound(&self) -> bool {
        self.meta.values().all(Meta::is_sound)
    }
}

/// Which files there are, and who may name more.
#[derive(Clone, Deserialize)]
pub(in crate::update) struct Targets {
    #[serde(flatten)]
    header: Header,
    pub(super) targets: BTreeMap<String, FileFacts>,
    #[serde(default)]
    pub(super) delegations: Delegations,
}

impl Targets {
    pub(in crate::update) fn file(&self, name: &TargetName) -> Option<&FileFacts> {
        self.targets.get(name.as_str())
    }

    /// Every file, by name.
    pub(in crate::update) fn files(&self) -> impl Iterator<Item = (&str, &FileFacts)> {
        self.targets.iter().map(|(name, facts)| (name.as_str(), facts))
    }
}

impl Contents for Targets {
    const KIND: &'static str = "targets";

    fn header(&self) -> &Header {
        &self.header
    }

    fn is_sound(&self) -> bool {
        self.delegations.are_sound() && self.targets.values().all(FileFacts::is_sound)
    }
}

/// What a document says about another one.
#[derive(Clone, Deserialize)]
pub(super) struct Meta {
    pub(super) version: u64,
    pub(super) length: Option<u64>,
    #[serde(default)]
    hashes: Option<Hashes>,
}

impl Meta {
    fn is_sound(&self) -> bool {
        self.version > 0 && self.hashes.as_ref().is_none_or(Hashes::are_sound)
    }

    /// Whether this is the document meant, as far as hashes and length tell.
    pub(super) fn is_of(&self, bytes: &[u8]) -> bool {
        self.length.is_none_or(|length| length == bytes.len() as u64)
            && self.hashes.as_ref().is_none_or(|hashes| hashes.are_of(bytes))
    }
}

/// What is signed about a target file.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct FileFacts {
    length: u64,
    hashes: Hashes,
    #[serde(default)]
    custom: Option<Value>,
}

impl FileFacts {
    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether these bytes are the file.
    pub fn are_of(&self, bytes: &[u8]) -> bool {
        self.length == bytes.len() as u64 && self.hashes.are_of(bytes)
    }

    /// A name for the file that its contents decide: one of its hashes.
    pub fn digest(&self) -> &str {
        self.hashes.prefix()
    }

    /// Its SHA-256, if that is signed.
    #[cfg(feature = "log")]
    pub(in crate::update) fn sha256(&self) -> Option<[u8; 32]> {
        key::unhex(self.hashes.sha256.as_ref()?)?.try_into().ok()
    }

    /// What the publisher says about the file beyond that, under a name of its own.
    pub(in crate::update) fn custom(&self, name: &str) -> Option<&Value> {
        self.custom.as_ref()?.get(name)
    }

    pub(super) fn checker(&self) -> Checker<'_> {
        Checker { facts: self, length: 0, sha256: Sha256::new(), sha512: Sha512::new() }
    }

    fn is_sound(&self) -> bool {
        self.hashes.are_sound()
    }
}

impl std::fmt::Debug for FileFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileFacts").field("length", &self.length).finish_non_exhaustive()
    }
}

/// Compares a file with its facts while it comes in.
pub(super) struct Checker<'f> {
    facts: &'f FileFacts,
    length: u64,
    sha256: Sha256,
    sha512: Sha512,
}

impl Checker<'_> {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        let Hashes { sha256, sha512 } = &self.facts.hashes;
        if sha256.is_some() {
            self.sha256.update(bytes);
        }
        if sha512.is_some() {
            self.sha512.update(bytes);
        }
    }

    pub(super) fn ends_as_the_file(self) -> bool {
        self.length == self.facts.length
            && self.facts.hashes.equal(&self.sha256.finalize(), &self.sha512.finalize())
    }
}

/// Digests by algorithm, in hexadecimal; others than these two are ignored.
#[derive(Clone, PartialEq, Eq, Deserialize)]
struct Hashes {
    sha256: Option<String>,
    sha512: Option<String>,
}

impl Hashes {
    /// One that presend knows must be there, and be one.
    fn are_sound(&self) -> bool {
        let fits = |digest: &Option<String>, length: usize| {
            digest.as_ref().is_none_or(|hex| {
                hex.len() == 2 * length
                    && hex.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
            })
        };
        (self.sha256.is_some() || self.sha512.is_some())
            && fits(&self.sha256, 32)
            && fits(&self.sha512, 64)
    }

    fn are_of(&self, bytes: &[u8]) -> bool {
        self.equal(&Sha256::digest(bytes), &Sha512::digest(bytes))
    }

    fn equal(&self, sha256: &[u8], sha512: &[u8]) -> bool {
        let is = |digest: &Option<String>, bytes: &[u8]| {
            digest.as_ref().is_none_or(|hex| key::unhex(hex).is_some_and(|of| of == bytes))
        };
        self.are_sound() && is(&self.sha256, sha256) && is(&self.sha512, sha512)
    }

    /// What a consistent repository puts before the file's name.
    fn prefix(&self) -> &str {
        self.sha256.as_deref().or(self.sha512.as_deref()).unwrap_or_default()
    }
}
