//! Encoding to the two formats that messengers send.

use std::io::Cursor;

use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::{DynamicImage, RgbImage};
use lossy_webp::{ColorType, EncoderParams, WebPEncoder};

use super::scale;
use crate::Failure;

/// Baseline JPEG with libjpeg's tables for `quality`. Chroma stays whole where
/// messengers halve it: the hash sees luma alone.
pub(super) fn jpeg(picture: &RgbImage, quality: u8) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(picture)
        .map_err(|error| Failure::new(format!("a copy cannot be written as JPEG: {error}")))?;
    Ok(bytes)
}

/// Lossy WebP.
///
/// The encoder sets its quantiser straight from the quality; libwebp bends the
/// scale first (`QualityToCompression`), and it is libwebp's 80 that people
/// mean. The bent scale goes in here.
pub(super) fn webp(picture: &RgbImage, quality: u8) -> Result<Vec<u8>, Failure> {
    let wanted = f64::from(quality) / 100.0;
    let bent = if wanted < 0.75 { wanted * 2.0 / 3.0 } else { 2.0 * wanted - 1.0 };
    let mut parameters = EncoderParams::default();
    parameters.use_lossy = true;
    parameters.lossy_quality = (bent.cbrt() * 100.0).round() as u8;
    let mut bytes = Vec::new();
    let mut encoder = WebPEncoder::new(&mut bytes);
    encoder.set_params(parameters);
    encoder
        .encode(picture.as_raw(), picture.width(), picture.height(), ColorType::Rgb8)
        .map_err(|error| Failure::new(format!("a copy cannot be written as WebP: {error}")))?;
    Ok(bytes)
}

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
