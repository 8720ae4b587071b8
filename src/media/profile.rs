//! Colour profiles: what a screen makes of the values in a file.
//!
//! The tools that lists are made with pass over profiles, and those that cameras and
//! editors write move few bits of a hash. But a profile may say that dark values are
//! bright ones, or that light comes straight from the values, and then the person who
//! receives the picture sees another one. Such a picture counts twice: as it is
//! stored, and as a screen shows it.
//!
//! ICC profiles are read by `moxcms`, which `image` decodes with too: of their tags,
//! only those that a picture is shown by, and each once, so that one profile cannot make
//! work and memory without bound. Nobody applies one that cannot be read, or that is of
//! another colour space than the picture.

use std::ops::Range;
use std::sync::Arc;

use moxcms::{ColorProfile, Layout as Channels};
use moxcms::{Transform8BitExecutor, TransformOptions};

use super::{Decoded, blank};
use crate::frame::{Frame, Layout};
use crate::limits::{Budget, Incomplete};

/// A profile that shows a picture unlike its values.
#[derive(Clone)]
pub(super) enum Profile {
    /// To red, green and blue, and alpha where the layout has it.
    Icc(Arc<Transform8BitExecutor>),
    /// A curve for each channel but alpha.
    Curve(Box<[u8; 256]>),
}

/// The profiles that a file has. Which of several counts depends on the viewer, so each
/// is shown.
#[derive(Clone, Default)]
pub(super) struct Profiles {
    pub(super) odd: Vec<Profile>,
    /// Why there may be another.
    pub(super) fault: Option<Incomplete>,
}

impl Profiles {
    pub(super) fn is_empty(&self) -> bool {
        self.odd.is_empty() && self.fault.is_none()
    }

    pub(super) fn add_icc(&mut self, icc: &[u8], layout: Layout, budget: &Budget) {
        match Profile::of_icc(icc, layout, budget) {
            Ok(profile) => self.odd.extend(profile),
            Err(reason) => self.fault = Some(reason),
        }
    }

    pub(super) fn add_gamma(&mut self, gamma: f64, layout: Layout) {
        self.odd.extend(Profile::of_gamma(gamma, layout));
    }
}

impl Profile {
    /// An ICC profile (ICC.1) of pictures of this layout, if it is out of the
    /// ordinary.
    fn of_icc(icc: &[u8], layout: Layout, budget: &Budget) -> Result<Option<Self>, Incomplete> {
        let (space, from, to) = match layout {
            Layout::Luma8 => (b"GRAY", Channels::Gray, Channels::Rgb),
            Layout::LumaAlpha8 => (b"GRAY", Channels::GrayAlpha, Channels::Rgba),
            Layout::Rgb8 => (b"RGB ", Channels::Rgb, Channels::Rgb),
            Layout::Rgba8 => (b"RGB ", Channels::Rgba, Channels::Rgba),
        };
        if icc.get(SPACE) != Some(space) {
            return Ok(None);
        }
        if icc.len() > LARGEST {
            return Err(Incomplete::TooMuchMemory);
        }
        // The bytes once more, and what the tables of three tags are read into.
        let _working = budget.reserve(8 * icc.len() as u64)?;
        let read = |icc: Vec<u8>| {
            let profile = ColorProfile::new_from_slice(&icc).ok()?;
            let (screen, options) = (ColorProfile::new_srgb(), TransformOptions::default());
            profile.create_transform_8bit(from, &screen, to, options).ok()
        };
        let transform = with_needed_tags(icc).and_then(read);
        Ok(transform.and_then(|transform| Self::Icc(transform).unless_ordinary(layout)))
    }

    /// The `gAMA` of a PNG (third edition, 11.3.2.2) without a profile: values are
    /// light to this power.
    fn of_gamma(gamma: f64, layout: Layout) -> Option<Self> {
        if gamma <= 0.0 {
            return None;
        }
        // As on a screen whose light is its values to the power of 2.2.
        let exponent = 1.0 / (gamma * 2.2);
        let mut curve = Box::new([0; 256]);
        for (value, shown) in (0..=255u8).zip(curve.iter_mut()) {
            *shown = ((f64::from(value) / 255.0).powf(exponent) * 255.0).round() as u8;
        }
        Self::Curve(curve).unless_ordinary(layout)
    }

    /// Tried on greys and on the corners and edges of the colours.
    fn unless_ordinary(self, layout: Layout) -> Option<Self> {
        let mut tried = Vec::new();
        let mut values = Vec::new();
        let mut with = |colour: [u8; 3]| {
            tried.extend_from_slice(&colour[..layout.colours()]);
            tried.extend(layout.has_alpha().then_some(255));
            let is_grey = colour.iter().all(|value| *value == colour[0]);
            values.push((luma(colour), if is_grey { ORDINARY_GREY } else { ORDINARY_COLOUR }));
        };
        (0..=16u16).for_each(|step| with([(step * 255 / 16) as u8; 3]));
        if layout.colours() == 3 {
            let steps = [0, 85, 170, 255];
            let pairs = steps.iter().flat_map(|&r| steps.iter().map(move |&g| (r, g)));
            pairs.for_each(|(r, g)| steps.iter().for_each(|&b| with([r, g, b])));
        }
        let shown_layout = self.shown_layout(layout);
        let mut shown = vec![0; values.len() * shown_layout.channels()];
        self.apply(&tried, layout, &mut shown).ok()?;
        let shown = shown.chunks_exact(shown_layout.channels());
        let is_odd = shown.zip(values).any(|(pixel, (value, ordinary))| {
            let colour = match *pixel {
                [red, green, blue, ..] => [red, green, blue],
                [grey, ..] => [grey; 3],
                [] => [0; 3],
            };
            luma(colour).abs_diff(value) > ordinary
        });
        is_odd.then_some(self)
    }

    /// The picture as a screen shows it, a frame of its own.
    pub(super) fn show<'b>(
        &self,
        frame: &Frame<'_>,
        budget: &'b Budget,
    ) -> Result<Decoded<'b>, Incomplete> {
        budget.charge_frame(frame.width(), frame.height())?;
        let layout = self.shown_layout(frame.layout());
        let (from, to) = (frame.layout().channels() as u64, layout.channels() as u64);
        let length = frame.size() / from * to;
        let memory = budget.reserve(length)?;
        let mut shown = blank(length, budget)?;
        // In pieces, so that the budget can end it.
        let pieces = frame.pixels().chunks(PIECE * from as usize);
        for (values, shown) in pieces.zip(shown.chunks_mut(PIECE * to as usize)) {
            budget.check()?;
            self.apply(values, frame.layout(), shown)?;
        }
        Ok(Decoded::new(frame.shown_as(layout, shown), memory))
    }

    fn shown_layout(&self, layout: Layout) -> Layout {
        match (self, layout) {
            (Self::Icc(_), Layout::Luma8) => Layout::Rgb8,
            (Self::Icc(_), Layout::LumaAlpha8) => Layout::Rgba8,
            _ => layout,
        }
    }

    fn apply(&self, values: &[u8], layout: Layout, shown: &mut [u8]) -> Result<(), Incomplete> {
        match self {
            Self::Icc(transform) => {
                transform.transform(values, shown).map_err(|_| Incomplete::Internal)
            }
            Self::Curve(curve) => {
                let channels = layout.channels();
                for (values, shown) in
                    values.chunks_exact(channels).zip(shown.chunks_exact_mut(channels))
                {
                    shown.copy_from_slice(values);
                    for value in &mut shown[..layout.colours()] {
                        *value = curve[usize::from(*value)];
                    }
                }
                Ok(())
            }
        }
    }
}

/// The profile with those tags alone that a picture is shown by, the first of each name:
/// a table of them, and the whole profile as it was behind it, where they point.
fn with_needed_tags(icc: &[u8]) -> Option<Vec<u8>> {
    let count = icc.get(TABLE - 4..TABLE)?.try_into().ok()?;
    let listed = icc[TABLE..].as_chunks::<TAG>().0.get(..u32::from_be_bytes(count) as usize)?;
    let mut tags: Vec<[u8; TAG]> = Vec::new();
    for tag in listed {
        let is_needed = NEEDED.iter().any(|name| tag.starts_with(name));
        if is_needed && tags.iter().all(|other| other[..4] != tag[..4]) {
            tags.push(*tag);
        }
    }
    let moved = TABLE + TAG * tags.len();
    for tag in &mut tags {
        let offset: &mut [u8; 4] = tag[4..].first_chunk_mut()?;
        *offset = u32::from_be_bytes(*offset).checked_add(moved as u32)?.to_be_bytes();
    }
    let size = (moved + icc.len()) as u32;
    let head = [&size.to_be_bytes(), &icc[4..TABLE - 4], &(tags.len() as u32).to_be_bytes()];
    Some([&head.concat(), tags.as_flattened(), icc].concat())
}

fn luma([red, green, blue]: [u8; 3]) -> u32 {
    (299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue)) / 1000
}

/// Levels of 256 by which an ordinary profile moves no luma. ProPhoto RGB moves greys
/// by 19 and the corners of its wide gamut by 51, Display P3 by 9 and 31; straight
/// light moves greys by 73.
const ORDINARY_GREY: u32 = 24;
const ORDINARY_COLOUR: u32 = 64;

/// Where a profile names its colour space, where its table of tags begins, and the bytes
/// of one of them: a name, an offset and a length (ICC.1:2022, 7.2 and 7.3).
const SPACE: Range<usize> = 16..20;
const TABLE: usize = 132;
const TAG: usize = 12;

/// The curves, the colours of the channels, and what comes in their place.
const NEEDED: [&[u8]; 12] = [
    b"A2B0", b"A2B1", b"A2B2", b"rTRC", b"gTRC", b"bTRC", b"kTRC", b"rXYZ", b"gXYZ", b"bXYZ",
    b"chad", b"cicp",
];

/// Bytes of the largest profile that is read. Those of screens and cameras have some
/// kilobytes, and seldom a megabyte.
const LARGEST: usize = 4 << 20;

/// Pixels between two looks at the budget.
const PIECE: usize = 1 << 18;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn profile(tags: &[&[u8; 4]], length: usize) -> Vec<u8> {
        let mut icc = vec![0; TABLE];
        icc[SPACE].copy_from_slice(b"RGB ");
        icc[TABLE - 4..].copy_from_slice(&(tags.len() as u32).to_be_bytes());
        for (n, tag) in tags.iter().enumerate() {
            icc.extend_from_slice(*tag);
            icc.extend([n as u8; TAG - 4]);
        }
        icc.resize(icc.len().max(length), 9);
        icc
    }

    #[test]
    fn a_profile_is_read_by_the_first_of_each_needed_tag() {
        let icc = profile(&[b"desc", b"A2B0", b"A2B0", b"rTRC", b"A2B0"], 300);
        let read = with_needed_tags(&icc).expect("a table");
        assert_eq!(read[..4], (300 + 156u32).to_be_bytes());
        assert_eq!(read[4..TABLE - 4], icc[4..TABLE - 4]);
        assert_eq!(read[TABLE - 4..][..4], [0, 0, 0, 2]);
        assert_eq!(read[TABLE..][..TAG], *b"A2B0\x01\x01\x01\x9d\x01\x01\x01\x01");
        assert_eq!(read[TABLE + TAG..][..TAG], *b"rTRC\x03\x03\x03\x9f\x03\x03\x03\x03");
        assert_eq!(read[156..], icc);
        assert_eq!(with_needed_tags(&icc[..TABLE + 5 * TAG - 1]), None);
        assert_eq!(with_needed_tags(&icc[..TABLE - 1]), None);
    }

    #[test]
    fn what_a_profile_shows_that_is_too_large_is_not_known() {
        let budget = Budget::start(&Limits::default());
        let fault = |length| {
            let mut profiles = Profiles::default();
            profiles.add_icc(&profile(&[], length), Layout::Rgb8, &budget);
            assert!(profiles.odd.is_empty());
            profiles.fault
        };
        assert_eq!(fault(LARGEST), None);
        assert_eq!(fault(LARGEST + 1), Some(Incomplete::TooMuchMemory));
    }
}
