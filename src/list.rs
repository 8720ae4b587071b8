//! The hidden list: near matches against entries that nobody can read.
//!
//! A list holds no hashes. Every perceptual hash of an entry gives a few long
//! [`bands`] of bits, every exact digest gives itself; each of these keys is
//! stored only as a one-way fingerprint under the list's salt. A query computes
//! the same keys from the picture at hand, tries them with the least certain
//! bits flipped, and learns whether one is there. A Bloom filter in front
//! answers most probes from one word; its false passes never reach the answer.
//!
//! What this cannot prevent: whoever holds a near copy of an entry can ask
//! whether it is listed.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::hash::views::{Variant, View, ViewSet};
use crate::hash::{Algorithms, Digest};

pub mod bands;
pub mod delta;
pub mod format;
#[cfg(feature = "publish")]
pub mod manifest;

mod bloom;
pub(crate) mod fingerprints;

use bands::{BATCH, Bands, Probes};
use fingerprints::{Fingerprint, Fingerprinter};
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
    #[error(
        "not a presend hash list (a delta or a packed list becomes one by `presend list apply` or `unpack`)"
    )]
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
            && self.searcher().is_some_and(|mut search| {
                search.adds_a_match(&[bands::digest_key(digest)]) || search.ends_in_a_match()
            })
    }

    /// Whether a near copy of the view is listed, tried with the `probes` most
    /// likely patterns of flipped bits, [`MOST_PROBES`] at most.
    pub fn contains_near(&self, view: &View, probes: usize) -> bool {
        self.contains_any(&self.probes(view, probes))
    }

    /// The keys that [`contains_near`](Self::contains_near) would try. Lists of
    /// the same profile share them.
    pub fn probes(&self, view: &View, probes: usize) -> Probes {
        self.bands.probes(view, probes.min(MOST_PROBES))
    }

    /// Whether any of the probes is listed; no list of another profile holds one.
    pub fn contains_any(&self, probes: &Probes) -> bool {
        if probes.band_bits() != self.header.band_bits {
            return false;
        }
        let Some(mut search) = self.searcher() else { return false };
        let mut found = false;
        probes.try_each(&mut |keys| {
            found = search.adds_a_match(keys);
            if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        found || search.ends_in_a_match()
    }

    /// None never comes up: `open` has read the same sections from the same bytes.
    fn searcher(&self) -> Option<Search<'_>> {
        let sections = self.header.sections((*self.bytes).as_ref()).ok()?;
        Some(Search {
            fingerprinter: &self.fingerprinter,
            sections,
            blocks: [[0; 16]; BATCH],
            passed: [0; 2 * BATCH],
            filled: 0,
        })
    }
}

/// A look-up on its way.
struct Search<'l> {
    fingerprinter: &'l Fingerprinter,
    sections: Sections<'l>,
    blocks: [bands::Key; BATCH],
    /// Fingerprints that the filter let pass. They wait until they are enough to
    /// be looked up side by side: each alone would wait for memory.
    passed: [Fingerprint; 2 * BATCH],
    filled: usize,
}

impl Search<'_> {
    /// Looks for up to [`BATCH`] more keys.
    fn adds_a_match(&mut self, keys: &[bands::Key]) -> bool {
        let prints = self.fingerprinter.fingerprints(keys, &mut self.blocks);
        for print in self.sections.bloom.may_hold(prints) {
            self.passed[self.filled] = print;
            self.filled += 1;
        }
        if self.filled < BATCH {
            return false;
        }
        self.filled -= BATCH;
        self.sections.table.holds_any(&self.passed[self.filled..self.filled + BATCH])
    }

    /// Looks up what is still waiting.
    fn ends_in_a_match(&self) -> bool {
        self.sections.table.holds_any(&self.passed[..self.filled])
    }
}

/// Patterns of flipped bits that a scan tries for its next picture, behind so many
/// `others` that it has looked up.
///
/// The first picture has most of them. What it leaves of [`MOST_PROBES_OF_A_SCAN`]
/// is for the further ones, frames and the other backgrounds of transparent pictures:
/// each has a few that no other takes away, enough for a plain copy, and an eighth of
/// what is left, so that the few pictures of a short animation get many and no
/// animation, however long, gets more in all. Behind [`MOST_PICTURES`] there are none.
pub fn picture_probes(views: ViewSet, others: usize) -> usize {
    match others {
        0 => first_picture(views),
        MOST_PICTURES.. => 0,
        _ => {
            let kept = (MOST_PICTURES - 1) * LEAST_PROBES;
            let shared = MOST_PROBES_OF_A_SCAN - first_picture(views) - kept;
            let left = (1..others).fold(shared, |left, _| left - left / 8);
            LEAST_PROBES + left / 8
        }
    }
}

/// The part of a picture's patterns that is for one view.
pub fn view_probes(picture: usize, views: ViewSet, variant: Variant) -> usize {
    let shares: usize = views.variants().map(Variant::share).sum();
    let is_in = views.variants().any(|other| other == variant);
    if is_in { picture * variant.share() / shares } else { 0 }
}

/// Patterns that the longest scan tries.
pub fn most_probes(views: ViewSet) -> usize {
    (0..MOST_PICTURES).map(|others| picture_probes(views, others)).sum()
}

/// Patterns that one scan tries, whatever its views and limits.
pub const MOST_PROBES_OF_A_SCAN: usize = 1 << 19;

/// Pictures that one scan looks up: 64 frames, as the default limits allow, over white,
/// over black and without alpha.
pub const MOST_PICTURES: usize = 3 * 64;

/// For each picture, whatever came before it: each of nine views tries the three bands
/// as they are.
const LEAST_PROBES: usize = 96;

/// As many as 4 ms allow by nine views, on one core of the machine that
/// docs/matching.md names, and as the false-match bound allows by 25.
const fn first_picture(views: ViewSet) -> usize {
    match views {
        ViewSet::One => 1 << 17,
        ViewSet::Nine => 9 << 15,
        ViewSet::TwentyFive => 7 << 16,
    }
}

/// Patterns that one look-up may try, whoever asks.
pub const MOST_PROBES: usize = 1 << 20;

/// The list's name and version alone.
impl fmt::Debug for HashList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashList")
            .field("id", &self.id())
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}
