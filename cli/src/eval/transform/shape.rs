//! Crops, borders and small rotations. Lengths are whole pixels, rounded to
//! the nearest.

use image::{Rgb, RgbImage, imageops};

use crate::chance::Chance;

/// The middle, `percent` of each dimension cut away.
pub(super) fn crop(picture: &RgbImage, percent: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let (left, top) = ((width * percent + 100) / 200, (height * percent + 100) / 200);
    cut(picture, left, top, width - 2 * left, height - 2 * top)
}

/// `percent` of each dimension cut away, shared between the sides by chance.
pub(super) fn crop_offset(picture: &RgbImage, percent: u32, chance: &mut Chance) -> RgbImage {
    let (width, height) = picture.dimensions();
    let (across, down) = (share(width, percent), share(height, percent));
    let top = chance.below(down + 1);
    let left = chance.below(across + 1);
    cut(picture, left, top, width - across, height - down)
}

/// `percent` of one dimension cut away at one side: top, bottom, left or right.
pub(super) fn crop_side(picture: &RgbImage, percent: u32, chance: &mut Chance) -> RgbImage {
    let (width, height) = picture.dimensions();
    let (across, down) = (share(width, percent), share(height, percent));
    match chance.below(4) {
        0 => cut(picture, 0, down, width, height - down),
        1 => cut(picture, 0, 0, width, height - down),
        2 => cut(picture, across, 0, width - across, height),
        _ => cut(picture, 0, 0, width - across, height),
    }
}

/// A border of `percent` of the longer dimension on every side.
pub(super) fn border(picture: &RgbImage, percent: u32, gray: u8) -> RgbImage {
    let thick = share(picture.width().max(picture.height()), percent);
    laid_on(picture, thick, thick, gray)
}

/// Bars of `percent` of the height above and below.
pub(super) fn letterbox(picture: &RgbImage, percent: u32, gray: u8) -> RgbImage {
    laid_on(picture, 0, share(picture.height(), percent), gray)
}

/// The picture in the middle of a larger gray one.
pub(super) fn laid_on(picture: &RgbImage, across: u32, down: u32, gray: u8) -> RgbImage {
    let (width, height) = picture.dimensions();
    let mut canvas = RgbImage::from_pixel(width + 2 * across, height + 2 * down, Rgb([gray; 3]));
    imageops::replace(&mut canvas, picture, across.into(), down.into());
    canvas
}

/// The sine and cosine of an angle.
pub(super) type Angle = (f64, f64);

pub(super) const DEGREE_1: Angle = (0.01745240643728351, 0.9998476951563913);
pub(super) const DEGREES_2: Angle = (0.03489949670250097, 0.9993908270190958);
pub(super) const DEGREES_5: Angle = (0.08715574274765818, 0.9961946980917455);

/// Turned about its middle by chance to one side or the other, bilinear, with
/// black where nothing was. The size stays.
pub(super) fn rotate(picture: &RgbImage, (sine, cosine): Angle, chance: &mut Chance) -> RgbImage {
    let sine = if chance.below(2) == 0 { sine } else { -sine };
    let (width, height) = picture.dimensions();
    let (middle_x, middle_y) = (f64::from(width) / 2.0, f64::from(height) / 2.0);
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (f64::from(x) + 0.5 - middle_x, f64::from(y) + 0.5 - middle_y);
        let from = (cosine * x - sine * y + middle_x, sine * x + cosine * y + middle_y);
        let inside =
            (0.0..f64::from(width)).contains(&from.0) && (0.0..f64::from(height)).contains(&from.1);
        if inside { between(picture, from.0 - 0.5, from.1 - 0.5) } else { Rgb([0; 3]) }
    })
}

/// The colour between the four pixels around a point.
fn between(picture: &RgbImage, x: f64, y: f64) -> Rgb<u8> {
    let (x0, y0) = (x.floor(), y.floor());
    let (along, down) = (x - x0, y - y0);
    let at = |dx: f64, dy: f64| {
        let x = (x0 + dx).clamp(0.0, f64::from(picture.width() - 1));
        let y = (y0 + dy).clamp(0.0, f64::from(picture.height() - 1));
        picture.get_pixel(x as u32, y as u32).0.map(f64::from)
    };
    let corners = [at(0.0, 0.0), at(1.0, 0.0), at(0.0, 1.0), at(1.0, 1.0)];
    Rgb(std::array::from_fn(|channel| {
        let [a, b, c, d] = corners.map(|corner| corner[channel]);
        let (upper, lower) = (a + (b - a) * along, c + (d - c) * along);
        (upper + (lower - upper) * down).round() as u8
    }))
}

fn share(length: u32, percent: u32) -> u32 {
    (length * percent + 50) / 100
}

fn cut(picture: &RgbImage, x: u32, y: u32, width: u32, height: u32) -> RgbImage {
    imageops::crop_imm(picture, x, y, width, height).to_image()
}
