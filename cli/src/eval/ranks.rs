//! How often bits flip, by the rank of their margins: what the engine's costs
//! are fitted to, counted again on the photos at hand.

use presend::hash::PerceptualHash;
use serde_json::{Value, json};

use super::matching::NamedView;

/// Sixteenths of the 256 ranks, least certain bits first.
const PARTS: usize = 16;

/// The views that count: nearer ones hardly differ, farther ones are other pictures.
const DISTANCES: std::ops::RangeInclusive<u32> = 8..=45;

/// Views near an original, and their bits that differ from it.
#[derive(Clone, Copy, Default)]
pub(crate) struct RankFlips {
    pub(crate) views: usize,
    differing: [usize; PARTS],
}

impl RankFlips {
    /// Of copies of one original.
    pub(crate) fn of(views: &[NamedView], original: &PerceptualHash) -> Self {
        let mut flips = Self::default();
        for view in views {
            if DISTANCES.contains(&view.hash().distance(original)) {
                flips.views += 1;
                for (rank, at) in view.by_margin().into_iter().enumerate() {
                    let differs = view.hash().bit(at) != original.bit(at);
                    flips.differing[rank / (256 / PARTS)] += usize::from(differs);
                }
            }
        }
        flips
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.views += other.views;
        for (sum, more) in self.differing.iter_mut().zip(other.differing) {
            *sum += more;
        }
    }

    /// The part of the bits that differs, by sixteenth of the ranks.
    pub(crate) fn rates(&self) -> [f64; PARTS] {
        let bits = self.views.max(1) * (256 / PARTS);
        self.differing.map(|differing| differing as f64 / bits as f64)
    }

    pub(crate) fn json(&self) -> Value {
        json!({ "views": self.views, "differing": self.rates() })
    }
}
