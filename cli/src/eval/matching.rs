//! What the evaluation asks of the engine, in one place: how a picture is
//! hashed, the sets of views it is looked up by, and the lists it is looked up
//! in.

use presend::Limits;
use presend::frame::{Background, Frame, Layout};
use presend::hash::PerceptualHash;
use presend::hash::pdq::{LOW_QUALITY, Pdq};
use presend::hash::views::{self, Dihedral, Variant, View};
use presend::limits::Budget;
use presend::list::format::PROFILES;
use presend::list::manifest::Manifest;
use presend::list::{self, HashList};
use presend::media::{self, Fault};
use presend::publish::{self, Feed, Parameters};

use super::transform::Copied;
use crate::Failure;
use crate::chance::Chance;

/// A set of views, the likeliest first.
pub(crate) struct ViewSet {
    pub(crate) name: &'static str,
    set: views::ViewSet,
}

/// Every set the engine has, the smallest first; the smallest is the picture
/// as it is.
pub(crate) static SETS: [ViewSet; 3] = [
    ViewSet { name: "1", set: views::ViewSet::One },
    ViewSet { name: "9", set: views::ViewSet::Nine },
    ViewSet { name: "25", set: views::ViewSet::TwentyFive },
];

impl ViewSet {
    pub(crate) fn views(&self) -> usize {
        self.set.variants().len()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.set.variants().map(Variant::name)
    }

    /// Keys tried for each view.
    pub(crate) fn probes(&self) -> impl Iterator<Item = usize> {
        let picture = list::picture_probes(self.set, 0);
        self.set.variants().map(move |variant| list::view_probes(picture, self.set, variant))
    }

    /// Keys tried for a picture that is not listed.
    pub(crate) fn all_probes(&self) -> u64 {
        self.probes().map(|probes| probes as u64).sum()
    }
}

/// The names of the profiles.
pub(crate) fn profiles() -> [&'static str; 3] {
    PROFILES.map(|profile| profile.name)
}

/// A picture, ready to be looked up.
pub(crate) struct Hashed(Pdq);

/// A view, what it is called and how many keys are tried for it.
#[derive(Clone)]
pub(crate) struct NamedView {
    pub(crate) name: &'static str,
    pub(crate) probes: usize,
    view: View,
}

impl Hashed {
    /// Hashes it as a scan does: a file is decoded by the engine.
    pub(crate) fn of(copy: &Copied) -> Result<Self, Failure> {
        let budget = Budget::start(&Limits::default());
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(format!("a copy cannot be scanned: {error}"))
        };
        let hashed = match copy {
            Copied::File(bytes) => {
                let mut frames = media::open(bytes, &budget).map_err(|fault| failed(&fault))?;
                let frame = frames.next().ok_or_else(|| failed(&"no frame"))?;
                Pdq::of(&frame.map_err(|fault| failed(&fault))?, Background::White, &budget)
            }
            Copied::Pixels(picture) => {
                let (width, height) = picture.dimensions();
                let frame = Frame::new(width, height, Layout::Rgb8, picture.as_raw().as_slice())
                    .map_err(|error| failed(&error))?;
                Pdq::of(&frame, Background::White, &budget)
            }
        };
        hashed.map(Self).map_err(|reason| failed(&Fault::from(reason)))
    }

    /// The one hash that an open list would be compared with.
    pub(crate) fn hash(&self) -> PerceptualHash {
        self.0.hash()
    }

    /// Whether it says enough to be looked up.
    pub(crate) fn is_usable(&self) -> bool {
        self.0.quality() > LOW_QUALITY
    }

    pub(crate) fn views(&self, set: &ViewSet) -> Vec<NamedView> {
        let views = set.set.variants().zip(set.probes());
        // A picture without bars has no trimmed view.
        let named = |(variant, probes): (Variant, usize)| {
            let view = View::variant(&self.0, variant)?;
            Some(NamedView { name: variant.name(), probes, view })
        };
        views.filter_map(named).collect()
    }

    /// Every hash under which the picture, mirrored or turned, could be listed.
    pub(crate) fn symmetric_hashes(&self) -> [PerceptualHash; 8] {
        Dihedral::ALL.map(|symmetry| View::dihedral(&self.0, symmetry).hash)
    }
}

impl NamedView {
    pub(crate) fn hash(&self) -> PerceptualHash {
        self.view.hash
    }

    /// Numbers of the bits, the least certain first.
    pub(crate) fn by_margin(&self) -> Vec<usize> {
        let mut bits: Vec<usize> = (0..256).collect();
        bits.sort_by(|&a, &b| self.view.margins[a].total_cmp(&self.view.margins[b]));
        bits
    }

    /// With the bits at `positions` flipped, and its margins none the wiser.
    pub(crate) fn flipped(&self, positions: &[u8]) -> Self {
        let mut words = self.view.hash.words();
        for &at in positions {
            words[usize::from(at / 64)] ^= 1 << (at % 64);
        }
        let hash = PerceptualHash::from_words(words);
        Self { view: View { hash, ..self.view.clone() }, ..self.clone() }
    }
}

/// A hidden list of some photos among random hashes.
pub(crate) struct HiddenList {
    list: HashList,
    /// What the builder says of it.
    pub(crate) manifest: Manifest,
}

/// How a look-up ended that found something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    /// Index of the view that found it.
    pub(crate) view: usize,
    /// Keys it took, the view's own rounded up to a power of two.
    pub(crate) probes: u64,
}

impl HiddenList {
    /// Builds a list as a publisher would; `random` hashes fill it up.
    pub(crate) fn build(
        id: &str,
        profile: &str,
        photos: &[PerceptualHash],
        random: usize,
    ) -> Result<Self, Failure> {
        let mut chance = Chance::new(FILL_SEED);
        let fill = (0..random).map(|_| chance.hash());
        let mut rows = String::with_capacity((photos.len() + random) * ROW);
        for hash in photos.iter().copied().chain(fill) {
            rows.push_str("pdq ");
            rows.push_str(&hash.to_hex());
            rows.push('\n');
        }
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(format!("the list to measure cannot be built: {error}"))
        };
        let feed = Feed::read(rows.as_bytes()).map_err(|error| failed(&error))?;
        let parameters =
            Parameters { id: id.to_owned(), version: 1, profile: profile.to_owned(), salt: None };
        let built = publish::build(&parameters, &feed).map_err(|error| failed(&error))?;
        let list = HashList::open(built.list).map_err(|error| failed(&error))?;
        Ok(Self { list, manifest: built.manifest })
    }

    /// Whether any view is found.
    pub(crate) fn holds(&self, views: &[NamedView]) -> bool {
        views.iter().any(|view| self.list.contains_near(&view.view, view.probes))
    }

    /// Which view is found first, and by how many keys.
    pub(crate) fn look_up(&self, views: &[NamedView]) -> Option<Hit> {
        let at = views.iter().position(|view| self.holds(std::slice::from_ref(view)))?;
        let NamedView { view, probes, .. } = &views[at];
        let mut powers = (0..).map(|power| 1 << power).take_while(|power| power < probes);
        let enough = powers.find(|&power| self.list.contains_near(view, power)).unwrap_or(*probes);
        let before: usize = views[..at].iter().map(|view| view.probes).sum();
        Some(Hit { view: at, probes: (before + enough) as u64 })
    }
}

/// Any number; the random entries are the same in every evaluation.
const FILL_SEED: u64 = 0x7072_6573_656e_6421;

/// Bytes of a row: `pdq `, 64 digits and the end of the line.
const ROW: usize = 69;
