//! What forwarding does to a picture.

use std::io::Cursor;

use image::codecs::jpeg::JpegDecoder;
use image::{DynamicImage, RgbImage};

use super::scale;
use crate::Failure;
use crate::encode::jpeg;

/// Three times scaled and encoded, each time from what the last one left.
pub(super) fn forward(picture: &RgbImage) -> Result<Vec<u8>, Failure> {
    let first = jpeg(&scale(picture, 90), 70)?;
    let second = jpeg(&scale(&read(&first)?, 90), 60)?;
    jpeg(&scale(&read(&second)?, 90), 70)
}

fn read(jpeg: &[u8]) -> Result<RgbImage, Failure> {
    let picture = JpegDecoder::new(Cursor::new(jpeg)).and_then(DynamicImage::from_decoder);
    let picture =
        picture.map_err(|error| Failure::new(format!("a copy cannot be read again: {error}")))?;
    Ok(picture.into_rgb8())
}
