//! PNG and APNG, by the `png` crate; the canvas is ours.

use std::mem;

use png::{
    BlendOp, ColorType, Decoder, DecodingError, DisposeOp, Info, InterlaceInfo, InterlacedRow,
    Reader as Rows, Transformations, expand_interlaced_row,
};

use super::canvas::{Blend, Canvas, Dispose, Patch, rgba};
use super::profile::Profiles;
use super::reader::{Reader, fault, is_short};
use super::reduce::{self, Reducer};
use super::{Decoded, Fault, Fidelity, Format, Frames, blank, orient, room};
use crate::frame::{Frame, Layout, Orientation};
use crate::limits::{Budget, Incomplete, Reserved};

pub(super) fn open<'a>(
    bytes: &'a [u8],
    fidelity: Fidelity,
    budget: &'a Budget,
) -> Result<Frames<'a>, Fault> {
    let mut decoder = Decoder::new_with_limits(
        Reader::new(bytes, budget),
        // For chunks other than the pixels, which are charged to the budget.
        png::Limits { bytes: CHUNK_MEMORY },
    );
    decoder.set_transformations(Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    let header = decoder.read_header_info().map_err(|error| broken(&error, budget))?;
    // The codec allocates rows of up to 8 bytes a pixel right after the header.
    budget.fits(header.width, header.height)?;
    drop(budget.reserve(16 * u64::from(header.width))?);
    let rows = decoder.read_info().map_err(|error| broken(&error, budget))?;
    let info = rows.info();
    // The codec trusts a palette to hold whole colours, and one at least.
    let palette = info.palette.as_deref().unwrap_or_default();
    let whole = !palette.is_empty() && palette.len().is_multiple_of(3);
    if info.color_type == ColorType::Indexed && !whole {
        return Err(Incomplete::Malformed.into());
    }
    let size = (info.width, info.height);
    // The default image may stand outside the animation; it is shown by every
    // viewer that does not animate, so it counts as a frame too.
    let animated = info.animation_control();
    let frames = animated.map_or(1, |control| {
        u64::from(control.num_frames) + u64::from(info.frame_control().is_none())
    });
    // The codec tells nobody of a profile that it could not read, or that is too large.
    let chunks = Chunks::find(bytes);
    let exif = info.exif_metadata.as_deref().or(chunks.exif);
    let orientation = exif.map(orient::from_exif).unwrap_or_default();
    let is_hidden = chunks.profiles > 0 && info.icc_profile.is_none();
    let counted = animated.map_or(0, |control| control.num_frames.into());
    let uncounted = chunks.is_animated && chunks.controls > counted;
    let layout = layout(rows.output_color_type().0)?;
    // Frames of an animation are drawn on a canvas.
    let shown = if animated.is_some() { Layout::Rgba8 } else { layout };
    let profiles = profiles(info, shown, budget);
    let is_opaque = matches!(layout, Layout::Luma8 | Layout::Rgb8);
    let comes_in_rows = is_opaque && !info.interlaced;
    let can_be_reduced = animated.is_some() || comes_in_rows;
    let is_fast = fidelity == Fidelity::Fast && can_be_reduced && profiles.is_empty();
    let scale = if is_fast { reduce::scale(size.0, size.1) } else { 1 };
    let animated = animated.is_some();
    let mut picture = Picture {
        is_malformed: uncounted || is_hidden,
        layout,
        scale,
        rows,
        budget,
        size,
        orientation,
        animated,
        frames,
        begun: false,
        profiles,
        canvas: None,
        fault: None,
    };
    Ok(Frames::new(Format::Png, size, budget, std::iter::from_fn(move || picture.next())))
}

struct Picture<'a> {
    rows: Rows<Reader<'a>>,
    budget: &'a Budget,
    size: (u32, u32),
    layout: Layout,
    /// Rows and columns that a pixel of the frame stands for.
    scale: u32,
    orientation: Orientation,
    animated: bool,
    /// Frames still to come.
    frames: u64,
    /// A frame has come already.
    begun: bool,
    /// There are frames behind those that the header counts, or a profile that is not
    /// known.
    is_malformed: bool,
    profiles: Profiles,
    canvas: Option<Canvas<'a>>,
    /// Found while the last frame was read; reported behind it.
    fault: Option<Fault>,
}

impl<'a> Picture<'a> {
    fn next(&mut self) -> Option<Result<Decoded<'a>, Fault>> {
        if let Some(fault) = self.fault.take() {
            return Some(Err(fault));
        }
        self.frames = self.frames.checked_sub(1)?;
        if self.frames == 0 {
            self.fault = self.is_malformed.then(|| Incomplete::Malformed.into());
        }
        Some(self.frame())
    }

    fn frame(&mut self) -> Result<Decoded<'a>, Fault> {
        let (width, height) = self.size;
        self.budget.charge_frame(width, height)?;
        if self.scale > 1 && !self.animated {
            return self.reduced();
        }
        if mem::replace(&mut self.begun, true) {
            self.rows.next_frame_info().map_err(|error| broken(&error, self.budget))?;
        }
        let Some(control) = self.rows.info().frame_control().copied() else {
            let length = u64::from(width) * u64::from(height) * self.layout.channels() as u64;
            let memory = self.budget.reserve(length)?;
            let (buffer, fault) = self.whole((width, height))?;
            self.fault = fault.or(self.fault);
            let frame = Frame::new(width, height, self.layout, buffer);
            let frame = frame.map_err(|_| Incomplete::Malformed)?;
            return Ok(self.decoded(frame, memory));
        };
        let patch = Patch {
            left: control.x_offset,
            top: control.y_offset,
            width: control.width,
            height: control.height,
            blend: match control.blend_op {
                BlendOp::Source => Blend::Replace,
                BlendOp::Over => Blend::Over,
            },
            dispose: match control.dispose_op {
                DisposeOp::None => Dispose::Keep,
                DisposeOp::Background => Dispose::Clear,
                DisposeOp::Previous => Dispose::Restore,
            },
        };
        if self.canvas.is_none() {
            self.canvas = Some(Canvas::new(width, height, self.scale, self.budget)?);
        }
        let fault = self.draw(patch)?;
        self.fault = fault.or(self.fault);
        let canvas = self.canvas.as_mut().ok_or(Incomplete::Internal)?;
        let (frame, memory) = canvas.show()?;
        Ok(self.decoded(frame, memory))
    }

    /// Draws the frame's rows, and says what is wrong with the last.
    fn draw(&mut self, patch: Patch) -> Result<Option<Fault>, Incomplete> {
        let layout = self.layout;
        let stride = patch.width as usize * layout.channels();
        let _held = self.budget.reserve(4 * u64::from(patch.width))?;
        let mut row = Vec::new();
        if self.rows.info().interlaced {
            let canvas = self.canvas.as_ref().ok_or(Incomplete::Internal)?;
            let _held = canvas.beside(stride as u64 * u64::from(patch.height))?;
            let (pixels, fault) = self.whole((patch.width, patch.height))?;
            let canvas = self.canvas.as_mut().ok_or(Incomplete::Internal)?;
            canvas.begin(patch)?;
            for (y, pixels) in (0..).zip(pixels.chunks_exact(stride.max(1))) {
                rgba(layout, pixels, &mut row);
                canvas.draw(y, row.as_flattened())?;
            }
            return Ok(fault);
        }
        let canvas = self.canvas.as_mut().ok_or(Incomplete::Internal)?;
        canvas.begin(patch)?;
        for y in 0.. {
            match self.rows.next_row() {
                Ok(Some(pixels)) => rgba(layout, pixels.data(), &mut row),
                Ok(None) => break,
                Err(error) => return Ok(Some(broken(&error, self.budget))),
            }
            canvas.draw(y, row.as_flattened())?;
        }
        Ok(None)
    }

    /// The pixels of a frame of this size, black where none came, and what is wrong
    /// with them.
    fn whole(
        &mut self,
        (width, height): (u32, u32),
    ) -> Result<(Vec<u8>, Option<Fault>), Incomplete> {
        let channels = self.layout.channels();
        let stride = width as usize * channels;
        let length = stride as u64 * u64::from(height);
        let interlaced = self.rows.info().interlaced;
        let mut pixels = if interlaced { blank(length, self.budget)? } else { room(length)? };
        let fault = loop {
            self.budget.check()?;
            match self.rows.next_interlaced_row() {
                Ok(Some(row)) => put(&mut pixels, stride, &row, channels),
                Ok(None) => break None,
                Err(error) => break Some(broken(&error, self.budget)),
            }
        };
        while (pixels.len() as u64) < length {
            self.budget.check()?;
            pixels.resize(pixels.len() + stride, 0);
        }
        Ok((pixels, fault))
    }

    fn decoded(&self, frame: Frame<'static>, memory: Reserved<'a>) -> Decoded<'a> {
        let frame = frame.with_orientation(self.orientation);
        Decoded::new(frame, memory).with(self.profiles.clone())
    }

    /// The means of the rows as they come.
    fn reduced(&mut self) -> Result<Decoded<'a>, Fault> {
        let (width, height) = self.size;
        let memory = Reducer::bytes(width, height, self.layout, self.scale);
        let memory = self.budget.reserve(memory + 4 * u64::from(width))?;
        let mut reducer = Reducer::new(self.size, self.layout, self.scale, self.budget)?;
        loop {
            self.budget.check()?;
            match self.rows.next_row() {
                Ok(Some(row)) => reducer.push(row.data()),
                Ok(None) => break,
                Err(error) => {
                    self.fault = Some(broken(&error, self.budget));
                    break;
                }
            }
        }
        let frame = reducer.finish()?;
        Ok(self.decoded(frame, memory))
    }
}

/// A row behind those before it, or where its pass puts it.
fn put(pixels: &mut Vec<u8>, stride: usize, row: &InterlacedRow<'_>, channels: usize) {
    match row.interlace() {
        InterlaceInfo::Null(_) => pixels.extend_from_slice(row.data()),
        InterlaceInfo::Adam7(pass) => {
            expand_interlaced_row(pixels, stride, row.data(), pass, 8 * channels as u8);
        }
    }
}

/// What screens make of the values. A code point outweighs a profile, and that a gamma,
/// which `sRGB` makes void (PNG, third edition, 4.3); but viewers pass over one that they
/// do not know or cannot read.
fn profiles(info: &Info<'_>, layout: Layout, budget: &Budget) -> Profiles {
    let mut profiles = Profiles::default();
    // Of Rec. ITU-T H.273, those whose light is the values to a power.
    match info.coding_independent_code_points.map(|code| code.transfer_function) {
        Some(4) => profiles.add_gamma(1.0 / 2.2, layout),
        Some(5) => profiles.add_gamma(1.0 / 2.8, layout),
        Some(8) => profiles.add_gamma(1.0, layout),
        _ => {}
    }
    if let Some(icc) = &info.icc_profile {
        profiles.add_icc(icc, layout, budget);
    }
    if let Some(gamma) = info.gama_chunk.filter(|_| info.srgb.is_none()) {
        profiles.add_gamma(f64::from(gamma.into_scaled()) / 100_000.0, layout);
    }
    profiles
}

/// Chunks that there are up to the end, whatever their number should be and whether
/// their checksums are right.
#[derive(Default)]
struct Chunks<'a> {
    is_animated: bool,
    controls: u64,
    profiles: u64,
    /// The first, which may stand behind the pixels.
    exif: Option<&'a [u8]>,
}

impl<'a> Chunks<'a> {
    fn find(bytes: &'a [u8]) -> Self {
        let mut found = Self::default();
        let mut is_before = true;
        let mut rest = bytes.get(8..).unwrap_or(&[]);
        // Length, name, contents, checksum.
        while let Some(([a, b, c, d, name @ ..], behind)) = rest.split_first_chunk::<8>() {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            match name {
                b"IEND" => break,
                b"acTL" => found.is_animated = true,
                b"fcTL" => found.controls += 1,
                b"IDAT" => is_before = false,
                b"iCCP" if is_before => found.profiles += 1,
                b"eXIf" => found.exif = found.exif.or(behind.get(..length)),
                _ => {}
            }
            rest = behind.get(length.saturating_add(4)..).unwrap_or(&[]);
        }
        found
    }
}

fn layout(color: ColorType) -> Result<Layout, Incomplete> {
    match color {
        ColorType::Grayscale => Ok(Layout::Luma8),
        ColorType::GrayscaleAlpha => Ok(Layout::LumaAlpha8),
        ColorType::Rgb => Ok(Layout::Rgb8),
        ColorType::Rgba => Ok(Layout::Rgba8),
        // Expanded by the transformations.
        ColorType::Indexed => Err(Incomplete::Malformed),
    }
}

fn broken(error: &DecodingError, budget: &Budget) -> Fault {
    fault(budget, matches!(error, DecodingError::IoError(error) if is_short(error)))
}

/// Enough for a large EXIF block and a palette.
const CHUNK_MEMORY: usize = 4 << 20;
