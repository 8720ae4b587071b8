//! The keys that releases are signed with, in files.
//!
//! A private key is PKCS#8 in PEM (RFC 5958), encrypted by PBES2 with scrypt and
//! AES-256 where a passphrase is given: what OpenSSL reads and writes. A public
//! key is JSON as TUF's metadata has it.

use std::fmt;

use ed25519_dalek::Signer as _;
use pkcs8::pkcs5::{pbes2, scrypt};
use pkcs8::{
    DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _,
    EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::build::encode_hex;
use crate::update::tuf::signing::canonical;

/// Signature schemes that a key can be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyType {
    /// Ed25519.
    Ed25519,
    /// ECDSA on P-256 with SHA-256, which hardware tokens and key services offer.
    EcdsaP256,
}

impl KeyType {
    /// Every type.
    pub const ALL: [Self; 2] = [Self::Ed25519, Self::EcdsaP256];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256 => "ecdsa-p256",
        }
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|of| of.name() == name)
    }
}

/// A key that signs. What it holds is wiped when it goes.
pub struct PrivateKey(Secret);

enum Secret {
    Ed25519(ed25519_dalek::SigningKey),
    P256(p256::SecretKey),
}

/// A key that verifies.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    id: String,
    value: Value,
}

/// A key cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is no private key.
    #[error("not a private key in PEM (PKCS#8)")]
    NotPrivate,
    /// The text is no public key.
    #[error("not a public key as `keygen` writes it, nor one in PEM")]
    NotPublic,
    /// A key of another kind.
    #[error("the key is neither Ed25519 nor ECDSA P-256")]
    OtherType,
    /// The key is encrypted.
    #[error("the key is encrypted: its passphrase is needed")]
    Encrypted,
    /// The passphrase does not open it.
    #[error("the passphrase does not open the key")]
    Passphrase,
    /// The system gave no random numbers.
    #[error("the system gave no random numbers")]
    Random,
}

impl PrivateKey {
    /// A new key from the system's random numbers.
    ///
    /// # Errors
    /// [`KeyError::Random`] when there are none.
    pub fn generate(of: KeyType) -> Result<Self, KeyError> {
        loop {
            let mut secret = Zeroizing::new([0; 32]);
            getrandom::fill(&mut *secret).map_err(|_| KeyError::Random)?;
            match of {
                KeyType::Ed25519 => return Ok(Self(Secret::Ed25519((&*secret).into()))),
                // One in 2^32 numbers of that length is none of the curve's.
                KeyType::EcdsaP256 => {
                    if let Ok(key) = p256::SecretKey::from_slice(&*secret) {
                        return Ok(Self(Secret::P256(key)));
                    }
                }
            }
        }
    }

    /// Whether a file's text is a key under a passphrase.
    pub fn is_encrypted(pem: &str) -> bool {
        pem.contains(ENCRYPTED_LABEL)
    }

    /// Reads a key file, with the passphrase if it has one.
    ///
    /// # Errors
    /// [`KeyError`] says what the file is instead.
    pub fn from_pem(pem: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
        let document = SecretDocument::from_pem(pem.trim_start());
        let (label, document) = document.map_err(|_| KeyError::NotPrivate)?;
        if label != ENCRYPTED_LABEL {
            return Self::from_der(document.as_bytes());
        }
        let passphrase = passphrase.ok_or(KeyError::Encrypted)?;
        let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes());
        let encrypted = encrypted.map_err(|_| KeyError::NotPrivate)?;
        let document = encrypted.decrypt(passphrase).map_err(|_| KeyError::Passphrase)?;
        Self::from_der(document.as_bytes())
    }

    fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        if let Ok(key) = ed25519_dalek::SigningKey::from_pkcs8_der(der) {
            return Ok(Self(Secret::Ed25519(key)));
        }
        if let Ok(key) = p256::SecretKey::from_pkcs8_der(der) {
            return Ok(Self(Secret::P256(key)));
        }
        let is_a_key = PrivateKeyInfoRef::try_from(der).is_ok();
        Err(if is_a_key { KeyError::OtherType } else { KeyError::NotPrivate })
    }

    /// The text of a key file, under the passphrase if one is given.
    ///
    /// # Errors
    /// [`KeyError::Random`] when the system gives no salt.
    pub fn to_pem(&self, passphrase: Option<&str>) -> Result<Zeroizing<String>, KeyError> {
        let document = match &self.0 {
            // Without the public key: OpenSSL 3.0 reads no other form.
            Secret::Ed25519(key) => {
                let secret_key = key.to_bytes();
                ed25519_dalek::pkcs8::KeypairBytes { secret_key, public_key: None }.to_pkcs8_der()
            }
            Secret::P256(key) => key.to_pkcs8_der(),
        };
        let failed = |_| KeyError::NotPrivate;
        let document = document.map_err(failed)?;
        let Some(passphrase) = passphrase else {
            return document.to_pem(PLAIN_LABEL, LineEnding::LF).map_err(|_| KeyError::NotPrivate);
        };
        let (mut salt, mut iv) = ([0; 16], [0; 16]);
        getrandom::fill(&mut salt).map_err(|_| KeyError::Random)?;
        getrandom::fill(&mut iv).map_err(|_| KeyError::Random)?;
        let [log_n, r, p] = SCRYPT;
        let cost = scrypt::Params::new(log_n as u8, r, p).map_err(|_| KeyError::NotPrivate)?;
        let scheme = pbes2::Parameters::generate_scrypt_aes256cbc(cost, &salt, iv);
        let scheme = scheme.map_err(|_| KeyError::NotPrivate)?;
        let key = PrivateKeyInfoRef::try_from(document.as_bytes()).map_err(failed)?;
        let encrypted = key.encrypt_with_params(scheme, passphrase).map_err(failed)?;
        encrypted.to_pem(ENCRYPTED_LABEL, LineEnding::LF).map_err(|_| KeyError::NotPrivate)
    }

    /// The key that verifies what this one signs.
    pub fn public(&self) -> PublicKey {
        match &self.0 {
            Secret::Ed25519(key) => PublicKey::ed25519(key.verifying_key().as_bytes()),
            Secret::P256(key) => PublicKey::p256(&key.public_key()),
        }
    }

    /// The signature, in hexadecimal as TUF's metadata has it.
    pub(super) fn sign(&self, message: &[u8]) -> String {
        match &self.0 {
            Secret::Ed25519(key) => encode_hex(&key.sign(message).to_bytes()),
            Secret::P256(key) => {
                let key = p256::ecdsa::SigningKey::from(key);
                let signature: p256::ecdsa::Signature = key.sign(message);
                encode_hex(signature.to_der().as_bytes())
            }
        }
    }
}

impl PublicKey {
    /// Reads what [`to_json`](Self::to_json) writes, or SubjectPublicKeyInfo in
    /// PEM, as hardware and key services give it.
    ///
    /// # Errors
    /// [`KeyError`] says what the text is instead.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        if text.trim_start().starts_with("-----BEGIN") {
            if let Ok(key) = ed25519_dalek::VerifyingKey::from_public_key_pem(text.trim()) {
                return Ok(Self::ed25519(key.as_bytes()));
            }
            let key = p256::PublicKey::from_public_key_pem(text.trim());
            return key.map(|key| Self::p256(&key)).map_err(|_| KeyError::OtherType);
        }
        let value: Value = serde_json::from_str(text).map_err(|_| KeyError::NotPublic)?;
        let public = value.get("keyval").and_then(|keyval| keyval.get("public")?.as_str());
        let public = public.ok_or(KeyError::NotPublic)?;
        let key = match value.get("scheme").and_then(Value::as_str) {
            Some("ed25519") => {
                let bytes = crate::hash::decode_hex(public).and_then(|key| key.try_into().ok());
                let bytes: [u8; 32] = bytes.ok_or(KeyError::NotPublic)?;
                let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes);
                Self::ed25519(key.map_err(|_| KeyError::NotPublic)?.as_bytes())
            }
            Some("ecdsa-sha2-nistp256") => {
                let key = p256::PublicKey::from_public_key_pem(public);
                Self::p256(&key.map_err(|_| KeyError::NotPublic)?)
            }
            _ => return Err(KeyError::OtherType),
        };
        let same_id = value.get("keyid").is_none_or(|id| id.as_str() == Some(&key.id));
        if same_id { Ok(key) } else { Err(KeyError::NotPublic) }
    }

    /// What metadata calls the key: the SHA-256 of its canonical form.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The text of a file: `keyid`, `keytype`, `scheme` and `keyval`.
    pub fn to_json(&self) -> String {
        let mut value = self.value.clone();
        value["keyid"] = json!(self.id);
        format!("{value:#}\n")
    }

    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    fn ed25519(key: &[u8; 32]) -> Self {
        Self::new("ed25519", "ed25519", encode_hex(key))
    }

    fn p256(key: &p256::PublicKey) -> Self {
        let pem = key.to_public_key_pem(LineEnding::LF);
        Self::new("ecdsa", "ecdsa-sha2-nistp256", pem.expect("a point of the curve has a PEM form"))
    }

    fn new(keytype: &str, scheme: &str, public: String) -> Self {
        let value = json!({ "keytype": keytype, "scheme": scheme, "keyval": { "public": public } });
        let canonical = canonical(&value).expect("strings have a canonical form");
        Self { id: encode_hex(&Sha256::digest(canonical)), value }
    }
}

/// Nothing of the key.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").finish_non_exhaustive()
    }
}

/// Nothing that tells keys apart.
impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").finish_non_exhaustive()
    }
}

const PLAIN_LABEL: &str = "PRIVATE KEY";
const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";

/// log2 N, r and p: OpenSSL gives scrypt no more than 32 MB unless it is told to,
/// and these take 16.
const SCRYPT: [u32; 3] = [14, 8, 1];
