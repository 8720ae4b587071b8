//! Rows to a list file and its manifest.

use std::collections::BTreeMap;
use std::fmt;
use std::thread;

use super::feed::{Feed, Row, RowHash};
use super::work::Guesser;
use crate::hash::views::ViewSet;
use crate::list::bands::{BANDS, BATCH, Bands, Key, digest_key};
use crate::list::fingerprints::{self, Fingerprint, Fingerprinter};
use crate::list::format::{self, Header, PROFILES, Profile};
use crate::list::manifest::{LeftOut, Manifest, Work};

/// What the publisher chooses.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// Name of the list: 1 to 64 of `a-z 0-9 -`, not `default`.
    pub id: String,
    /// Number of this edition; higher ones replace lower ones.
    pub version: u64,
    /// `open`, `balanced` or `strict`.
    pub profile: String,
    /// Key of the fingerprints, public. By default it follows from the id, so that
    /// anyone can repeat the build, and editions share it, so that an update is
    /// small.
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
    #[error(
        "no row is left to build a list from: {low_quality} of low quality, {easily_guessed} guessed too easily"
    )]
    Empty {
        /// Perceptual hashes of too low a quality to be compared.
        low_quality: u64,
        /// Perceptual hashes that are guessed too easily for the profile.
        easily_guessed: u64,
    },
    /// More than a tenth of the perceptual hashes are guessed too easily for the
    /// profile, or half of the rest sooner than it allows.
    #[error("too many of the perceptual hashes are easily guessed; are they hashes of photos?")]
    EasilyGuessed,
    /// More rows than a list can hold.
    #[error("too many rows for one list (over 2^32 fingerprints)")]
    TooLarge,
}

/// A list and what there is to say about it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Built {
    /// The list file.
    pub list: Vec<u8>,
    /// Its manifest.
    pub manifest: Manifest,
}

/// Which list it is.
impl fmt::Debug for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Manifest { id, version, .. } = &self.manifest;
        f.debug_struct("Built").field("id", id).field("version", version).finish_non_exhaustive()
    }
}

/// Builds the list of `feed`'s rows.
///
/// # Errors
/// [`BuildError`] says which parameter to change.
pub fn build(parameters: &Parameters, feed: &Feed) -> Result<Built, BuildError> {
    build_watched(parameters, feed, &mut |_| {})
}

/// [`build`], telling `watch` now and then which part of the work is done, from
/// 0 to 1.
///
/// At its peak it holds about 110 bytes for every row, beside the feed.
///
/// # Errors
/// As [`build`].
pub fn build_watched(
    parameters: &Parameters,
    feed: &Feed,
    watch: &mut dyn FnMut(f32),
) -> Result<Built, BuildError> {
    let Parameters { id, version, profile, salt } = parameters;
    let usable = id.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if !usable || !(1..=64).contains(&id.len()) || id == "default" {
        return Err(BuildError::Id);
    }
    let profile = PROFILES.into_iter().find(|known| known.name == profile);
    let profile = profile.ok_or(BuildError::Profile)?;
    let salt = salt.unwrap_or_else(|| derived_salt(id));
    let bands = Bands::new(profile.band_bits);

    let works = works(&Guesser::new(&bands), &feed.rows, &mut |done| watch(done * 0.6));
    let floor = floor(works.iter().flatten().copied().collect(), profile);
    let is_left_out = |work: &Option<u32>| work.is_some_and(|work| work < floor);
    let mut keys: Vec<Key> = Vec::with_capacity(feed.rows.len() * BANDS);
    let (mut near_entries, mut exact_entries, mut algorithms) = (0, 0, Vec::new());
    let (mut entries, mut categories) = (BTreeMap::new(), BTreeMap::new());
    for (row, _) in feed.rows.iter().zip(&works).filter(|(_, work)| !is_left_out(work)) {
        match &row.hash {
            RowHash::Perceptual(hash) => {
                keys.extend(bands.keys(hash));
                near_entries += 1;
            }
            RowHash::Exact(digest) => {
                keys.push(digest_key(digest));
                exact_entries += 1;
            }
        }
        let algorithm = row.hash.algorithm();
        if !algorithms.contains(&algorithm) {
            algorithms.push(algorithm);
        }
        *entries.entry(algorithm.name().to_owned()).or_insert(0) += 1;
        *categories.entry(row.category.clone()).or_insert(0) += 1;
    }
    let easily_guessed = works.iter().filter(|work| is_left_out(work)).count() as u64;
    if keys.is_empty() {
        return Err(BuildError::Empty { low_quality: feed.low_quality, easily_guessed });
    }
    if u32::try_from(keys.len()).is_err() {
        return Err(BuildError::TooLarge);
    }
    let left_in = works.iter().filter(|work| !is_left_out(work)).flatten().copied().collect();
    let work = work_of(left_in);
    let near_rows = near_entries + easily_guessed;
    let halfway = work.is_none_or(|work| work.half >= profile.half.into());
    if near_rows >= MANY && (easily_guessed * 10 > near_rows || !halfway) {
        return Err(BuildError::EasilyGuessed);
    }
    watch(0.7);

    // Keys that come several times count once: their number decides the length.
    let mut fingerprint_bits = fingerprints::bits(keys.len() as u64);
    let prints = loop {
        let prints = fingerprints(&Fingerprinter::new(salt, fingerprint_bits), &keys);
        let enough = fingerprints::bits(prints.len() as u64);
        if enough == fingerprint_bits {
            break prints;
        }
        fingerprint_bits = enough;
    };
    drop(keys);
    watch(0.9);
    let header = Header {
        id: id.clone(),
        version: *version,
        band_bits: profile.band_bits,
        salt,
        algorithms: algorithms.into_iter().collect(),
        near_entries,
        exact_entries,
        fingerprints: prints.len() as u64,
        fingerprint_bits: fingerprint_bits as u8,
        bucket_bits: 0,
    };
    let list = format::encode(&header, &prints);
    let bound =
        |set: ViewSet| (set.name().to_owned(), hundredths(header.false_match_log2_with(set)));
    let manifest = Manifest {
        id: id.clone(),
        version: *version,
        format: format::VERSION,
        profile: profile.name.to_owned(),
        band_bits: profile.band_bits,
        salt: encode_hex(&salt),
        file: format!("{id}.presend"),
        bytes: list.len() as u64,
        blake3: blake3::hash(&list).to_hex().to_string(),
        entries,
        categories,
        fingerprints: prints.len() as u64,
        fingerprint_bits,
        bytes_per_entry: hundredths(list.len() as f64 / (near_entries + exact_entries) as f64),
        false_match_log2: ViewSet::ALL.into_iter().map(bound).collect(),
        work,
        left_out: LeftOut {
            bad: feed.bad.len() as u64,
            low_quality: feed.low_quality,
            duplicate: feed.duplicate,
            easily_guessed,
        },
        choice: None,
        change: None,
    };
    watch(1.0);
    Ok(Built { list, manifest })
}

/// The work to guess each row, in [`WORK_UNIT`]s of log2; none for exact digests.
fn works(guesser: &Guesser, rows: &[Row], watch: &mut dyn FnMut(f32)) -> Vec<Option<u32>> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut works = vec![None; rows.len()];
    let work = |row: &Row| match &row.hash {
        RowHash::Perceptual(hash) => Some(guesser.work(hash)),
        RowHash::Exact(_) => None,
    };
    let parts = rows.chunks(WATCHED_ROWS).zip(works.chunks_mut(WATCHED_ROWS));
    let (mut done, total) = (0, rows.len());
    let fill = |rows: &[Row], works: &mut [Option<u32>]| {
        rows.iter().zip(works).for_each(|(row, slot)| *slot = work(row));
    };
    for (rows, works) in parts {
        let share = rows.len().div_ceil(threads);
        if rows.len() < FEW_ROWS {
            fill(rows, works);
        } else {
            thread::scope(|scope| {
                for (rows, works) in rows.chunks(share).zip(works.chunks_mut(share)) {
                    scope.spawn(|| fill(rows, works));
                }
            });
        }
        done += rows.len();
        watch(done as f32 / total as f32);
    }
    works
}

/// The work below which entries are left out, so that the rest keeps the
/// profile's bounds on the first entry and on one of a hundred.
fn floor(mut works: Vec<u32>, profile: Profile) -> u32 {
    let (first, percent) = (profile.first * WORK_UNIT, profile.percent * WORK_UNIT);
    // One entry of a short list is more than a hundredth of it.
    if (works.len() as u64) < MANY {
        return first;
    }
    works.sort_unstable();
    let easy = works.partition_point(|&work| work < percent);
    let may_stay = (works.len() - easy).saturating_sub(1) / 99;
    // Those that are as easy as the last that must go, go with it.
    let last_to_go = easy.checked_sub(may_stay + 1).map(|at| works[at]);
    last_to_go.map_or(first, |work| first.max(work + 1))
}

/// What it takes to uncover the entries that are left in.
fn work_of(mut works: Vec<u32>) -> Option<Work> {
    works.sort_unstable();
    let last = works.len().checked_sub(1)?;
    let log2 = |at: usize| hundredths(f64::from(works[at]) / f64::from(WORK_UNIT));
    Some(Work { first: log2(0), percent: log2(last / 100), half: log2(last / 2) })
}

/// Short enough to be read back as the same number.
fn hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// Rows between two calls that say how far the work is.
const WATCHED_ROWS: usize = 1 << 16;

/// Rows that are done sooner than a thread has begun.
const FEW_ROWS: usize = 256;

/// Near entries from which on their shares are judged.
const MANY: u64 = 100;

/// Parts of one in the guesser's log2.
const WORK_UNIT: u32 = 256;

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

pub(super) fn encode_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn derived_salt(id: &str) -> [u8; 16] {
    let mut salt = [0; 16];
    let mut reader = blake3::Hasher::new_derive_key("presend list salt, format 1");
    reader.update(id.as_bytes()).finalize_xof().fill(&mut salt);
    salt
}
