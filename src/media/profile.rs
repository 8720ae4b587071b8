//! Colour profiles: what a screen makes of the values in a file.
//!
//! The tools that lists are made with pass over profiles, and those that cameras and
//! editors write move few bits of a hash. But a profile may say that dark values are
//! bright ones, or that light comes straight from the values, and then the person who
//! receives the picture sees another one. Such a picture counts twice: as it is
//! stored, and as a screen shows it.
//!
//! ICC profiles are read by `moxcms`, which `image` decodes with too. Nobody applies
//! one that cannot be read, or that is of another colour space than the picture.

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout as Channels};
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

impl Profile {
    /// An ICC profile (ICC.1) of pictures of this layout, if it is out of the
    /// ordinary.
    pub(super) fn of_icc(icc: &[u8], layout: Layout) -> Option<Self> {
        let profile = ColorProfile::new_from_slice(icc).ok()?;
        let (space, from, to) = match layout {
            Layout::Luma8 => (DataColorSpace::Gray, Channels::Gray, Channels::Rgb),
            Layout::LumaAlpha8 => (DataColorSpace::Gray, Channels::GrayAlpha, Channels::Rgba),
            Layout::Rgb8 => (DataColorSpace::Rgb, Channels::Rgb, Channels::Rgb),
            Layout::Rgba8 => (DataColorSpace::Rgb, Channels::Rgba, Channels::Rgba),
        };
        if profile.color_space != space {
            return None;
        }
        let (screen, options) = (ColorProfile::new_srgb(), TransformOptions::default());
        let transform = profile.create_transform_8bit(from, &screen, to, options).ok()?;
        Self::Icc(transform).unless_ordinary(layout)
    }

    /// The `gAMA` of a PNG (third edition, 11.3.2.2) without a profile: values are
    /// light to this power.
    pub(super) fn of_gamma(gamma: f64, layout: Layout) -> Option<Self> {
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
        Ok(Decoded { frame: frame.shown_as(layout, shown), memory, profile: None })
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

fn luma([red, green, blue]: [u8; 3]) -> u32 {
    (299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue)) / 1000
}

/// Levels of 256 by which an ordinary profile moves no luma. ProPhoto RGB moves greys
/// by 19 and the corners of its wide gamut by 51, Display P3 by 9 and 31; straight
/// light moves greys by 73.
const ORDINARY_GREY: u32 = 24;
const ORDINARY_COLOUR: u32 = 64;

/// Pixels between two looks at the budget.
const PIECE: usize = 1 << 18;
