//! Rows to a list file and its manifest.

use std::collections::BTreeMap;

use super::feed::{Feed, RowHash};
use crate::hash::Algorithms;
use crate::list::bands::{BATCH, Bands, Key, digest_key};
use crate::list::fingerprints::{self, Fingerprint, Fingerprinter};
use crate::list::format::{self, Header, PROFILES};
use crate::list::manifest::{LeftOut, Manifest};

/// What the publisher chooses.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// Name of the list: 1 to 64 of `a-z 0-9 -`, not `default`.
    pub id: String,
    /// Number of this edition; higher ones replace lower ones.
    pub version: u64,
    /// `open`, `balanced` or `strict`.
    pub profile: String,
    /// Key of the fingerprints, public. By default it follows from id and
    /// version, so that anyone can repeat the build.
    pub salt: Option<[u8; 16]>,
}

/// The parameters or the rows do not make a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The id cannot name a list.
    #[error("the id must be 1 to 64 characters of a-z, 0-9 and -, and not `default`")]
    Id,
    /// There is no such profile.
    #[error("unknown profile; the profiles are open, balanced and strict")]
    Profile,
    /// No row is left.
    #[error("no row is left to build a list from")]
    Empty,
    /// More rows than a list can hold.
    #[error("too many rows for one list (over 2^32 fingerprints)")]
    TooLarge,
}

/// A list and what there is to say about it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Built {
    /// The list file.
    pub list: Vec<u8>,
    /// Its manifest.
    pub manifest: Manifest,
}

/// Builds the list of `feed`'s rows.
///
/// # Errors
/// [`BuildError`] says which parameter to change.
pub fn build(parameters: &Parameters, feed: &Feed) -> Result<Built, BuildError> {
    let Parameters { id, version, profile, salt } = parameters;
    let usable = id.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if !usable || !(1..=64).contains(&id.len()) || id == "default" {
        return Err(BuildError::Id);
    }
    let profile = PROFILES.into_iter().find(|(name, _)| name == profile);
    let (profile, band_bits) = profile.ok_or(BuildError::Profile)?;
    if feed.rows.is_empty() {
        return Err(BuildError::Empty);
    }
    let salt = salt.unwrap_or_else(|| derived_salt(id, *version));

    let bands = Bands::new(band_bits);
    let mut keys: Vec<Key> = Vec::new();
    let mut exact_entries = 0;
    let (mut entries, mut categories) = (BTreeMap::new(), BTreeMap::new());
    for row in &feed.rows {
        match &row.hash {
            RowHash::Perceptual(hash) => keys.extend(bands.keys(hash)),
            RowHash::Exact(digest) => {
                keys.push(digest_key(digest));
                exact_entries += 1;
            }
        }
        *entries.entry(row.hash.algorithm().name().to_owned()).or_insert(0) += 1;
        *categories.entry(row.category.clone()).or_insert(0) += 1;
    }
    if u32::try_from(keys.len()).is_err() {
        return Err(BuildError::TooLarge);
    }
    let fingerprint_bits = fingerprints::bits(keys.len() as u64);
    let prints = fingerprints(&Fingerprinter::new(salt, fingerprint_bits), &keys);
    let header = Header {
        id: id.clone(),
        version: *version,
        band_bits,
        salt,
        algorithms: feed.rows.iter().map(|row| row.hash.algorithm()).collect::<Algorithms>(),
        near_entries: feed.rows.len() as u64 - exact_entries,
        exact_entries,
        fingerprints: prints.len() as u64,
        fingerprint_bits: fingerprint_bits as u8,
        bucket_bits: 0,
    };
    let list = format::encode(&header, &prints);
    let manifest = Manifest {
        id: id.clone(),
        version: *version,
        format: format::VERSION,
        profile: profile.to_owned(),
        band_bits,
        salt: encode_hex(&salt),
        file: format!("{id}.presend"),
        bytes: list.len() as u64,
        blake3: blake3::hash(&list).to_hex().to_string(),
        entries,
        categories,
        fingerprints: prints.len() as u64,
        fingerprint_bits,
        false_match_log2: header.false_match_log2(),
        left_out: LeftOut {
            bad: feed.bad.len() as u64,
            low_quality: feed.low_quality,
            duplicate: feed.duplicate,
        },
    };
    Ok(Built { list, manifest })
}

/// Ascending and each once: the order of the rows leaves no trace.
fn fingerprints(fingerprinter: &Fingerprinter, keys: &[Key]) -> Vec<Fingerprint> {
    let mut blocks = [[0; 16]; BATCH];
    let mut prints: Vec<Fingerprint> = Vec::with_capacity(keys.len());
    for keys in keys.chunks(BATCH) {
        prints.extend(fingerprinter.fingerprints(keys, &mut blocks));
    }
    prints.sort_unstable();
    prints.dedup();
    prints
}

fn encode_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn derived_salt(id: &str, version: u64) -> [u8; 16] {
    let mut salt = [0; 16];
    let mut reader = blake3::Hasher::new_derive_key("presend list salt, format 0");
    reader.update(&version.to_le_bytes()).update(id.as_bytes());
    reader.finalize_xof().fill(&mut salt);
    salt
}
