//! The near look-ups of one scan: hashes, views, probes.

use std::sync::Arc;
use std::time::Duration;

use super::{matched, timed};
use crate::frame::{Background, Frame};
use crate::hash::PerceptualHash;
use crate::hash::pdq::{LOW_QUALITY, Pdq};
use crate::hash::views::{View, ViewSet};
use crate::limits::{Budget, Incomplete};
use crate::list::bands::Probes;
use crate::list::{self, HashList};
use crate::verdict::{Finding, Match};

/// The near look-ups of one scan.
pub(super) struct Search {
    lists: Arc<[HashList]>,
    views: ViewSet,
    budget: Arc<Budget>,
    /// Found so far.
    pub(super) findings: Vec<Finding>,
    /// For each list, whether a near match was found.
    near: Vec<bool>,
    /// Hashes looked up so far: a moment that comes again is not looked up again, and
    /// the patterns of flipped bits are limited for a scan.
    seen: Vec<PerceptualHash>,
    pub(super) hash_time: Duration,
    pub(super) views_time: Duration,
    pub(super) lookup_time: Duration,
}

impl Search {
    pub(super) fn new(lists: &Arc<[HashList]>, views: ViewSet, budget: &Arc<Budget>) -> Self {
        Self {
            lists: Arc::clone(lists),
            views,
            budget: Arc::clone(budget),
            findings: Vec::new(),
            near: vec![false; lists.len()],
            seen: Vec::new(),
            hash_time: Duration::ZERO,
            views_time: Duration::ZERO,
            lookup_time: Duration::ZERO,
        }
    }

    pub(super) fn compare(
        &mut self,
        frame: &Frame<'_>,
        number: u32,
        backgrounds: &[Background],
    ) -> Result<(), Incomplete> {
        for &background in backgrounds {
            let budget = &self.budget;
            let pdq = timed(budget, &mut self.hash_time, || Pdq::of(frame, background, budget))?;
            if pdq.quality() <= LOW_QUALITY {
                self.findings.push(Finding::LowQuality);
                continue;
            }
            let hash = pdq.hash();
            if !self.seen.contains(&hash) {
                self.look_up(&pdq, number)?;
                self.seen.push(hash);
            }
        }
        Ok(())
    }

    fn look_up(&mut self, pdq: &Pdq, number: u32) -> Result<(), Incomplete> {
        let start = self.budget.now();
        let views = self.views;
        let probes = list::picture_probes(views, self.seen.len());
        if probes == 0 {
            return Err(Incomplete::TooManyFrames);
        }
        // So few probes are better spent on the likeliest views.
        let views = if self.seen.is_empty() { views } else { views.min(ViewSet::Nine) };
        let mut made_views = Duration::ZERO;
        let outcome = views.variants().try_for_each(|variant| {
            self.budget.check()?;
            let count = list::view_probes(probes, views, variant);
            let make = || if count > 0 { View::variant(pdq, variant) } else { None };
            let view = timed(&self.budget, &mut made_views, make);
            let Some(view) = view else { return Ok(()) };
            // One set of probes for all lists of a profile.
            let mut made: Vec<Probes> = Vec::new();
            for (list, near) in self.lists.iter().zip(&mut self.near) {
                if *near {
                    continue;
                }
                let bits = list.header().band_bits;
                let known = made.iter().position(|probes| probes.band_bits() == bits);
                let probes = known.unwrap_or_else(|| {
                    made.push(list.probes(&view, count));
                    made.len() - 1
                });
                if list.contains_any(&made[probes]) {
                    *near = true;
                    let by = Match::Near { view: variant, frame: number };
                    self.findings.push(matched(list, by));
                }
            }
            Ok(())
        });
        self.views_time += made_views;
        self.lookup_time += self.budget.now().saturating_sub(start + made_views);
        outcome
    }
}
