//! PNG and APNG, by the `png` crate; the canvas is ours.

use png::{
    BlendOp, ColorType, Decoder, DecodingError, DisposeOp, Info, Reader as Rows, Transformations,
};

use super::canvas::{Blend, Canvas, Dispose, Patch, rgba};
use super::profile::Profile;
use super::reader::{Reader, fault, is_short};
use super::reduce::{self, Reducer};
use super::{Decoded, Fault, Fidelity, Format, Frames, orient, pixels};
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
    let orientation = info.exif_metadata.as_deref().map(orient::from_exif).unwrap_or_default();
    // The default image may stand outside the animation; it is shown by every
    // viewer that does not animate, so it counts as a frame too.
    let animated = info.animation_control();
    let frames = animated.map_or(1, |control| {
        u64::from(control.num_frames) + u64::from(info.frame_control().is_none())
    });
    let uncounted = animated.is_some() && control_chunks(bytes) > frames;
    let layout = layout(rows.output_color_type().0)?;
    // Frames of an animation are drawn on a canvas.
    let profile = profile(info, if animated.is_some() { Layout::Rgba8 } else { layout });
    let is_opaque = matches!(layout, Layout::Luma8 | Layout::Rgb8);
    let comes_in_rows = is_opaque && animated.is_none() && !info.interlaced;
    let is_fast = fidelity == Fidelity::Fast && comes_in_rows && profile.is_none();
    let mut picture = Picture {
        uncounted,
        layout,
        scale: if is_fast { reduce::scale(size.0, size.1) } else { 1 },
        rows,
        budget,
        size,
        orientation,
        frames,
        profile,
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
    /// Frames still to come.
    frames: u64,
    /// There are frames behind those that the header counts.
    uncounted: bool,
    profile: Option<Profile>,
    canvas: Option<(Canvas, Reserved<'a>)>,
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
            self.fault = self.uncounted.then(|| Incomplete::Malformed.into());
        }
        Some(self.frame())
    }

    fn frame(&mut self) -> Result<Decoded<'a>, Fault> {
        let (width, height) = self.size;
        self.budget.charge_frame(width, height)?;
        if self.scale > 1 {
            return self.reduced();
        }
        let length = u64::from(width) * u64::from(height) * self.layout.channels() as u64;
        let memory = self.budget.reserve(length)?;
        let mut buffer = pixels(length)?;
        let read = self.rows.next_frame(&mut buffer);
        if let Err(error) = &read {
            self.fault = Some(broken(error, self.budget));
        }
        let control = self.rows.info().frame_control().copied();
        let Some(control) = control else {
            let frame = Frame::new(width, height, self.layout, buffer);
            let frame = frame.map_err(|_| Incomplete::Malformed)?;
            return Ok(self.decoded(frame, memory));
        };
        // A later frame without a pixel of its own shows nothing new.
        if let (Err(_), Some(_)) = (&read, &self.canvas) {
            self.frames = 0;
        }
        if self.canvas.is_none() {
            // The canvas, what a patch covered, and the patch in RGBA.
            let held = self.budget.reserve(Canvas::bytes(width, height) * 3)?;
            self.canvas = Some((Canvas::new(width, height)?, held));
        }
        let (canvas, _) = self.canvas.as_mut().ok_or(Incomplete::Internal)?;
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
        let drawn = u64::from(control.width) * u64::from(control.height);
        let drawn = drawn as usize * self.layout.channels();
        let memory = self.budget.reserve(Canvas::bytes(width, height))?;
        buffer.truncate(drawn);
        let frame = canvas.draw(patch, &rgba(self.layout, buffer))?;
        Ok(self.decoded(frame, memory))
    }

    fn decoded(&self, frame: Frame<'static>, memory: Reserved<'a>) -> Decoded<'a> {
        let frame = frame.with_orientation(self.orientation);
        Decoded { frame, memory, profile: self.profile.clone() }
    }

    /// The means of the rows as they come.
    fn reduced(&mut self) -> Result<Decoded<'a>, Fault> {
        let (width, height) = self.size;
        let memory = Reducer::bytes(width, height, self.layout, self.scale);
        let memory = self.budget.reserve(memory + 4 * u64::from(width))?;
        let mut reducer = Reducer::new(self.size, self.layout, self.scale)?;
        loop {
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

/// A profile outweighs a gamma; `sRGB` says that there is nothing out of the ordinary.
fn profile(info: &Info<'_>, layout: Layout) -> Option<Profile> {
    if let Some(icc) = &info.icc_profile {
        return Profile::of_icc(icc, layout);
    }
    let gamma = info.gama_chunk.filter(|_| info.srgb.is_none())?;
    Profile::of_gamma(f64::from(gamma.into_scaled()) / 100_000.0, layout)
}

/// Frame control chunks of an APNG, whatever their number should be.
fn control_chunks(bytes: &[u8]) -> u64 {
    let mut count = 0;
    let mut rest = bytes.get(8..).unwrap_or(&[]);
    // Length, name, contents, checksum.
    while let Some(([a, b, c, d, name @ ..], behind)) = rest.split_first_chunk::<8>() {
        count += u64::from(name == b"fcTL");
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        rest = behind.get(length.saturating_add(4)..).unwrap_or(&[]);
    }
    count
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
