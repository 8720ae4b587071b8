//! Windows bitmaps, by `image`.

use image::codecs::bmp::BmpDecoder;
use image::{ColorType, ImageDecoder, ImageError};

use super::profile::Profiles;
use super::reader::{Reader, fault, is_short};
use super::{Decoded, Fault, Format, Frames, blank, still};
use crate::frame::{Frame, Layout};
use crate::limits::{Budget, Incomplete};

pub(super) fn open<'a>(bytes: &'a [u8], budget: &'a Budget) -> Result<Frames<'a>, Fault> {
    let decoder =
        BmpDecoder::new(Reader::new(bytes, budget)).map_err(|error| broken(&error, budget))?;
    let size = decoder.dimensions();
    let source = still(move || match decode(bytes, decoder, budget) {
        Ok((decoded, fault)) => (Some(decoded), fault),
        Err(fault) => (None, Some(fault)),
    });
    Ok(Frames::new(Format::Bmp, size, budget, source))
}

fn decode<'a>(
    bytes: &[u8],
    decoder: BmpDecoder<Reader<'a>>,
    budget: &'a Budget,
) -> Result<(Decoded<'a>, Option<Fault>), Fault> {
    let (width, height) = decoder.dimensions();
    budget.charge_frame(width, height)?;
    let layout = match decoder.color_type() {
        ColorType::L8 => Layout::Luma8,
        ColorType::Rgb8 => Layout::Rgb8,
        ColorType::Rgba8 => Layout::Rgba8,
        _ => return Err(Incomplete::Malformed.into()),
    };
    let memory = budget.reserve(decoder.total_bytes())?;
    let mut buffer = blank(decoder.total_bytes(), budget)?;
    let fault = decoder.read_image(&mut buffer).err().map(|error| broken(&error, budget));
    let frame = Frame::new(width, height, layout, buffer).map_err(|_| Incomplete::Malformed)?;
    let mut profiles = Profiles::default();
    if let Some(icc) = profile(bytes) {
        profiles.add_icc(icc, layout, budget);
    }
    Ok((Decoded::new(frame, memory).with(profiles), fault))
}

/// The ICC profile that a `BITMAPV5HEADER` says is embedded.
fn profile(bytes: &[u8]) -> Option<&[u8]> {
    let header = bytes.get(14..)?;
    let number = |at: usize| header.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    if number(0)? < V5 || number(56)? != u32::from_be_bytes(*b"MBED") {
        return None;
    }
    let (from, length) = (number(112)? as usize, number(116)? as usize);
    header.get(from..)?.get(..length)
}

/// Bytes of a `BITMAPV5HEADER`.
const V5: u32 = 124;

fn broken(error: &ImageError, budget: &Budget) -> Fault {
    fault(budget, matches!(error, ImageError::IoError(error) if is_short(error)))
}
