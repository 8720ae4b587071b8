//! Keys, and how many of them have signed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use p256::pkcs8::DecodePublicKey;
use serde::Deserialize;
use serde_json::Value;

/// What metadata calls a key. Whoever signs the metadata chooses it (TAP 12), so
/// it says nothing about the key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub(super) struct KeyId(String);

/// The keys that a role's metadata may be signed with, and how many have to.
#[derive(Clone, Deserialize)]
pub(super) struct Signers {
    keyids: BTreeSet<KeyId>,
    threshold: u64,
    /// Whose the keys are, by presend's publisher. In other repositories it may be
    /// anything.
    #[serde(default, rename = "x-presend-organisations")]
    organisations: Value,
}

/// The keys that metadata brings along.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Keys(BTreeMap<KeyId, Key>);

/// One signature: under the key so named, in hexadecimal.
#[derive(Deserialize)]
pub(super) struct Signature {
    keyid: KeyId,
    sig: String,
}

impl Signers {
    /// A threshold of nothing would let anything pass.
    pub(super) fn are_possible(&self) -> bool {
        self.threshold > 0
    }

    /// How many have to sign.
    pub(super) fn threshold(&self) -> u64 {
        self.threshold
    }

    /// Whose each of the keys is, by the key's own name where nobody is named, and
    /// whether it has signed the message.
    pub(super) fn each(
        &self,
        keys: &Keys,
        message: &[u8],
        signatures: &[Signature],
    ) -> Vec<(String, bool)> {
        let each = self.keyids.iter().map(|id| {
            let alone = BTreeSet::from([id.clone()]);
            let alone = Self { keyids: alone, threshold: 1, organisations: Value::Null };
            let organisation = self.organisations.get(&id.0).and_then(Value::as_str);
            (organisation.unwrap_or(&id.0).to_owned(), alone.have_signed(keys, message, signatures))
        });
        each.collect()
    }

    /// Whether as many of these keys as it takes have signed the message. A key
    /// counts once, under however many names it comes.
    pub(super) fn have_signed(
        &self,
        keys: &Keys,
        message: &[u8],
        signatures: &[Signature],
    ) -> bool {
        let signed: BTreeSet<&Key> = signatures
            .iter()
            .filter(|signature| self.keyids.contains(&signature.keyid))
            .filter_map(|signature| keys.0.get(&signature.keyid).map(|key| (key, signature)))
            .filter(|(key, signature)| {
                unhex(&signature.sig).is_some_and(|sig| key.verifies(message, &sig))
            })
            .map(|(key, _)| key)
            .collect();
        self.are_possible() && signed.len() as u64 >= self.threshold
    }

    /// Whether each of these keys is among those of `later`.
    pub(super) fn remain(&self, keys: &Keys, later: &Self, later_keys: &Keys) -> bool {
        let of = |signers: &Self, keys: &Keys| -> BTreeSet<Key> {
            signers.keyids.iter().filter_map(|id| keys.0.get(id).cloned()).collect()
        };
        of(self, keys).is_subset(&of(later, later_keys))
    }
}

/// Whether no key has signed twice, which the specification forbids.
pub(super) fn are_unique(signatures: &[Signature]) -> bool {
    let names: BTreeSet<&KeyId> = signatures.iter().map(|signature| &signature.keyid).collect();
    names.len() == signatures.len()
}

/// A public key. One of a kind that presend does not know verifies nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(from = "Value")]
enum Key {
    Ed25519([u8; 32]),
    /// As an uncompressed point.
    P256(Vec<u8>),
    Unknown,
}

impl Key {
    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => {
                let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(key) else { return false };
                let Ok(signature) = ed25519_dalek::Signature::from_slice(signature) else {
                    return false;
                };
                // Strict: no signature that other implementations judge otherwise.
                key.verify_strict(message, &signature).is_ok()
            }
            Self::P256(point) => {
                use p256::ecdsa::signature::Verifier as _;
                let Ok(key) = p256::ecdsa::VerifyingKey::from_sec1_bytes(point) else {
                    return false;
                };
                let Ok(signature) = p256::ecdsa::Signature::from_der(signature) else {
                    return false;
                };
                key.verify(message, &signature).is_ok()
            }
            Self::Unknown => false,
        }
    }
}

/// Anything is a key; what it is not is one we know.
impl From<Value> for Key {
    fn from(value: Value) -> Self {
        let field = |value: &Value, name: &str| Some(value.get(name)?.as_str()?.to_owned());
        let public = value.get("keyval").and_then(|keyval| field(keyval, "public"));
        let (Some(keytype), Some(scheme), Some(public)) =
            (field(&value, "keytype"), field(&value, "scheme"), public)
        else {
            return Self::Unknown;
        };
        match (keytype.as_str(), scheme.as_str()) {
            ("ed25519", "ed25519") => {
                unhex(&public).and_then(|key| key.try_into().ok()).map(Self::Ed25519)
            }
            // The second name of the type is that of the specification before 1.0.
            ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => {
                p256::ecdsa::VerifyingKey::from_public_key_pem(&public)
                    .ok()
                    .map(|key| Self::P256(key.to_sec1_point(false).as_bytes().to_vec()))
            }
            _ => None,
        }
        .unwrap_or(Self::Unknown)
    }
}

/// The name alone tells nothing apart that a log should hold.
impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyId")
    }
}

/// The bytes that hexadecimal digits of either case stand for.
pub(in crate::update) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: &u8| char::from(*c).to_digit(16).map(|value| value as u8);
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks(2).map(|pair| Some(digit(&pair[0])? << 4 | digit(&pair[1])?)).collect()
}
