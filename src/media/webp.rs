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
    // The codec allocates for a lossy frame before it compares the sizes.
    if bytes.get(12..).is_some_and(|chunks| holds_larger_frame(chunks, size)) {
        return Err(Incomplete::Malformed.into());
    }
    decoder.set_memory_limit(bytes.len());
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

/// Whether a `VP8 ` chunk, inside animation frames too, claims more pixels a
/// side than the canvas has (RFC 9649, sections 2.5 and 2.7; RFC 6386, 9.1).
fn holds_larger_frame(mut chunks: &[u8], (width, height): (u32, u32)) -> bool {
    while let Some((header, rest)) = chunks.split_first_chunk::<8>() {
        let [a, b, c, d, size @ ..] = *header;
        let size = u32::from_le_bytes(size) as usize;
        let contents = &rest[..size.min(rest.len())];
        let larger = match (&[a, b, c, d], contents) {
            (b"VP8 ", [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..]) => {
                // 14 bits, and two for a scale that nobody applies.
                let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
                side(*w0, *w1) > width || side(*h0, *h1) > height
            }
            (b"ANMF", contents) => {
                contents.get(16..).is_some_and(|inside| holds_larger_frame(inside, (width, height)))
            }
            _ => false,
        };
        if larger {
            return true;
        }
        // Chunks are padded to an even length.
        chunks = rest.get(size.saturating_add(size & 1)..).unwrap_or(&[]);
    }
    false
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_larger_than_its_canvas_is_seen_wherever_it_lies() {
        let vp8 = b"VP8 \x0a\0\0\0\0\0\0\x9d\x01\x2a\xff\x3f\x10\0";
        assert!(holds_larger_frame(vp8, (100, 100)));
        assert!(!holds_larger_frame(vp8, (16383, 16)));
        let mut animated = b"ICCP\x01\0\0\0x\0ANMF".to_vec();
        animated.extend((16 + vp8.len() as u32).to_le_bytes());
        animated.extend([0; 16]);
        animated.extend(vp8);
        assert!(holds_larger_frame(&animated, (100, 100)));
        assert!(!holds_larger_frame(&animated[..30], (100, 100)));
    }
}
