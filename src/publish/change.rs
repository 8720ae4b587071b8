//! How far a new edition is from the last release, entry by entry.
//!
//! The last release is a list file, which anybody can have: each new entry is
//! looked up in it, under its own salt and profile, so a list that is only
//! re-salted has not changed. Fingerprints cannot be read back, so what went is
//! counted, not named.

use super::feed::{Feed, RowHash};
use crate::hash::views::View;
use crate::list::HashList;
pub use crate::list::manifest::Change;

impl Change {
    /// From the last release to `new`, which was built of `feed`.
    pub fn between(last: &HashList, new: &HashList, feed: &Feed) -> Self {
        let entries = |list: &HashList| list.header().near_entries + list.header().exact_entries;
        let holds = |list: &HashList, hash: &RowHash| match hash {
            // Sure of every bit, and one probe: the hash itself.
            RowHash::Perceptual(hash) => {
                list.contains_near(&View { hash: *hash, margins: [1.0; 256] }, 1)
            }
            RowHash::Exact(digest) => list.contains(digest),
        };
        // Easily guessed rows of the feed are in no list.
        let kept = feed.rows.iter().filter(|row| holds(new, &row.hash) && holds(last, &row.hash));
        let kept = kept.count() as u64;
        Self {
            version: last.version(),
            last: entries(last),
            added: entries(new).saturating_sub(kept),
            removed: entries(last).saturating_sub(kept),
        }
    }

    /// The larger of added and removed, in percent of the last release.
    pub fn percent(&self) -> f64 {
        100.0 * self.added.max(self.removed) as f64 / self.last.max(1) as f64
    }
}
