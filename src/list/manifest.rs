//! What a publisher says about a built list, in JSON for people and scripts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The readable companion of a list file. The list does not need it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Manifest {
    /// The list's id.
    pub id: String,
    /// The list's version.
    pub version: u64,
    /// Version of the file format.
    pub format: u16,
    /// `open`, `balanced` or `strict`.
    pub profile: String,
    /// Bits a band.
    pub band_bits: u8,
    /// The salt, in hexadecimal.
    pub salt: String,
    /// Name of the list file.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// BLAKE3 of it, in hexadecimal.
    pub blake3: String,
    /// Rows of each algorithm that went in.
    pub entries: BTreeMap<String, u64>,
    /// Rows of each category that went in; rows without one under the empty name.
    pub categories: BTreeMap<String, u64>,
    /// Fingerprints in the table.
    pub fingerprints: u64,
    /// Bits of one fingerprint.
    pub fingerprint_bits: u32,
    /// Bytes of the file for each entry.
    pub bytes_per_entry: f64,
    /// log2 of the bound on a false match in one whole scan with default limits
    /// (64 frames of three pictures each), by set of views.
    pub false_match_log2: BTreeMap<String, f64>,
    /// Work to uncover entries of the near part; none without such entries.
    pub work: Option<Work>,
    /// Rows left out.
    pub left_out: LeftOut,
    /// How the rows were chosen; none when they were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<Choice>,
    /// How far the list is from the last release; none when there was none to
    /// compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// By which rules the rows were chosen from what sources say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Choice {
    /// BLAKE3 of the file of rules, in hexadecimal.
    pub rules: String,
    /// Hashes that any source has named.
    pub hashes: u64,
    /// Chosen hashes that each source stands by. Most count for several.
    pub sources: BTreeMap<String, u64>,
    /// Hashes that were not chosen, by the rule that kept them out.
    pub left_out: BTreeMap<String, u64>,
}

/// What changed from the last release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Change {
    /// The version of the last release.
    pub version: u64,
    /// Entries of the last release.
    pub last: u64,
    /// Entries that were not in it.
    pub added: u64,
    /// Entries of it that are gone.
    pub removed: u64,
}

/// log2 of the guesses that uncover entries, likely ones first, by the model in
/// docs/matching.md.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Work {
    /// The first entry.
    pub first: f64,
    /// One entry of a hundred.
    pub percent: f64,
    /// Half of the entries.
    pub half: f64,
}

/// Rows that are not in the list, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LeftOut {
    /// Rows that could not be read.
    pub bad: u64,
    /// Perceptual hashes of too low a quality to be compared.
    pub low_quality: u64,
    /// Rows that repeat an earlier one.
    pub duplicate: u64,
    /// Perceptual hashes that are guessed too easily for the profile.
    pub easily_guessed: u64,
}
