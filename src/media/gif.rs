//! GIF, by the `gif` crate; the canvas is ours.

use gif::{ColorOutput, DecodeOptions, Decoder, DecodingError, DisposalMethod, MemoryLimit};

use super::canvas::{Blend, Canvas, Dispose, Patch};
use super::reader::{Reader, fault, is_short};
use super::{Decoded, Fault, Format, Frames, pixels};
use crate::limits::{Budget, Incomplete, Reserved};

pub(super) fn open<'a>(bytes: &'a [u8], budget: &'a Budget) -> Result<Frames<'a>, Fault> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    // Frames are decoded into buffers that the budget has been charged for.
    options.set_memory_limit(MemoryLimit::Unlimited);
    let decoder =
        options.read_info(Reader::new(bytes, budget)).map_err(|error| broken(&error, budget))?;
    let size = (u32::from(decoder.width()), u32::from(decoder.height()));
    if size.0 == 0 || size.1 == 0 {
        return Err(Incomplete::Malformed.into());
    }
    let mut animation = Animation { decoder, budget, size, canvas: None, fault: None, empty: true };
    Ok(Frames::new(Format::Gif, size, budget, std::iter::from_fn(move || animation.next())))
}

struct Animation<'a> {
    decoder: Decoder<Reader<'a>>,
    budget: &'a Budget,
    size: (u32, u32),
    canvas: Option<(Canvas, Reserved<'a>)>,
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
            // The canvas, and what a patch covered.
            let held = self.budget.reserve(Canvas::bytes(width, height) * 2)?;
            self.canvas = Some((Canvas::new(width, height)?, held));
        }
        let length = self.decoder.buffer_size() as u64;
        let _held = self.budget.reserve(length)?;
        let mut rgba = pixels(length)?;
        self.budget.check()?;
        // Row by row, so that a file that breaks off leaves what it had.
        if let Err(error) = self.decoder.read_into_buffer(&mut rgba) {
            self.fault = Some(broken(&error, self.budget));
        }
        // Few bytes may have filled a large frame.
        self.budget.check()?;
        let (canvas, _) = self.canvas.as_mut().ok_or(Incomplete::Internal)?;
        let memory = self.budget.reserve(Canvas::bytes(width, height))?;
        Ok(Decoded { frame: canvas.draw(patch, &rgba)?, memory, profile: None })
    }
}

fn broken(error: &DecodingError, budget: &Budget) -> Fault {
    let short = match error {
        DecodingError::Io(error) => is_short(error),
        DecodingError::UnexpectedEof => true,
        _ => false,
    };
    fault(budget, short)
}
