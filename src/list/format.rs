//! The list file, version 1.
//!
//! All numbers are little endian. The sections follow each other without gaps:
//!
//! | bytes | what |
//! |---|---|
//! | 256 | header, below |
//! | 8 x words | Bloom filter |
//! | 4 x (2^bucket bits + 1) | index: fingerprints before each bucket, and their number |
//! | ceil(fingerprints x remainder bits / 8) | table: the remainders in ascending order, bit after bit from the lowest |
//! | 7 | zeros |
//! | 32 | BLAKE3 of everything before |
//!
//! A fingerprint's first bits number its bucket, the remainder is the rest of it.
//!
//! | header at | size | what |
//! |---|---|---|
//! | 0 | 8 | `PRESENDL` |
//! | 8 | 2 | format version, 1 |
//! | 10 | 1 | bits a band (the profile): 64, 80 or 96 |
//! | 11 | 1 | bucket bits: floor(log2 fingerprints) - 4, or 0 |
//! | 12 | 4 | algorithms: bit n for the algorithm with number n |
//! | 16 | 16 | salt |
//! | 32 | 8 | fingerprints |
//! | 40 | 8 | words of the Bloom filter |
//! | 48 | 8 | the list's own version |
//! | 56 | 8 | entries in the near part |
//! | 64 | 8 | entries in the exact part |
//! | 72 | 1 | length of the id |
//! | 73 | 64 | id: 1 to 64 of `a-z 0-9 -`, then zeros |
//! | 137 | 1 | fingerprint bits, 57 and more; the remainder has 1 to 57 of them |
//! | 138 | 118 | zeros |

use super::bloom::{self, Bloom, WORD};
use super::fingerprints::{self, LEAST_BITS, MOST_REMAINDER_BITS, Table};
use super::{ListError, most_probes};
use crate::hash::Algorithms;
use crate::hash::views::ViewSet;

/// What a list says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// The publisher's name for the list: 1 to 64 of `a-z 0-9 -`.
    pub id: String,
    /// The publisher's number for this edition.
    pub version: u64,
    /// Bits a band: 64, 80 or 96.
    pub band_bits: u8,
    /// The key of the fingerprints. Public.
    pub salt: [u8; 16],
    /// Algorithms whose hashes the list holds.
    pub algorithms: Algorithms,
    /// Entries that near copies are found of.
    pub near_entries: u64,
    /// Entries that only the file itself is found by.
    pub exact_entries: u64,
    /// Fingerprints in the table.
    pub fingerprints: u64,
    pub(crate) fingerprint_bits: u8,
    pub(crate) bucket_bits: u8,
}

/// The parts of a list file behind its header.
pub(super) struct Sections<'a> {
    pub(super) bloom: Bloom<'a>,
    pub(super) table: Table<'a>,
}

impl Sections<'_> {
    /// Whether a look-up can trust every index.
    pub(super) fn check(&self) -> Result<(), ListError> {
        if self.table.is_sound() { Ok(()) } else { Err(ListError::Table) }
    }

    /// Whether a look-up finds all that is there.
    pub(super) fn check_order(&self) -> Result<(), ListError> {
        if self.table.is_ordered() { Ok(()) } else { Err(ListError::Table) }
    }
}

impl Header {
    /// Bits of one fingerprint.
    pub fn fingerprint_bits(&self) -> u32 {
        self.fingerprint_bits.into()
    }

    /// log2 of the bound on the probability that one whole scan with default
    /// limits and all views matches although nothing near is listed.
    pub fn false_match_log2(&self) -> f64 {
        self.false_match_log2_with(ViewSet::TwentyFive)
    }

    /// The same for a scan with this set of views.
    pub fn false_match_log2_with(&self, views: ViewSet) -> f64 {
        let pairs = self.fingerprints as f64 * most_probes(views) as f64;
        pairs.log2() - f64::from(self.fingerprint_bits)
    }

    /// The name of the profile with these bands.
    pub fn profile(&self) -> &'static str {
        let profile = PROFILES.iter().find(|profile| profile.band_bits == self.band_bits);
        profile.map_or("unknown", |profile| profile.name)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, ListError> {
        if !bytes.starts_with(MAGIC) {
            return Err(ListError::NotAList);
        }
        let short = ListError::Length { expected: HEADER as u64, actual: bytes.len() as u64 };
        let header = bytes.first_chunk::<HEADER>().ok_or(short)?;
        let found = u16::from_le_bytes(array(header, 8));
        if found != VERSION {
            return Err(ListError::Version { found, supported: VERSION });
        }
        let number = |at| u64::from_le_bytes(array(header, at));
        let check =
            |holds: bool, what| if holds { Ok(()) } else { Err(ListError::Parameter(what)) };
        let id_length = usize::from(header[72]);
        check((1..=64).contains(&id_length), "id")?;
        let (id, padding) = header[73..137].split_at(id_length);
        check(id.iter().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-')), "id")?;
        check(padding.iter().chain(&header[138..]).all(|&byte| byte == 0), "padding")?;
        let algorithms = Algorithms::from_bits(u32::from_le_bytes(array(header, 12)))
            .ok_or(ListError::Parameter("set of algorithms"))?;
        let header = Self {
            id: id.iter().map(|&byte| char::from(byte)).collect(),
            version: number(48),
            band_bits: header[10],
            salt: array(header, 16),
            algorithms,
            near_entries: number(56),
            exact_entries: number(64),
            fingerprints: number(32),
            fingerprint_bits: header[137],
            bucket_bits: header[11],
        };
        let (fingerprint_bits, bucket_bits) =
            (header.fingerprint_bits(), u32::from(header.bucket_bits));
        let known = PROFILES.iter().any(|profile| profile.band_bits == header.band_bits);
        check(known, "number of bits a band")?;
        check(fingerprint_bits >= LEAST_BITS, "length of fingerprints")?;
        // More of them would make false matches likelier than the format allows.
        let few = (1..=u64::from(u32::MAX)).contains(&header.fingerprints)
            && fingerprints::bits(header.fingerprints) <= fingerprint_bits;
        check(few, "number of fingerprints")?;
        let buckets = fingerprints::bucket_bits(header.fingerprints);
        check(bucket_bits == buckets, "number of buckets")?;
        let remainder_bits = fingerprint_bits.saturating_sub(bucket_bits);
        check((1..=MOST_REMAINDER_BITS).contains(&remainder_bits), "length of fingerprints")?;
        let words = bloom::words(header.fingerprints);
        check(number(40) == words, "number of Bloom filter words")?;
        let (near, exact) = (header.near_entries > 0, header.exact_entries > 0);
        let named = |perceptual: bool| {
            header.algorithms.iter().any(|algorithm| algorithm.is_perceptual() == perceptual)
        };
        check(near == named(true) && exact == named(false), "set of algorithms")?;
        Ok(header)
    }

    pub(super) fn encode(&self) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(10, &[self.band_bits, self.bucket_bits]);
        put(12, &self.algorithms.bits().to_le_bytes());
        put(16, &self.salt);
        put(32, &self.fingerprints.to_le_bytes());
        put(40, &bloom::words(self.fingerprints).to_le_bytes());
        put(48, &self.version.to_le_bytes());
        put(56, &self.near_entries.to_le_bytes());
        put(64, &self.exact_entries.to_le_bytes());
        put(72, &[self.id.len() as u8]);
        put(73, self.id.as_bytes());
        put(137, &[self.fingerprint_bits]);
        header
    }

    /// The sections of the file, which must have exactly the length they need.
    pub(super) fn sections<'a>(&self, bytes: &'a [u8]) -> Result<Sections<'a>, ListError> {
        let bloom = bloom::words(self.fingerprints) * WORD as u64;
        let index = ((1u64 << self.bucket_bits) + 1) * 4;
        let remainder_bits = self.fingerprint_bits() - u32::from(self.bucket_bits);
        let table = fingerprints::remainder_bytes(self.fingerprints, remainder_bits);
        let table = table.ok_or(ListError::Parameter("number of fingerprints"))?;
        let expected = HEADER as u64 + bloom + index + table + DIGEST as u64;
        if bytes.len() as u64 != expected {
            return Err(ListError::Length { expected, actual: bytes.len() as u64 });
        }
        // Each fits in usize now that their sum is the length of a slice.
        let (words, rest) = bytes[HEADER..].split_at(bloom as usize);
        let (index, rest) = rest.split_at(index as usize);
        let (remainders, _) = rest.split_at(table as usize);
        Ok(Sections {
            bloom: Bloom { words },
            table: Table {
                index,
                remainders,
                length: self.fingerprints as usize,
                bucket_bits: self.bucket_bits.into(),
                remainder_bits,
            },
        })
    }
}

/// Compares the digest at the end with the contents.
pub(super) fn verify(bytes: &[u8]) -> Result<(), ListError> {
    let (contents, digest) = bytes.split_last_chunk::<DIGEST>().ok_or(ListError::Digest)?;
    if blake3::hash(contents) == *digest { Ok(()) } else { Err(ListError::Digest) }
}

/// The file of the header's list: its fingerprints in ascending order.
pub(crate) fn encode(header: &Header, prints: &[fingerprints::Fingerprint]) -> Vec<u8> {
    let bucket_bits = fingerprints::bucket_bits(prints.len() as u64);
    let header = Header {
        fingerprints: prints.len() as u64,
        bucket_bits: bucket_bits as u8,
        ..header.clone()
    };
    let bits = header.fingerprint_bits();
    let (index, remainders) = fingerprints::encode(prints, bucket_bits, bits - bucket_bits);
    let mut file = header.encode().to_vec();
    for section in [bloom::encode(prints), index, remainders] {
        file.extend_from_slice(&section);
    }
    let digest = blake3::hash(&file);
    file.extend_from_slice(digest.as_bytes());
    file
}

/// How well entries are hidden against how much is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// Its name.
    pub name: &'static str,
    /// Bits a band: more of them hide better and find less.
    pub band_bits: u8,
    /// log2 of the least work to guess an entry; easier ones stay out of the
    /// near part.
    pub first: u32,
    /// The same for one entry of a hundred.
    pub percent: u32,
    /// The same for half of the entries.
    pub half: u32,
}

/// Every profile, the most open first.
pub const PROFILES: [Profile; 3] = [
    Profile { name: "open", band_bits: 64, first: 41, percent: 47, half: 59 },
    Profile { name: "balanced", band_bits: 80, first: 55, percent: 61, half: 73 },
    Profile { name: "strict", band_bits: 96, first: 69, percent: 75, half: 88 },
];

const MAGIC: &[u8; 8] = b"PRESENDL";
pub(crate) const VERSION: u16 = 1;
pub(super) const HEADER: usize = 256;
pub(super) const DIGEST: usize = 32;

fn array<const N: usize>(header: &[u8; HEADER], at: usize) -> [u8; N] {
    std::array::from_fn(|n| header[at + n])
}
