//! What happens to a picture on its way through messengers and hands.
//!
//! Fifty-four transformations, the same for the same picture on every run:
//! whatever is left to chance is drawn from the picture's own hash. Files are
//! really encoded and read again. Text is drawn as bars, which no font has to
//! be shipped for and a perceptual hash cannot tell from letters.

mod codec;
mod draw;
mod shape;
mod tone;

use image::RgbImage;
use image::imageops::{self, FilterType};

use crate::Failure;
use crate::chance::Chance;
use crate::encode::{Libwebp, jpeg, webp};
use codec::forward;

/// One way of changing a picture.
pub(crate) struct Transformation {
    /// A stable name.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    make: fn(&RgbImage, &mut Chance) -> Result<Copied, Failure>,
}

/// Transformations that are reported together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Encoding, scaling, tone, blur and noise: nothing moves.
    Reencode,
    /// Something is drawn on it.
    Overlay,
    /// Less of it.
    Crop,
    /// Something around it.
    Border,
    /// Turned by a few degrees.
    Rotation,
    /// Mirrored, or turned by a quarter or half.
    Symmetry,
    /// Squeezed, and one mix of several.
    Other,
}

/// The changed picture, as the person would send it.
pub(crate) enum Copied {
    Pixels(RgbImage),
    /// A JPEG or WebP file.
    File(Vec<u8>),
}

impl Transformation {
    /// The changed picture.
    pub(crate) fn make(&self, picture: &RgbImage, chance: &mut Chance) -> Result<Copied, Failure> {
        (self.make)(picture, chance)
    }
}

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::Reencode,
        Self::Overlay,
        Self::Crop,
        Self::Border,
        Self::Rotation,
        Self::Symmetry,
        Self::Other,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reencode => "re-encodes",
            Self::Overlay => "overlays",
            Self::Crop => "crops",
            Self::Border => "borders",
            Self::Rotation => "rotations",
            Self::Symmetry => "symmetries",
            Self::Other => "others",
        }
    }
}

macro_rules! table {
    ($($kind:ident: $($name:literal $make:expr,)+)+) => {
        [$($(Transformation { name: $name, kind: Kind::$kind, make: $make },)+)+]
    };
}

/// All of them. Percentages of a crop count what is cut from each dimension in
/// all, those of a border what is added on each side.
pub(crate) static ALL: [Transformation; 54] = table! {
    Reencode:
        "jpeg-95" |p, _| file(jpeg(p, 95)),
        "jpeg-85" |p, _| file(jpeg(p, 85)),
        "jpeg-70" |p, _| file(jpeg(p, 70)),
        "jpeg-50" |p, _| file(jpeg(p, 50)),
        "jpeg-30" |p, _| file(jpeg(p, 30)),
        "webp-80" |p, _| file(webp(p, Libwebp::Quality80)),
        "webp-50" |p, _| file(webp(p, Libwebp::Quality50)),
        "scale-0.75" |p, _| file(jpeg(&scale(p, 75), 90)),
        "scale-0.5" |p, _| file(jpeg(&scale(p, 50), 90)),
        "fit-256" |p, _| file(jpeg(&fit(p, 256), 85)),
        "fit-128" |p, _| file(jpeg(&fit(p, 128), 80)),
        "scale-0.8-jpeg-70" |p, _| file(jpeg(&scale(p, 80), 70)),
        "forwarded-3-times" |p, _| file(forward(p)),
        "brighter-20" |p, _| pixels(tone::add(p, 20)),
        "darker-20" |p, _| pixels(tone::add(p, -20)),
        "contrast-1.2" |p, _| pixels(tone::contrast(p, 1.2)),
        "contrast-0.8" |p, _| pixels(tone::contrast(p, 0.8)),
        "gamma-0.8" |p, _| pixels(tone::gamma(p, 0.8)),
        "gamma-1.25" |p, _| pixels(tone::gamma(p, 1.25)),
        "saturation-1.4" |p, _| pixels(tone::saturation(p, 1.4)),
        "gray" |p, _| pixels(tone::saturation(p, 0.0)),
        "blur-1" |p, _| pixels(imageops::blur(p, 1.0)),
        "blur-2.5" |p, _| pixels(imageops::blur(p, 2.5)),
        "sharpen" |p, _| pixels(tone::sharpen(p)),
        "noise-8" |p, chance| pixels(tone::noise(p, 8.0, chance)),
    Overlay:
        "watermark" |p, _| pixels(draw::watermark(p)),
        "caption" |p, _| pixels(draw::caption(p)),
        "emoji-6" |p, chance| pixels(draw::emoji(p, 6, chance)),
        "emoji-12" |p, chance| pixels(draw::emoji(p, 12, chance)),
    Crop:
        "crop-1" |p, _| file(jpeg(&shape::crop(p, 1), 85)),
        "crop-2" |p, _| file(jpeg(&shape::crop(p, 2), 85)),
        "crop-5" |p, _| file(jpeg(&shape::crop(p, 5), 85)),
        "crop-10" |p, _| file(jpeg(&shape::crop(p, 10), 85)),
        "crop-20" |p, _| file(jpeg(&shape::crop(p, 20), 85)),
        "crop-offset-2" |p, chance| file(jpeg(&shape::crop_offset(p, 2, chance), 85)),
        "crop-offset-5" |p, chance| file(jpeg(&shape::crop_offset(p, 5, chance), 85)),
        "crop-offset-10" |p, chance| file(jpeg(&shape::crop_offset(p, 10, chance), 85)),
        "crop-side-2" |p, chance| file(jpeg(&shape::crop_side(p, 2, chance), 85)),
        "crop-side-5" |p, chance| file(jpeg(&shape::crop_side(p, 5, chance), 85)),
        "crop-side-10" |p, chance| file(jpeg(&shape::crop_side(p, 10, chance), 85)),
        "crop-side-20" |p, chance| file(jpeg(&shape::crop_side(p, 20, chance), 85)),
    Border:
        "border-2-white" |p, _| pixels(shape::border(p, 2, 255)),
        "border-5-black" |p, _| pixels(shape::border(p, 5, 0)),
        "letterbox-12-black" |p, _| file(jpeg(&shape::letterbox(p, 12, 0), 80)),
        "letterbox-25-white" |p, _| file(jpeg(&shape::letterbox(p, 25, 255), 80)),
        "screenshot" |p, chance| file(jpeg(&draw::screenshot(p, chance), 80)),
    Rotation:
        "rotate-1" |p, chance| pixels(shape::rotate(p, shape::DEGREE_1, chance)),
        "rotate-2" |p, chance| pixels(shape::rotate(p, shape::DEGREES_2, chance)),
        "rotate-5" |p, chance| pixels(shape::rotate(p, shape::DEGREES_5, chance)),
    Symmetry:
        "rotate-90" |p, _| file(jpeg(&imageops::rotate90(p), 80)),
        "rotate-180" |p, _| file(jpeg(&imageops::rotate180(p), 80)),
        "mirror" |p, _| file(jpeg(&imageops::flip_horizontal(p), 80)),
    Other:
        "squeeze-5" |p, _| pixels(squeeze(p)),
        "mix" mix,
};

fn mix(picture: &RgbImage, chance: &mut Chance) -> Result<Copied, Failure> {
    let cropped = shape::crop_offset(picture, 4, chance);
    let drawn = draw::emoji(&tone::gamma(&cropped, 0.9), 5, chance);
    file(jpeg(&scale(&drawn, 70), 70))
}

fn pixels(picture: RgbImage) -> Result<Copied, Failure> {
    Ok(Copied::Pixels(picture))
}

fn file(bytes: Result<Vec<u8>, Failure>) -> Result<Copied, Failure> {
    bytes.map(Copied::File)
}

/// To a percentage of its size, bilinear over the pixels that become one.
fn scale(picture: &RgbImage, percent: u32) -> RgbImage {
    let side = |side: u32| ((side * percent + 50) / 100).max(8);
    let (width, height) = picture.dimensions();
    imageops::resize(picture, side(width), side(height), FilterType::Triangle)
}

/// Into a square of `side` pixels, by Lanczos; a smaller picture stays as it is.
pub(crate) fn fit(picture: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    if longest <= side {
        return picture.clone();
    }
    let scaled = |length: u32| ((length * side + longest / 2) / longest).max(1);
    imageops::resize(picture, scaled(width), scaled(height), FilterType::Lanczos3)
}

fn squeeze(picture: &RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    imageops::resize(picture, (width * 95 / 100).max(8), height, FilterType::Triangle)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use presend::hash::PerceptualHash;

    use super::super::matching::Hashed;
    use super::*;

    /// Pillow's copies of the same pictures, hashed by pdqhash: see
    /// tests/oracle/copies.py. Resampling filters and encoders differ a little
    /// between libraries, so a few bits are allowed.
    #[test]
    fn copies_are_what_pillow_makes_of_the_same_pictures() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data");
        let expected = std::fs::read_to_string(data.join("copies/copies.csv")).unwrap();
        let mut far = Vec::new();
        let mut compared = 0;
        for row in expected.lines().skip(1) {
            let [picture, name, hex] = row.split(',').collect::<Vec<_>>().try_into().unwrap();
            let (n, one) = ALL.iter().enumerate().find(|(_, one)| one.name == name).unwrap();
            let picture = image::open(data.join(picture)).unwrap().into_rgb8();
            let copy = one.make(&picture, &mut Chance::new(n as u64)).ok().unwrap();
            let hash = Hashed::of(&copy).ok().unwrap().hash();
            let distance = hash.distance(&PerceptualHash::from_hex(hex).unwrap());
            // Another WebP encoder than libwebp: it chooses other blocks.
            let allowed = if name.starts_with("webp") { 6 } else { 4 };
            if distance > allowed {
                far.push(format!("{row}: {distance} bits"));
            }
            compared += 1;
        }
        assert_eq!(compared, 3 * ALL.len());
        assert!(far.is_empty(), "{far:#?}");
    }

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<_> = ALL.iter().map(|one| one.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 54);
    }
}
