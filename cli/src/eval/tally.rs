//! Counts over copies, and what they come to.

use std::collections::BTreeMap;

use super::THRESHOLD;
use super::matching::ViewSet;
use super::measure::{Accepted, Looked, Seen};
use crate::quantile::quantile;

/// What was found of some copies.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) copies: usize,
    /// Copies that say too little to be looked up; nothing finds them.
    pub(crate) low_quality: usize,
    /// Found by an open list that compares one hash with the photo's.
    pub(crate) open: usize,
    /// For each set of views.
    pub(crate) sets: Vec<SetTally>,
    /// Of the one hash to the photo's, ascending.
    pub(crate) distances: Vec<u32>,
}

/// What one set of views found.
#[derive(Clone, Copy, Default)]
pub(crate) struct SetTally {
    /// By an open list that compares the same views.
    pub(crate) open: usize,
    /// By the hidden list.
    pub(crate) hidden: usize,
    /// By the hidden list, of those that one hash and an open list find.
    pub(crate) of_open: usize,
}

impl Tally {
    pub(crate) fn of<'a>(sets: usize, copies: impl IntoIterator<Item = &'a Looked>) -> Self {
        let mut tally = Self { sets: vec![SetTally::default(); sets], ..Self::default() };
        for copy in copies {
            tally.copies += 1;
            let Some(Seen { distance, sets, .. }) = &copy.seen else {
                tally.low_quality += 1;
                continue;
            };
            let open = *distance <= THRESHOLD;
            tally.open += usize::from(open);
            tally.distances.push(*distance);
            for (tally, set) in tally.sets.iter_mut().zip(sets) {
                let hidden = set.listed.hidden.is_some();
                tally.open += usize::from(set.listed.nearest <= THRESHOLD);
                tally.hidden += usize::from(hidden);
                tally.of_open += usize::from(hidden && open);
            }
        }
        tally.distances.sort_unstable();
        tally
    }

    /// The distance that `share` of the copies do not exceed.
    pub(crate) fn distance(&self, share: f64) -> Option<u32> {
        quantile(&self.distances, share)
    }
}

/// How one set of views came to its answers.
pub(crate) struct Answered {
    /// Copies of listed photos that were accepted, by distance.
    pub(crate) listed: BTreeMap<u32, usize>,
    /// Copies of photos held out that were accepted, by distance.
    pub(crate) held_out: BTreeMap<u32, usize>,
    /// Look-ups of copies of photos held out.
    pub(crate) held_out_scans: usize,
    /// Those whose views an open list of the others accepts.
    pub(crate) held_out_open: usize,
    /// Copies of listed photos found by each view, in the set's order.
    pub(crate) views: Vec<(&'static str, usize)>,
    /// Copies of listed photos found with at most 2^n keys, by n.
    pub(crate) within: Vec<usize>,
    /// Keys tried for copies of listed photos, found or not, ascending.
    pub(crate) probes: Vec<u64>,
}

impl Answered {
    /// By the set of that index.
    pub(crate) fn of(index: usize, set: &ViewSet, copies: &[Looked]) -> Self {
        let seen = copies.iter().filter_map(|copy| copy.seen.as_ref());
        let answers: Vec<_> = seen.map(|seen| &seen.sets[index]).collect();
        let listed: Vec<Accepted> =
            answers.iter().filter_map(|answer| answer.listed.hidden).collect();
        let held_out = answers.iter().filter_map(|answer| answer.held_out.hidden);
        let mut probes: Vec<u64> = answers
            .iter()
            .map(|answer| answer.listed.hidden.map_or(set.all_probes(), |hit| hit.probes))
            .collect();
        probes.sort_unstable();
        let powers = 0..=set.all_probes().next_power_of_two().ilog2();
        let mut views: Vec<_> = set.names().map(|name| (name, 0)).collect();
        for hit in &listed {
            if let Some((_, found)) = views.iter_mut().find(|(name, _)| *name == hit.view) {
                *found += 1;
            }
        }
        Self {
            held_out: by_distance(held_out),
            held_out_scans: answers.len(),
            held_out_open: answers.iter().filter(|a| a.held_out.nearest <= THRESHOLD).count(),
            views,
            within: powers
                .map(|power| listed.iter().filter(|hit| hit.probes <= 1 << power).count())
                .collect(),
            probes,
            listed: by_distance(listed.into_iter()),
        }
    }
}

/// How many were accepted at a distance above `than`.
pub(crate) fn beyond(distances: &BTreeMap<u32, usize>, than: u32) -> usize {
    distances.range(than + 1..).map(|(_, count)| count).sum()
}

fn by_distance(accepted: impl Iterator<Item = Accepted>) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    for Accepted { distance, .. } in accepted {
        *counts.entry(distance).or_insert(0) += 1;
    }
    counts
}
