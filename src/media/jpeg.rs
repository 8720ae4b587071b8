//! JPEG, by `zune-jpeg`.
//!
//! The codec fills the rest of a broken picture with grey and says nothing, so
//! the markers are walked here first: for the sizes the budget is charged with,
//! and for whether the file ends where it should.

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::{Fault, Format, Frames, Unsupported, orient, pixels, still};
use crate::frame::{Frame, Layout};
use crate::limits::{Budget, Incomplete};

pub(super) fn open<'a>(bytes: &'a [u8], budget: &'a Budget) -> Result<Frames<'a>, Fault> {
    let header = Header::read(bytes)?;
    let (width, height) = (u32::from(header.width), u32::from(header.height));
    let source = still(move || decode(bytes, &header, budget));
    Ok(Frames::new(Format::Jpeg, (width, height), source))
}

fn decode(
    bytes: &[u8],
    header: &Header,
    budget: &Budget,
) -> (Option<Frame<'static>>, Option<Fault>) {
    let prepared = (|| {
        budget.charge_frame(header.width.into(), header.height.into())?;
        budget.reserve(header.memory())
    })();
    let held = match prepared {
        Ok(held) => held,
        Err(reason) => return (None, Some(reason.into())),
    };
    // Strict first: the only way to hear of damage inside the picture.
    let outcome = match decode_as(bytes, header, Strictness::Strict) {
        Ok(frame) if header.ends => (Some(frame), None),
        Ok(frame) => (Some(frame), Some(Incomplete::Truncated.into())),
        Err(_) => {
            let reason = if header.ends { Incomplete::Malformed } else { Incomplete::Truncated };
            (decode_as(bytes, header, Strictness::Lenient).ok(), Some(reason.into()))
        }
    };
    drop(held);
    outcome
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Strictness {
    Strict,
    Lenient,
}

fn decode_as(
    bytes: &[u8],
    header: &Header,
    strictness: Strictness,
) -> Result<Frame<'static>, Incomplete> {
    let (space, layout) = match header.components {
        1 => (ColorSpace::Luma, Layout::Luma8),
        _ => (ColorSpace::RGB, Layout::Rgb8),
    };
    let options = DecoderOptions::default()
        .set_strict_mode(strictness == Strictness::Strict)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_max_scans(MAX_SCANS)
        .jpeg_set_out_colorspace(space);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|_| Incomplete::Malformed)?;
    let size = decoder.dimensions().map(|(w, h)| (w as u64, h as u64));
    if size != Some((header.width.into(), header.height.into())) {
        return Err(Incomplete::Malformed);
    }
    let mut buffer = pixels(header.pixels() * layout.channels() as u64)?;
    if decoder.output_buffer_size() != Some(buffer.len()) {
        return Err(Incomplete::Malformed);
    }
    decoder.decode_into(&mut buffer).map_err(|_| Incomplete::Malformed)?;
    let orientation = decoder.exif().map(|block| orient::from_exif(block)).unwrap_or_default();
    let frame = Frame::new(header.width.into(), header.height.into(), layout, buffer);
    Ok(frame.map_err(|_| Incomplete::Malformed)?.with_orientation(orientation))
}

/// What the markers say (ITU-T T.81, annex B).
#[derive(Debug)]
struct Header {
    width: u16,
    height: u16,
    components: u8,
    /// Coefficients of the whole picture are held until it is complete.
    buffered: bool,
    /// 8x8 blocks of all components.
    blocks: u64,
    /// Whether an EOI marker closes the picture.
    ends: bool,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let mut frame: Option<Self> = None;
        let mut scans = 0;
        let mut at = 2;
        loop {
            // To the next marker: over fill bytes, entropy-coded data with its
            // stuffed zeros, and restart markers.
            let Some(marker) = next_marker(bytes, &mut at) else { break };
            match marker {
                0xd9 => {
                    if let Some(frame) = &mut frame {
                        frame.ends = true;
                    }
                    break;
                }
                // SOI, TEM and RST stand alone.
                0xd8 | 0x01 | 0xd0..=0xd7 => continue,
                _ => {}
            }
            let Some(segment) = segment(bytes, at) else { break };
            at += 2 + segment.len();
            match marker {
                // SOF0..SOF15 but for DHT, JPG and DAC.
                0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                    if !matches!(marker, 0xc0..=0xc2) {
                        let kind = if marker > 0xc8 { "jpeg-arithmetic" } else { "jpeg-lossless" };
                        return Err(Fault::Unsupported(Unsupported { class: "image", kind }));
                    }
                    if frame.is_none() {
                        frame = Some(Self::of_frame(marker, segment)?);
                    }
                }
                0xda => {
                    scans += 1;
                    let in_scan = segment.first().copied().unwrap_or(0);
                    if let Some(frame) = &mut frame {
                        frame.buffered |= in_scan != frame.components;
                    }
                }
                _ => {}
            }
        }
        match frame {
            Some(frame) if scans > 0 => Ok(frame),
            // The headers themselves are cut off.
            _ if at >= bytes.len() => Err(Incomplete::Truncated.into()),
            _ => Err(Incomplete::Malformed.into()),
        }
    }

    /// A frame header: precision, height, width, components, and for each its
    /// number, sampling factors and quantisation table.
    fn of_frame(marker: u8, segment: &[u8]) -> Result<Self, Fault> {
        let [precision, h1, h0, w1, w0, components, rest @ ..] = segment else {
            return Err(Incomplete::Malformed.into());
        };
        let (height, width) = (u16::from_be_bytes([*h1, *h0]), u16::from_be_bytes([*w1, *w0]));
        let factors: Vec<(u64, u64)> =
            rest.chunks_exact(3).map(|c| (u64::from(c[1] >> 4), u64::from(c[1] & 15))).collect();
        let usable = factors.iter().all(|&(h, v)| (1..=4).contains(&h) && (1..=4).contains(&v));
        if factors.len() != usize::from(*components)
            || !matches!(components, 1 | 3 | 4)
            || !usable
            // Height 0 means "told later" (DNL), which no viewer here follows.
            || width == 0
            || height == 0
        {
            return Err(Incomplete::Malformed.into());
        }
        if *precision != 8 {
            return Err(Fault::Unsupported(Unsupported { class: "image", kind: "jpeg-12-bit" }));
        }
        let widest = factors.iter().map(|f| f.0).max().unwrap_or(1);
        let tallest = factors.iter().map(|f| f.1).max().unwrap_or(1);
        let units = u64::from(width).div_ceil(8 * widest) * u64::from(height).div_ceil(8 * tallest);
        Ok(Self {
            width,
            height,
            components: *components,
            buffered: marker == 0xc2,
            blocks: units * factors.iter().map(|(h, v)| h * v).sum::<u64>(),
            ends: false,
        })
    }

    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Bytes held while decoding: the picture, a strip of samples and, for a
    /// progressive picture, two bytes a coefficient.
    fn memory(&self) -> u64 {
        let strip = u64::from(self.width) * u64::from(self.components) * 64;
        let coefficients = if self.buffered { self.blocks * 64 * 2 } else { 0 };
        self.pixels() * if self.components == 1 { 1 } else { 3 } + strip + coefficients
    }
}

/// The next marker at or behind `at`, which is left behind it.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        *at += bytes.get(*at..)?.iter().position(|&byte| byte == 0xff)? + 1;
        match bytes.get(*at)? {
            0x00 => *at += 1,
            0xff => {}
            &marker => {
                *at += 1;
                return Some(marker);
            }
        }
    }
}

/// The contents of the segment whose length stands at `at`.
fn segment(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = bytes.get(at..at + 2)?;
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    bytes.get(at + 2..at + length.max(2))
}

/// More scans than any encoder writes; each costs a pass over the picture.
const MAX_SCANS: usize = 100;
