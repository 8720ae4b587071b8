//! WebP, by `image-webp`, which composes animations itself.

use image_webp::{DecodingError, WebPDecoder};

use super::reader::{Reader, fault, is_short};
use super::{Fault, Format, Frames, orient, pixels, still};
use crate::frame::{Frame, Layout, Orientation};
use crate::limits::{Budget, Incomplete, Reserved};

pub(super) fn open<'a>(bytes: &'a [u8], budget: &'a Budget) -> Result<Frames<'a>, Fault> {
    let broken = Broken { budget, short: is_cut(bytes) };
    let mut decoder = WebPDecoder::new(Reader::new(bytes, budget)).map_err(|e| broken.by(&e))?;
    let size = decoder.dimensions();
    // EXIF that cannot be read is treated as viewers do: upright.
    let exif = decoder.exif_metadata().ok().flatten();
    let orientation = exif.map(|block| orient::from_exif(&block)).unwrap_or_default();
    let mut picture = Picture { decoder, budget, broken, orientation };
    let cut = broken.short.then_some(Incomplete::Truncated);
    Ok(if picture.decoder.is_animated() {
        let mut held = None;
        let mut left = picture.decoder.num_frames();
        let frames = std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            Some(picture.frame(&mut held, WebPDecoder::read_frame))
        });
        Frames::new(Format::WebP, size, frames.chain(cut.map(|reason| Err(reason.into()))))
    } else {
        let source = still(move || {
            match picture.frame(&mut None, |decoder, buffer| decoder.read_image(buffer)) {
                Ok(frame) => (Some(frame), cut.map(Fault::from)),
                Err(fault) => (None, Some(fault)),
            }
        });
        Frames::new(Format::WebP, size, source)
    })
}

/// Whether the RIFF header speaks of more bytes than there are.
fn is_cut(bytes: &[u8]) -> bool {
    let size = bytes.get(4..8).and_then(|size| size.try_into().ok()).map_or(0, u32::from_le_bytes);
    bytes.len() < 8 || u64::from(size) > bytes.len() as u64 - 8
}

struct Picture<'a> {
    decoder: WebPDecoder<Reader<'a>>,
    budget: &'a Budget,
    broken: Broken<'a>,
    orientation: Orientation,
}

impl<'a> Picture<'a> {
    /// `held` keeps the codec's memory reserved from the first frame on.
    fn frame<T>(
        &mut self,
        held: &mut Option<Reserved<'a>>,
        read: impl FnOnce(&mut WebPDecoder<Reader<'a>>, &mut [u8]) -> Result<T, DecodingError>,
    ) -> Result<Frame<'static>, Fault> {
        let (width, height) = self.decoder.dimensions();
        self.budget.charge_frame(width, height)?;
        let layout = if self.decoder.has_alpha() { Layout::Rgba8 } else { Layout::Rgb8 };
        let length = u64::from(width) * u64::from(height) * layout.channels() as u64;
        if held.is_none() {
            // The frame handed out, and the codec's planes and canvas.
            *held = Some(self.budget.reserve(length.saturating_mul(3))?);
            self.decoder.set_memory_limit(usize::try_from(length * 2).unwrap_or(usize::MAX));
        }
        let mut buffer = pixels(length)?;
        read(&mut self.decoder, &mut buffer).map_err(|error| self.broken.by(&error))?;
        let frame = Frame::new(width, height, layout, buffer).map_err(|_| Incomplete::Malformed)?;
        Ok(frame.with_orientation(self.orientation))
    }
}

/// What the codec's errors mean for this file.
#[derive(Clone, Copy)]
struct Broken<'a> {
    budget: &'a Budget,
    short: bool,
}

impl Broken<'_> {
    fn by(self, error: &DecodingError) -> Fault {
        let short = matches!(error, DecodingError::IoError(error) if is_short(error));
        fault(self.budget, short || self.short)
    }
}
