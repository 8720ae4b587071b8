//! Brightness, colour, sharpness and noise.

use image::{RgbImage, imageops};

use crate::chance::Chance;

/// `by` levels brighter, or darker.
pub(super) fn add(picture: &RgbImage, by: i16) -> RgbImage {
    curve(picture, |level| level + f64::from(by))
}

/// Levels moved away from the middle, or towards it.
pub(super) fn contrast(picture: &RgbImage, by: f64) -> RgbImage {
    curve(picture, |level| (level - 128.0) * by + 128.0)
}

/// Levels in 0..1 raised to the power of `exponent`.
pub(super) fn gamma(picture: &RgbImage, exponent: f64) -> RgbImage {
    curve(picture, |level| 255.0 * (level / 255.0).powf(exponent))
}

/// Colours moved away from the gray of the same luma, or onto it at 0.
pub(super) fn saturation(picture: &RgbImage, by: f32) -> RgbImage {
    let mut changed = picture.clone();
    for pixel in changed.pixels_mut() {
        let [r, g, b] = pixel.0.map(f32::from);
        let gray = 0.299 * r + 0.587 * g + 0.114 * b;
        pixel.0 = [r, g, b].map(|level| (gray + (level - gray) * by).round() as u8);
    }
    changed
}

/// An unsharp mask: 0.8 of the difference to a blur of sigma 1.5 added.
pub(super) fn sharpen(picture: &RgbImage) -> RgbImage {
    let mut sharp = picture.clone();
    for (level, soft) in sharp.iter_mut().zip(imageops::blur(picture, 1.5).iter()) {
        *level = (f32::from(*level) * 1.8 - f32::from(*soft) * 0.8).round() as u8;
    }
    sharp
}

/// Independent noise of deviation `sigma` on every channel.
pub(super) fn noise(picture: &RgbImage, sigma: f64, chance: &mut Chance) -> RgbImage {
    let mut noisy = picture.clone();
    for level in noisy.iter_mut() {
        *level = (f64::from(*level) + sigma * chance.normal()).round() as u8;
    }
    noisy
}

fn curve(picture: &RgbImage, curve: impl Fn(f64) -> f64) -> RgbImage {
    // `as` saturates, so a level ends at black or white.
    let table: [u8; 256] = std::array::from_fn(|level| curve(level as f64).round() as u8);
    let mut changed = picture.clone();
    for level in changed.iter_mut() {
        *level = table[usize::from(*level)];
    }
    changed
}
