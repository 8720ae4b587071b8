//! GIF, by the `gif` crate; the canvas is ours.

use gif::{ColorOutput, DecodeOptions, Decoder, DecodingError, DisposalMethod, MemoryLimit};

use super::canvas::{Blend, Canvas, Dispose, Patch};
use super::reader::{Reader, fault, is_short};
use super::{Decoded, Fault, Fidelity, Format, Frames, blank, reduce};
use crate::limits::{Budget, Incomplete};

pub(super) fn open<'a>(
    bytes: &'a [u8],
    fidelity: Fidelity,
    budget: &'a Budget,
) -> Result<Frames<'a>, Fault> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    // Frames are decoded into buffers that the budget has been charged for.
    options.set_memory_limit(MemoryLimit::Unlimited);
    let decoder =
        options.read_info(Reader::new(bytes, budget)).map_err(|error| broken(&error, budget))?;
    let size = (u32::from(decoder.width()), u32::from(decoder.height()));
    if size.0 == 0 || size.1 == 0 {
        return Err(Incomplete::Malformed.into());
    }
    let mut animation =
        Animation { decoder, fidelity, budget, size, canvas: None, fault: None, empty: true };
    Ok(Frames::new(Format::Gif, size, budget, std::iter::from_fn(move || animation.next())))
}

struct Animation<'a> {
    decoder: Decoder<Reader<'a>>,
    fidelity: Fidelity,
    budget: &'a Budget,
    size: (u32, u32),
    canvas: Option<Canvas<'a>>,
    /// Found while the last frame was read; reported behind it.
    fault: Option<Fault>,
    empty: bool,
}

impl<'a> Animation<'a> {
    fn next(&mut self) -> Option<Result<Decoded<'a>, Fault>> {
        if let Some(fault) = self.fault.take() {
            return Some(Err(fault));
        }
        let patch = match self.decoder.next_frame_info() {
            Ok(Some(frame)) => Patch {
                left: frame.left.into(),
                top: frame.top.into(),
                width: frame.width.into(),
                height: frame.height.into(),
                blend: Blend::Over,
                dispose: match frame.dispose {
                    DisposalMethod::Any | DisposalMethod::Keep => Dispose::Keep,
                    DisposalMethod::Background => Dispose::Clear,
                    DisposalMethod::Previous => Dispose::Restore,
                },
            },
            Ok(None) if self.empty => return Some(Err(Incomplete::Malformed.into())),
            Ok(None) => return None,
            Err(error) => return Some(Err(broken(&error, self.budget))),
        };
        self.empty = false;
        Some(self.draw(patch))
    }

    fn draw(&mut self, patch: Patch) -> Result<Decoded<'a>, Fault> {
        if self.canvas.is_none() {
            // Browsers widen the screen to the first frame.
            self.size.0 = self.size.0.max(patch.left + patch.width);
            self.size.1 = self.size.1.max(patch.top + patch.height);
        }
        let (width, height) = self.size;
        self.budget.charge_frame(width.max(patch.width), height.max(patch.height))?;
        if self.canvas.is_none() {
            let scale = match self.fidelity {
                Fidelity::Fast => reduce::scale(width, height),
                Fidelity::Full => 1,
            };
            self.canvas = Some(Canvas::new(width, height, scale, self.budget)?);
        }
        let canvas = self.canvas.as_mut().ok_or(Incomplete::Internal)?;
        canvas.begin(patch)?;
        // Row by row, so that a file that breaks off leaves what it had, and few bytes
        // that fill a large frame can be stopped.
        self.fault = rows(&mut self.decoder, patch, canvas, self.budget)?;
        // Some viewers cut such a frame off, and some widen the screen.
        let is_beside = patch.left + patch.width > width || patch.top + patch.height > height;
        let (frame, memory) = canvas.show()?;
        let late = is_beside.then(|| Incomplete::Malformed.into());
        Ok(Decoded { late, ..Decoded::new(frame, memory) })
    }
}

/// Draws the frame's rows as they come, and says what is wrong with the last.
fn rows(
    decoder: &mut Decoder<Reader<'_>>,
    patch: Patch,
    canvas: &mut Canvas<'_>,
    budget: &Budget,
) -> Result<Option<Fault>, Incomplete> {
    if patch.width == 0 || patch.height == 0 {
        return Ok(Some(Incomplete::Malformed.into()));
    }
    let colours = colours(decoder);
    let interlaced = decoder.current_frame_info().is_some_and(|frame| frame.interlaced);
    let _held = budget.reserve(5 * u64::from(patch.width))?;
    let mut row = blank(patch.width.into(), budget)?;
    let mut rgba = Vec::with_capacity(row.len());
    for y in order(patch.height, interlaced) {
        match decoder.fill_buffer(&mut row) {
            Ok(true) => {}
            Ok(false) => return Ok(Some(Incomplete::Malformed.into())),
            Err(error) => return Ok(Some(broken(&error, budget))),
        }
        rgba.clear();
        rgba.extend(row.iter().map(|&index| colours[usize::from(index)]));
        canvas.draw(y, rgba.as_flattened())?;
    }
    Ok(None)
}

/// What each index shows: nothing, where it is the transparent one or has no colour.
fn colours(decoder: &Decoder<Reader<'_>>) -> [[u8; 4]; 256] {
    let transparent = decoder.current_frame_info().and_then(|frame| frame.transparent);
    let mut colours = [[0; 4]; 256];
    let palette = decoder.palette().unwrap_or_default();
    for (colour, rgb) in colours.iter_mut().zip(palette.chunks_exact(3)) {
        *colour = [rgb[0], rgb[1], rgb[2], 255];
    }
    if let Some(index) = transparent {
        colours[usize::from(index)][3] = 0;
    }
    colours
}

/// The numbers of the rows as they come (GIF 89a, appendix E).
fn order(height: u32, interlaced: bool) -> impl Iterator<Item = u32> {
    let passes: &[(u32, usize)] =
        if interlaced { &[(0, 8), (4, 8), (2, 4), (1, 2)] } else { &[(0, 1)] };
    passes.iter().flat_map(move |&(first, step)| (first..height).step_by(step))
}

fn broken(error: &DecodingError, budget: &Budget) -> Fault {
    let short = match error {
        DecodingError::Io(error) => is_short(error),
        DecodingError::UnexpectedEof => true,
        _ => false,
    };
    fault(budget, short)
}
