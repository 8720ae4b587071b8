//! The hidden list: near matches against entries that nobody can read.
//!
//! A list holds no hashes. Every perceptual hash of an entry gives a few long
//! [`bands`] of bits, every exact digest gives itself; each of these keys is
//! stored only as a one-way fingerprint under the list's salt. A query computes
//! the same keys from the picture at hand, tries them with the least certain
//! bits flipped, and learns whether one is there. A Bloom filter in front
//! answers most probes from one cache line; its false passes never reach the
//! answer.
//!
//! What this cannot prevent: whoever holds a near copy of an entry can ask
//! whether it is listed.

use std::fmt;
use std::sync::Arc;

use crate::hash::views::View;
use crate::hash::{Algorithms, Digest};

pub mod bands;
pub mod format;
#[cfg(feature = "publish")]
pub mod manifest;

mod bloom;
pub(crate) mod fingerprints;

use bands::{Bands, Probes};
use fingerprints::Fingerprinter;
use format::{Header, Sections};

/// An open list. Cheap to clone; clones share the bytes.
#[derive(Clone)]
pub struct HashList {
    bytes: Arc<dyn AsRef<[u8]> + Send + Sync>,
    header: Header,
    bands: Bands,
    fingerprinter: Fingerprinter,
}

/// The bytes are not a list this version of presend can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// The file does not begin as a list does.
    #[error("not a presend hash list")]
    NotAList,
    /// The list is of a format version that this build does not read.
    #[error(
        "format version {found} is not supported (this build reads {supported}); update presend or ask the list's publisher"
    )]
    Version {
        /// The version in the file.
        found: u16,
        /// The version this build reads.
        supported: u16,
    },
    /// The file is shorter or longer than its header says.
    #[error("the list has {actual} bytes where its header says {expected}; fetch it again")]
    Length {
        /// Bytes the header asks for.
        expected: u64,
        /// Bytes there are.
        actual: u64,
    },
    /// A field of the header holds a value it cannot have.
    #[error("the list's header has an unusable {0}")]
    Parameter(&'static str),
    /// The table's index contradicts itself.
    #[error("the list's table is damaged; fetch it again")]
    Table,
    /// The contents do not have the digest that the file states.
    #[error("the list's contents do not match its digest; fetch it again")]
    Digest,
}

impl HashList {
    /// Opens and [verifies](Self::verify) a list over `bytes`, which are kept
    /// and never copied.
    ///
    /// # Errors
    /// [`ListError`] says which part of the file cannot be used.
    pub fn open(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self, ListError> {
        let list = Self::open_unverified(bytes)?;
        list.verify()?;
        Ok(list)
    }

    /// Opens a list whose contents were verified before, when it was installed.
    ///
    /// Only the sizes and the index are checked, so that a look-up cannot fail;
    /// of a large mapped file nothing else is read. A list that was changed
    /// since may miss its entries.
    ///
    /// # Errors
    /// [`ListError`] says which part of the file cannot be used.
    pub fn open_unverified(
        bytes: impl AsRef<[u8]> + Send + Sync + 'static,
    ) -> Result<Self, ListError> {
        let header = Header::decode(bytes.as_ref())?;
        header.sections(bytes.as_ref())?.check()?;
        Ok(Self {
            bytes: Arc::new(bytes),
            bands: Bands::new(header.band_bits),
            fingerprinter: Fingerprinter::new(header.salt, header.fingerprint_bits()),
            header,
        })
    }

    /// Reads the whole list, compares it with the digest at its end and checks
    /// the order of its table.
    ///
    /// # Errors
    /// [`ListError::Digest`] when a bit of it has changed, [`ListError::Table`]
    /// when it was never in order.
    pub fn verify(&self) -> Result<(), ListError> {
        let bytes = (*self.bytes).as_ref();
        format::verify(bytes)?;
        self.header.sections(bytes)?.check_order()
    }

    /// The publisher's name for the list: 1 to 64 of `a-z 0-9 -`.
    pub fn id(&self) -> &str {
        &self.header.id
    }

    /// The publisher's number for this edition; later ones are higher.
    pub fn version(&self) -> u64 {
        self.header.version
    }

    /// The algorithms whose hashes the list holds.
    pub fn algorithms(&self) -> Algorithms {
        self.header.algorithms
    }

    /// Everything the header states.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Size of the list in bytes.
    pub fn size(&self) -> usize {
        (*self.bytes).as_ref().len()
    }

    /// Whether the digest is listed.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.algorithms().contains(digest.algorithm())
            && self.holds_any(&[bands::digest_key(digest)])
    }

    /// Whether a near copy of the view is listed, tried with the `probes` most
    /// likely patterns of flipped bits, [`MOST_PROBES`] at most.
    pub fn contains_near(&self, view: &View, probes: usize) -> bool {
        let keys = self.probes(view, probes);
        self.contains_any(&keys)
    }

    /// The keys that [`contains_near`](Self::contains_near) would try. Lists of
    /// the same profile share them.
    pub fn probes(&self, view: &View, probes: usize) -> Probes {
        self.bands.probes(view, probes.min(MOST_PROBES))
    }

    /// Whether any of the probes is listed; no list of another profile holds one.
    pub fn contains_any(&self, probes: &Probes) -> bool {
        probes.band_bits() == self.header.band_bits && self.holds_any(probes.keys())
    }

    fn holds_any(&self, keys: &[bands::Key]) -> bool {
        let Ok(Sections { bloom, table, .. }) = self.header.sections((*self.bytes).as_ref()) else {
            // `open` has read the same sections from the same bytes.
            return false;
        };
        keys.chunks(fingerprints::BATCH).any(|keys| {
            let batch = self.fingerprinter.fingerprints(keys);
            batch[..keys.len()].iter().any(|&print| bloom.may_hold(print) && table.holds(print))
        })
    }
}

/// Patterns of flipped bits that a scan tries for each view.
pub const PROBES_PER_VIEW: usize = 1 << 12;

/// Patterns that one look-up may try, whoever asks.
pub const MOST_PROBES: usize = 1 << 20;

/// log2 of the probes of the longest scan with default limits: eight views on
/// two backgrounds of 64 frames.
pub const LOG2_PROBES_PER_SCAN: f64 = (PROBES_PER_VIEW.ilog2() + 3 + 1 + 6) as f64;

/// The list's name and version alone.
impl fmt::Debug for HashList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashList")
            .field("id", &self.id())
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}
