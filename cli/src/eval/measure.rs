//! The measurements: every copy of every photo, random flips, and time.
//!
//! The photos are dealt into two halves and each half is a list of its own. So
//! every photo is looked up once where it is listed, for what is found, and
//! once where it is held out, for what should not be.

use std::time::{Duration, Instant};

use presend::hash::PerceptualHash;

use super::matching::{Hashed, HiddenList, Hit, NamedView, ViewSet};
use super::photos::Photo;
use super::ranks::RankFlips;
use super::transform::{self, Transformation};
use crate::Failure;
use crate::chance::Chance;

/// The photos and the two lists of them.
pub(crate) struct Bench {
    pub(crate) photos: Vec<Photo>,
    pub(crate) sets: Vec<&'static ViewSet>,
    pub(crate) halves: [Half; 2],
}

/// Half of the photos, listed.
pub(crate) struct Half {
    pub(crate) list: HiddenList,
    hashes: Vec<PerceptualHash>,
}

/// One copy, looked up.
pub(crate) struct Looked {
    pub(crate) photo: usize,
    pub(crate) transformation: &'static Transformation,
    /// What was found; nothing where the copy says too little to be looked up.
    pub(crate) seen: Option<Seen>,
}

pub(crate) struct Seen {
    /// Of the one hash that an open list is compared with to the photo's.
    pub(crate) distance: u32,
    /// In the order of [`Bench::sets`].
    pub(crate) sets: Vec<InSet>,
    /// Of the views of the largest set.
    pub(crate) flips: RankFlips,
}

/// One copy, looked up by one set of views.
pub(crate) struct InSet {
    /// Where the photo is listed.
    pub(crate) listed: Answers,
    /// Where it is held out.
    pub(crate) held_out: Answers,
}

/// What the two kinds of list say of the same views.
pub(crate) struct Answers {
    /// The least distance of a view to a listed photo: what an open list finds
    /// within its threshold.
    pub(crate) nearest: u32,
    pub(crate) hidden: Option<Accepted>,
}

/// A match of the hidden list.
#[derive(Clone, Copy)]
pub(crate) struct Accepted {
    pub(crate) view: &'static str,
    /// Keys it took.
    pub(crate) probes: u64,
    /// Of the view that matched to the nearest listed photo.
    pub(crate) distance: u32,
}

impl Bench {
    /// Builds the lists, each filled with random hashes to `entries`.
    pub(crate) fn build(
        photos: Vec<Photo>,
        sets: Vec<&'static ViewSet>,
        profile: &str,
        entries: usize,
    ) -> Result<Self, Failure> {
        let half = |parity| {
            let hashes: Vec<_> =
                photos.iter().skip(parity).step_by(2).map(|photo| photo.hash).collect();
            let random = entries.saturating_sub(hashes.len());
            let list = HiddenList::build(["even", "odd"][parity], profile, &hashes, random)?;
            Ok::<_, Failure>(Half { list, hashes })
        };
        Ok(Self { halves: [half(0)?, half(1)?], photos, sets })
    }

    /// Makes and looks up every copy of one photo.
    pub(crate) fn look_up_copies(&self, photo: usize) -> Result<Vec<Looked>, Failure> {
        let Photo { picture, hash, .. } = &self.photos[photo];
        let copies = transform::ALL.iter().enumerate();
        copies
            .map(|(n, transformation)| {
                let mut chance = Chance::for_picture(hash, n as u64);
                let copy = Hashed::of(&transformation.make(picture, &mut chance)?)?;
                let seen = copy.is_usable().then(|| {
                    let views: Vec<_> = self.sets.iter().map(|set| copy.views(set)).collect();
                    let largest = views.last().map_or(&[][..], Vec::as_slice);
                    Seen {
                        distance: copy.hash().distance(hash),
                        flips: RankFlips::of(largest, hash),
                        sets: views.iter().map(|views| self.look_up(photo, views)).collect(),
                    }
                });
                Ok(Looked { photo, transformation, seen })
            })
            .collect()
    }

    fn look_up(&self, photo: usize, views: &[NamedView]) -> InSet {
        InSet {
            listed: self.listing(photo).answers(views),
            held_out: self.other(photo).answers(views),
        }
    }

    /// Whether the builder left the photo in the list.
    pub(crate) fn is_left_in(&self, photo: usize) -> bool {
        let set = self.sets[0];
        let views = self.photos[photo].hashed.views(set);
        self.listing(photo).list.holds(&views[..1])
    }

    /// Of the listed photos' hashes with `flips` random bits flipped each,
    /// whatever their margins, how many each set of views still finds.
    pub(crate) fn random_flips(&self, flips: usize, rounds: usize) -> Flipped {
        let mut found = vec![0; self.sets.len()];
        let mut trials = 0;
        for (n, photo) in self.photos.iter().enumerate() {
            if !self.is_left_in(n) {
                continue;
            }
            let views = self.sets.iter().map(|set| photo.hashed.views(set)[0].clone());
            let views: Vec<NamedView> = views.collect();
            let mut chance = Chance::for_picture(&photo.hash, FLIPS + flips as u64);
            for _ in 0..rounds {
                let positions = chance.positions(flips);
                trials += 1;
                // A hash without a picture has no views but its own, so sets
                // with as many probes a view answer alike.
                let mut known: Vec<(usize, bool)> = Vec::new();
                for (view, found) in views.iter().zip(&mut found) {
                    let same = known.iter().find(|(probes, _)| *probes == view.probes);
                    let held = same.map_or_else(
                        || self.listing(n).list.holds(&[view.flipped(&positions)]),
                        |&(_, held)| held,
                    );
                    known.push((view.probes, held));
                    *found += usize::from(held);
                }
            }
        }
        Flipped { flips, trials, found }
    }

    /// Times look-ups of photos that are not listed, every view tried, at
    /// least `count` of them one after the other.
    pub(crate) fn time(&self, set: &ViewSet, count: usize) -> Vec<Duration> {
        let mut times: Vec<_> = (0..count.max(self.photos.len()))
            .map(|n| n % self.photos.len())
            .map(|photo| {
                let views = self.photos[photo].hashed.views(set);
                let start = Instant::now();
                let held = self.other(photo).list.holds(&views);
                let time = start.elapsed();
                std::hint::black_box(held);
                time
            })
            .collect();
        times.sort_unstable();
        times
    }

    fn listing(&self, photo: usize) -> &Half {
        &self.halves[photo % 2]
    }

    fn other(&self, photo: usize) -> &Half {
        &self.halves[1 - photo % 2]
    }
}

/// How random flips fare at one distance.
pub(crate) struct Flipped {
    pub(crate) flips: usize,
    pub(crate) trials: usize,
    /// In the order of [`Bench::sets`].
    pub(crate) found: Vec<usize>,
}

/// Away from the numbers of the transformations.
const FLIPS: u64 = 1 << 32;

impl Half {
    /// Photos that were to be listed.
    pub(crate) fn photos(&self) -> usize {
        self.hashes.len()
    }

    fn answers(&self, views: &[NamedView]) -> Answers {
        let distances: Vec<u32> = views.iter().map(|view| self.nearest(view)).collect();
        let hidden = self.list.look_up(views).map(|Hit { view, probes }| Accepted {
            view: views[view].name,
            probes,
            distance: distances[view],
        });
        Answers { nearest: distances.into_iter().min().unwrap_or(256), hidden }
    }

    fn nearest(&self, view: &NamedView) -> u32 {
        let hash = view.hash();
        self.hashes.iter().map(|listed| listed.distance(&hash)).min().unwrap_or(256)
    }
}
