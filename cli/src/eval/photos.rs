//! The photos to measure with.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageReader, Rgb, RgbImage};
use presend::Limits;
use presend::hash::PerceptualHash;
use presend::limits::Budget;
use presend::media;

use super::matching::Hashed;
use super::transform::{Copied, fit};
use crate::Failure;
use crate::input::Input;

/// A photo of the folder, small enough to make copies of.
pub(crate) struct Photo {
    pub(crate) picture: RgbImage,
    pub(crate) hashed: Hashed,
    /// The hash that is listed.
    pub(crate) hash: PerceptualHash,
}

/// Why a file of the folder is not measured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unused {
    /// Not a picture, or one that cannot be read.
    Unreadable,
    /// A side is shorter than [`SHORTEST`].
    Small,
    /// Its hash says too little to be compared.
    LowQuality,
    /// Nearly the same as an earlier one.
    Repeated,
}

impl Unused {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Small => "small",
            Self::LowQuality => "low quality",
            Self::Repeated => "repeated",
        }
    }
}

impl Photo {
    /// Reads and hashes one file.
    pub(crate) fn read(input: &Input) -> Result<Self, Unused> {
        let limits = Limits::default();
        let bytes = input.read(limits.input_bytes).map_err(|_| Unused::Unreadable)?;
        let picture = decode(&bytes, &limits).ok_or(Unused::Unreadable)?;
        if picture.width().min(picture.height()) < SHORTEST {
            return Err(Unused::Small);
        }
        let original = Copied::Pixels(fit(&picture, LONGEST));
        let hashed = Hashed::of(&original).map_err(|_| Unused::Unreadable)?;
        match original {
            Copied::Pixels(picture) if hashed.is_usable() => {
                Ok(Self { picture, hash: hashed.hash(), hashed })
            }
            _ => Err(Unused::LowQuality),
        }
    }

    /// Whether an open list of the one would find the other, however turned.
    pub(crate) fn resembles(&self, other: &Self) -> bool {
        self.hashed
            .symmetric_hashes()
            .iter()
            .any(|hash| hash.distance(&other.hash) <= super::THRESHOLD)
    }
}

/// The long side that photos are reduced to before copies are made, as in the
/// simulation that the project's figures come from.
pub(crate) const LONGEST: u32 = 900;

/// Thumbnails are no photos.
const SHORTEST: u32 = 120;

/// Upright, over white. What the engine would not decode is not decoded here.
fn decode(bytes: &[u8], limits: &Limits) -> Option<RgbImage> {
    media::open(bytes, &Budget::start(limits)).ok()?;
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let mut decoder = reader.into_decoder().ok()?;
    let orientation = decoder.orientation().ok()?;
    let mut picture = DynamicImage::from_decoder(decoder).ok()?;
    picture.apply_orientation(orientation);
    if !picture.color().has_alpha() {
        return Some(picture.into_rgb8());
    }
    let clear = picture.into_rgba8();
    Some(RgbImage::from_fn(clear.width(), clear.height(), |x, y| {
        let [r, g, b, alpha] = clear.get_pixel(x, y).0.map(u32::from);
        Rgb([r, g, b].map(|level| ((level * alpha + 255 * (255 - alpha) + 127) / 255) as u8))
    }))
}

/// The folder must be one.
pub(crate) fn check(folder: &Path) -> Result<(), Failure> {
    if folder.is_dir() { Ok(()) } else { Err(Failure::at(folder, "not a folder")) }
}
