//! What partners send, read into entries for the [store](super::store).
//!
//! Every format is read into the same [`Update`]s. Two mistakes are kept apart
//! throughout: an entry that cannot be read is a [`BadEntry`] and the rest goes
//! on; a file that is not what the source sends (nothing, a page that says 503,
//! a document broken off) is a [`SourceError`], and nothing of it is taken,
//! because a source that failed is not a source without entries.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::feed::{RowHash, read_algorithm};

mod csv;
mod json;
mod ncmec;
mod stopncii;
mod tat;
mod threatexchange;

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// CSV with a header: `algorithm`, `hex` and perhaps `category`, `quality`,
    /// `id`, `member`, `status`, `updated` and `disputed_by`.
    Csv,
    /// Meta's ThreatExchange: a page of `threat_updates` in JSON, or the lines
    /// `pdq <hex>` of its tools.
    ThreatExchange,
    /// A page of NCMEC's hash sharing API, version 2, in XML.
    Ncmec,
    /// A page of StopNCII's `FetchHashes` in JSON.
    StopNcii,
    /// A page of Tech Against Terrorism's hash list in JSON.
    Tat,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] =
        [Self::Csv, Self::ThreatExchange, Self::Ncmec, Self::StopNcii, Self::Tat];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::ThreatExchange => "threatexchange",
            Self::Ncmec => "ncmec",
            Self::StopNcii => "stopncii",
            Self::Tat => "tat",
        }
    }

    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// What one file says.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Page {
    /// Its entries, in order.
    pub updates: Vec<Update>,
    /// Entries that cannot be read.
    pub bad: Vec<BadEntry>,
    /// Hashes and entries of kinds that presend does not compare.
    pub unsupported: u64,
    /// The file says that another page follows.
    pub more: bool,
}

/// A change to what a source says.
#[derive(Clone, PartialEq)]
pub enum Update {
    /// One member's entry, in place of what that member said before.
    Entry {
        /// Who of the source's members says so; the source itself when empty.
        member: String,
        /// The member's name for the entry.
        id: String,
        /// What is said.
        record: Record,
    },
    /// What all members say under an id: who is not named has withdrawn.
    Indicator {
        /// The name that the members share.
        id: String,
        /// When, in milliseconds since 1970.
        updated: Option<u64>,
        /// Each member and what it says.
        members: Vec<(String, Record)>,
    },
}

/// Without the entry's name: where a source gives none, it is made of the hash.
impl fmt::Debug for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry { member, record, .. } => f
                .debug_struct("Entry")
                .field("member", member)
                .field("record", record)
                .finish_non_exhaustive(),
            Self::Indicator { updated, members, .. } => f
                .debug_struct("Indicator")
                .field("updated", updated)
                .field("members", members)
                .finish_non_exhaustive(),
        }
    }
}

/// What a member says of an entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Whether it counts.
    pub status: Status,
    /// When it was said, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<u64>,
    /// The member's category, empty when it names none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub category: String,
    /// What the entry is compared by.
    #[serde(default)]
    pub hashes: Vec<Hash>,
    /// What others say of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feedback: Vec<Feedback>,
}

impl Record {
    fn withdrawn(updated: Option<u64>) -> Self {
        let (category, hashes, feedback) = (String::new(), Vec::new(), Vec::new());
        Self { status: Status::Withdrawn, updated, category, hashes, feedback }
    }
}

/// Whether a member's entry counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Status {
    /// The member lists it.
    Listed,
    /// The member names it without having decided.
    Unconfirmed,
    /// The member says that it does not belong on a list.
    Denied,
    /// The member took it back.
    Withdrawn,
    /// It was not in the source's last snapshot.
    Missing,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listed => "listed",
            Self::Unconfirmed => "unconfirmed",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
            Self::Missing => "missing",
        })
    }
}

/// A hash and how good it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Hash {
    /// The hash.
    pub hash: RowHash,
    /// PDQ's quality, where the member tells it.
    pub quality: Option<u8>,
}

/// A [`Hash`] as the store keeps it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    algorithm: String,
    hex: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quality: Option<u8>,
}

impl From<Hash> for Written {
    fn from(Hash { hash, quality }: Hash) -> Self {
        Self { algorithm: hash.algorithm().name().to_owned(), hex: hash.to_hex(), quality }
    }
}

impl TryFrom<Written> for Hash {
    type Error = String;

    fn try_from(Written { algorithm, hex, quality }: Written) -> Result<Self, String> {
        Ok(Self { hash: RowHash::from_hex(read_algorithm(&algorithm)?, &hex)?, quality })
    }
}

/// What somebody says of another's entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feedback {
    /// Who; unnamed when empty.
    pub member: String,
    /// For it or against it.
    pub opinion: Opinion,
    /// Of which of the entry's hashes; of all when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
}

/// Which way feedback points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Opinion {
    /// It belongs on a list.
    For,
    /// It does not.
    Against,
}

/// An entry that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
#[non_exhaustive]
pub struct BadEntry {
    /// Where it stands.
    pub place: Place,
    /// What is wrong with it. Never the hash.
    pub reason: String,
}

/// Where an entry stands in its file, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// A line.
    Line(u64),
    /// An element of the array of entries.
    Element(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Element(number) => write!(f, "element {number}"),
        }
    }
}

/// The file is not what the source sends: nothing of it was taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Nothing but blanks and comments.
    #[error("the file is empty, as after a download that failed")]
    Empty,
    /// A web page.
    #[error("the file is a web page, as a server sends with an error")]
    WebPage,
    /// A message of the source's.
    #[error("the file is an error message of the source")]
    Message,
    /// Another kind of document.
    #[error("expected {0}")]
    Foreign(&'static str),
    /// Broken off or broken.
    #[error("the file is broken or broken off: {0}")]
    Broken(String),
    /// More than presend reads at once.
    #[error("the file is larger than {} MiB; ask the source for smaller pages", MAX_BYTES >> 20)]
    TooLarge,
    /// Entries, and none that can be read.
    #[error("none of its {0} entries can be read; is it of this format? The first: {1}")]
    AllBad(usize, BadEntry),
}

/// Reads a file.
///
/// # Errors
/// [`SourceError`] when the file is not what a source of this format sends.
pub fn read(format: Format, bytes: &[u8]) -> Result<Page, SourceError> {
    if bytes.len() > MAX_BYTES {
        return Err(SourceError::TooLarge);
    }
    // Programs of Windows put a byte order mark in front.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let start = bytes.trim_ascii_start();
    if start.is_empty() {
        return Err(SourceError::Empty);
    }
    let begins =
        |word: &[u8]| start.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if begins(b"<!doctype html") || begins(b"<html") || begins(b"<head") || begins(b"<body") {
        return Err(SourceError::WebPage);
    }
    let page = match format {
        Format::Csv => csv::read(bytes)?,
        Format::ThreatExchange if start[0] == b'{' => threatexchange::read_updates(bytes)?,
        Format::ThreatExchange => threatexchange::read_lines(bytes)?,
        Format::Ncmec => ncmec::read(bytes)?,
        Format::StopNcii => stopncii::read(bytes)?,
        Format::Tat => tat::read(bytes)?,
    };
    match page.bad.first() {
        Some(first) if page.updates.is_empty() && page.unsupported == 0 => {
            Err(SourceError::AllBad(page.bad.len(), first.clone()))
        }
        _ => Ok(page),
    }
}

/// An id for entries that have none: follows from the hash and does not tell it.
fn id_of(hash: &RowHash) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("presend entry id, version 1");
    hasher.update(hash.algorithm().name().as_bytes()).update(hash.to_hex().as_bytes());
    hasher.finalize().to_hex()[..32].to_owned()
}

/// A name of a member, an entry or a category.
fn name(what: &str, text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.len() > MAX_NAME || text.chars().any(char::is_control) {
        return Err(format!(
            "`{what}` is longer than {MAX_NAME} bytes or holds control characters"
        ));
    }
    Ok(text.to_owned())
}

/// [`name`], and it must be there.
fn needed(what: &str, text: &str) -> Result<String, String> {
    let name = name(what, text)?;
    if name.is_empty() { Err(format!("`{what}` is missing")) } else { Ok(name) }
}

/// Milliseconds since 1970, from `2026-05-01T12:00:00Z` or seconds.
fn time(text: &str) -> Result<Option<u64>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let time = seconds(text).or_else(|| date(text));
    time.map(Some).ok_or_else(|| {
        "the time is neither seconds since 1970 nor like 2026-05-01T12:00:00Z".to_owned()
    })
}

/// From seconds, perhaps with decimals.
fn seconds(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    if whole.is_empty() || whole.len() > 11 || !digits(whole) || !digits(part) {
        return None;
    }
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    Some(whole.parse::<u64>().ok()? * 1000 + part.parse::<u64>().ok()?)
}

/// From RFC 3339 in UTC.
fn date(text: &str) -> Option<u64> {
    let text = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00")).unwrap_or(text);
    let (date, clock) = text.split_once('T')?;
    let numbers = |text: &str, between| -> Option<Vec<u64>> {
        let digits = |part: &&str| part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
        text.split(between).map(|part| Some(part).filter(digits)?.parse().ok()).collect()
    };
    let (clock, part) = clock.split_once('.').unwrap_or((clock, "0"));
    let [year, month, day] = numbers(date, '-')?[..] else { return None };
    let [hour, minute, second] = numbers(clock, ':')?[..] else { return None };
    if !(1970..=9999).contains(&year)
        || !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    // Days since 1970: years begin in March, so that the leap day comes last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    let fraction = seconds(&format!("0.{part}"))?;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + fraction)
}

/// A file is read whole: several times this may be held while it is.
const MAX_BYTES: usize = 1 << 30;

/// The longest names that are known have 64.
const MAX_NAME: usize = 256;

/// More hashes or voices than any entry has.
const MAX_PARTS: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_spellings() {
        // Python: datetime(..., tzinfo=utc).timestamp()
        for (text, milliseconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2017-10-24T15:10:00Z", 1_508_857_800_000),
            ("2024-02-29T23:59:59.25Z", 1_709_251_199_250),
            ("2026-03-01T00:00:00+00:00", 1_772_323_200_000),
            ("1700000000", 1_700_000_000_000),
            ("1700000000.5", 1_700_000_000_500),
        ] {
            assert_eq!(time(text), Ok(Some(milliseconds)), "{text}");
        }
        for text in ["yesterday", "2026-13-01T00:00:00Z", "-5", "1e9", "99999999999999999999"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_hash() {
        let hash = RowHash::from_hex(crate::hash::Algorithm::Md5, &"ab".repeat(16)).unwrap();
        let text = format!("{:?} {}", Hash { hash: hash.clone(), quality: None }, id_of(&hash));
        assert!(!text.contains("abab"), "{text}");
    }
}
