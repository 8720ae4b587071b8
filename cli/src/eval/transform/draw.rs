//! Things drawn on and around a picture: text as rows of bars, and a face.

use std::ops::Range;

use image::{Rgb, RgbImage};

use super::shape::laid_on;
use crate::chance::Chance;

/// A name in the lower right corner, small and three tenths transparent.
pub(super) fn watermark(picture: &RgbImage) -> RgbImage {
    let mut drawn = picture.clone();
    let (width, height) = picture.dimensions();
    let at = (width * 60 / 100, height * 95 / 100);
    letters(&mut drawn, 13, at, width / 41, 255, 0.7);
    drawn
}

/// A line of text over a darkened strip along the lower edge.
pub(super) fn caption(picture: &RgbImage) -> RgbImage {
    let mut drawn = picture.clone();
    let (width, height) = picture.dimensions();
    let strip = height * 85 / 100..height * 97 / 100;
    paint(&mut drawn, 0..width, strip, 0, 0.65, |_, _| true);
    letters(&mut drawn, 19, (width / 10, height * 94 / 100), width / 23, 255, 1.0);
    drawn
}

/// A smiling face somewhere, its radius `percent` of the longer dimension.
pub(super) fn emoji(picture: &RgbImage, percent: u32, chance: &mut Chance) -> RgbImage {
    let mut drawn = picture.clone();
    let (width, height) = picture.dimensions();
    let radius = (width.max(height) * percent / 100) as i32;
    let mut place = |length: u32| (length * (150 + chance.below(701)) / 1000) as i32;
    let (x, y) = (place(width), place(height));
    disc(&mut drawn, (x, y), radius, [255, 200, 40]);
    for side in [-1, 1] {
        let eye = (x + side * (radius / 3), y - radius / 4);
        disc(&mut drawn, eye, (radius / 7).max(1), [30; 3]);
    }
    let half = f64::from((radius / 9).max(1)) / 2.0;
    let (across, down) = (f64::from(radius) / 2.0, f64::from(radius) / 3.0);
    let middle = y + radius / 6;
    for dy in 0..=radius {
        for dx in -radius..=radius {
            let within = |grown: f64| {
                let (a, b) = (across + grown, down + grown);
                let (dx, dy) = (f64::from(dx) / a, f64::from(dy) / b);
                dx * dx + dy * dy <= 1.0
            };
            if within(half) && !within(-half) {
                put(&mut drawn, x + dx, middle + dy, [30; 3]);
            }
        }
    }
    drawn
}

/// The picture as wide as a phone's screen, text above and below, on black,
/// nearly black or white.
pub(super) fn screenshot(picture: &RgbImage, chance: &mut Chance) -> RgbImage {
    let (width, height) = picture.dimensions();
    let gray = [0, 18, 255][chance.below(3) as usize];
    let tall = if height * 10 < width * 16 { width * 19 / 10 } else { height * 5 / 4 };
    let mut screen = laid_on(picture, 0, (tall - height) / 2, gray);
    let ink = if gray < 128 { 200 } else { 40 };
    let tall = screen.height();
    letters(&mut screen, 14, (width / 25, (width / 20).max(12)), width / 41, ink, 1.0);
    letters(&mut screen, 16, (width / 10, tall - width / 20), width / 32, ink, 1.0);
    screen
}

/// Letters from `at` to the right, standing on it: each a stem, and a bar at a
/// height of its own.
fn letters(picture: &mut RgbImage, count: u32, at: (u32, u32), size: u32, gray: u8, opacity: f32) {
    let stroke = (size / 6).max(1);
    let top = at.1.saturating_sub(size);
    for n in 0..count {
        let left = at.0 + n * (size * 7 / 10);
        let bar = top + n * 5 % 7 * size.saturating_sub(stroke) / 6;
        let inside = |x: u32, y: u32| x < left + stroke || (bar..bar + stroke).contains(&y);
        paint(picture, left..left + size / 2, top..top + size, gray, opacity, inside);
    }
}

/// Mixes gray into those pixels of a rectangle that are inside.
fn paint(
    picture: &mut RgbImage,
    columns: Range<u32>,
    rows: Range<u32>,
    gray: u8,
    opacity: f32,
    inside: impl Fn(u32, u32) -> bool,
) {
    let (width, height) = picture.dimensions();
    for y in rows.start..rows.end.min(height) {
        for x in columns.start..columns.end.min(width) {
            if inside(x, y) {
                let pixel = picture.get_pixel_mut(x, y);
                pixel.0 = pixel.0.map(|level| {
                    (f32::from(level) + (f32::from(gray) - f32::from(level)) * opacity).round()
                        as u8
                });
            }
        }
    }
}

fn disc(picture: &mut RgbImage, (x, y): (i32, i32), radius: i32, colour: [u8; 3]) {
    for dy in -radius..=radius {
        for dx in -radius..=radius {
            if dx * dx + dy * dy <= radius * radius {
                put(picture, x + dx, y + dy, colour);
            }
        }
    }
}

/// A pixel, unless it lies outside.
fn put(picture: &mut RgbImage, x: i32, y: i32, colour: [u8; 3]) {
    let at = u32::try_from(x).ok().zip(u32::try_from(y).ok());
    if let Some(pixel) = at.and_then(|(x, y)| picture.get_pixel_mut_checked(x, y)) {
        *pixel = Rgb(colour);
    }
}
