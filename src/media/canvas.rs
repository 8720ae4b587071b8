//! The canvas that the frames of an animation are drawn on.
//!
//! A recipient sees the canvas, not the patches in the file, so the canvas is
//! what is hashed. GIF (89a, section 23) and APNG (PNG third edition, section
//! 11.3.6.2) share the rules.

use std::sync::Arc;

use super::reduce::Means;
use super::{blank, room};
use crate::frame::{Frame, Layout, is_opaque};
use crate::limits::{Budget, Incomplete, Reserved};

/// What is done with a patch's area before the next patch is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dispose {
    Keep,
    Clear,
    Restore,
}

/// How a patch's pixels meet the canvas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blend {
    Replace,
    Over,
}

/// Where a patch lies and how it behaves; parts outside the canvas are cut off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patch {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) blend: Blend,
    pub(super) dispose: Dispose,
}

/// RGBA, transparent at first.
pub(super) struct Canvas<'a> {
    width: u32,
    height: u32,
    /// The frame that was shown last has a part in them until it is gone.
    pixels: Arc<Vec<u8>>,
    /// The patch at hand, and what it covered if that is to come back.
    patch: Option<(Patch, Covered<'a>)>,
    /// What is shown is the means of the canvas where that says enough.
    means: Option<Means>,
    budget: &'a Budget,
    /// The memory of the pixels and the means.
    _held: Reserved<'a>,
}

/// Pixels and their memory; none of a canvas that shows nothing yet.
type Covered<'a> = Option<(Vec<u8>, Reserved<'a>)>;

impl<'a> Canvas<'a> {
    /// At `scale` above 1 it shows the means of that many rows and columns.
    pub(super) fn new(
        width: u32,
        height: u32,
        scale: u32,
        budget: &'a Budget,
    ) -> Result<Self, Incomplete> {
        let shown = if scale > 1 { Means::bytes(width, height, scale) } else { 0 };
        let held = budget.reserve(Self::bytes(width, height) + shown)?;
        let pixels = Arc::new(blank(Self::bytes(width, height), budget)?);
        let means =
            if scale > 1 { Some(Means::new((width, height), scale, budget)?) } else { None };
        Ok(Self { width, height, pixels, patch: None, means, budget, _held: held })
    }

    /// Bytes of one canvas.
    pub(super) fn bytes(width: u32, height: u32) -> u64 {
        u64::from(width) * u64::from(height) * 4
    }

    /// Disposes of the last patch and makes way for this one.
    pub(super) fn begin(&mut self, patch: Patch) -> Result<(), Incomplete> {
        let is_blank = self.patch.is_none();
        if let Some((last, covered)) = self.patch.take() {
            let mut covered = covered.as_ref().map_or(&[][..], |(pixels, _)| pixels);
            for y in 0..last.height {
                if last.dispose == Dispose::Keep {
                    break;
                }
                let Some(row) = self.row_of(last, y)? else { break };
                match covered.split_at_checked(row.len()) {
                    Some((saved, rest)) if last.dispose == Dispose::Restore => {
                        row.copy_from_slice(saved);
                        covered = rest;
                    }
                    _ => row.fill(0),
                }
            }
        }
        let covered = if patch.dispose == Dispose::Restore && !is_blank {
            let (width, height) = (patch.width.min(self.width), patch.height.min(self.height));
            let held = self.budget.reserve(Self::bytes(width, height))?;
            let mut covered = room(Self::bytes(width, height))?;
            for y in 0..patch.height {
                let Some(row) = self.row_of(patch, y)? else { break };
                covered.extend_from_slice(row);
            }
            Some((covered, held))
        } else {
            None
        };
        self.patch = Some((patch, covered));
        Ok(())
    }

    /// Draws row `y` of the patch, in RGBA.
    pub(super) fn draw(&mut self, y: u32, rgba: &[u8]) -> Result<(), Incomplete> {
        let Some(&(patch, _)) = self.patch.as_ref() else { return Ok(()) };
        let Some(row) = self.row_of(patch, y)? else { return Ok(()) };
        let length = row.len().min(rgba.len());
        let (row, rgba) = (&mut row[..length], &rgba[..length]);
        if patch.blend == Blend::Replace || is_opaque(rgba) {
            row.copy_from_slice(rgba);
        } else {
            for (under, over) in row.chunks_exact_mut(4).zip(rgba.chunks_exact(4)) {
                blend_over(under, over);
            }
        }
        Ok(())
    }

    /// What is now to be seen.
    pub(super) fn show(&mut self) -> Result<(Frame<'static>, Reserved<'a>), Incomplete> {
        if let Some(means) = &mut self.means {
            means.update(&self.pixels, self.budget)?;
            let memory =
                self.budget.reserve(Means::bytes(self.width, self.height, means.scale()))?;
            return Ok((means.frame()?, memory));
        }
        let frame = Frame::of_canvas(self.width, self.height, &self.pixels);
        Ok((frame.map_err(|_| Incomplete::Malformed)?, self.budget.reserve(0)?))
    }

    /// Reserves a patch that is held as a whole beside the canvas: as much as a
    /// picture of 16 million pixels, so that the first frame does not cost twice
    /// what its pixels are worth.
    pub(super) fn beside(&self, bytes: u64) -> Result<Reserved<'a>, Incomplete> {
        if bytes > MOST_BESIDE {
            return Err(Incomplete::TooMuchMemory);
        }
        self.budget.reserve(bytes)
    }

    /// The part of row `y` of the patch that lies on the canvas, which may be
    /// changed; none below the canvas.
    fn row_of(&mut self, patch: Patch, y: u32) -> Result<Option<&mut [u8]>, Incomplete> {
        self.budget.check()?;
        let y = patch.top.saturating_add(y);
        if y >= self.height {
            return Ok(None);
        }
        if let Some(means) = &mut self.means {
            means.touch(y);
        }
        let left = patch.left.min(self.width) as usize * 4;
        let right = patch.left.saturating_add(patch.width).min(self.width) as usize * 4;
        let row = y as usize * self.width as usize * 4;
        // A copy only for those who keep frames.
        Ok(Some(&mut Arc::make_mut(&mut self.pixels)[row + left..row + right]))
    }
}

const MOST_BESIDE: u64 = 64 << 20;

/// One row of decoded pixels as a row for [`Canvas::draw`].
pub(super) fn rgba(layout: Layout, row: &[u8], rgba: &mut Vec<[u8; 4]>) {
    rgba.clear();
    match layout {
        Layout::Luma8 => rgba.extend(row.iter().map(|&p| [p, p, p, 255])),
        Layout::LumaAlpha8 => rgba.extend(row.as_chunks().0.iter().map(|&[p, a]| [p, p, p, a])),
        Layout::Rgb8 => rgba.extend(row.as_chunks().0.iter().map(|&[r, g, b]| [r, g, b, 255])),
        Layout::Rgba8 => rgba.extend_from_slice(row.as_chunks().0),
    }
}

/// Straight alpha, source over destination (PNG third edition, section 13.16).
fn blend_over(under: &mut [u8], over: &[u8]) {
    let (over_alpha, under_alpha) = (u32::from(over[3]), u32::from(under[3]));
    if over_alpha == 255 || under_alpha == 0 {
        under.copy_from_slice(over);
    } else if over_alpha > 0 {
        // In units of 1/255^2.
        let through = under_alpha * (255 - over_alpha);
        let alpha = over_alpha * 255 + through;
        for (under, &over) in under.iter_mut().zip(over).take(3) {
            let sum = u32::from(over) * over_alpha * 255 + u32::from(*under) * through;
            *under = ((sum + alpha / 2) / alpha) as u8;
        }
        under[3] = ((alpha + 127) / 255) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Background;
    use crate::limits::Limits;

    const RED: [u8; 4] = [255, 0, 0, 255];
    const CLEAR: [u8; 4] = [0; 4];

    fn patch(left: u32, dispose: Dispose) -> Patch {
        Patch { left, top: 0, width: 1, height: 1, blend: Blend::Over, dispose }
    }

    fn seen(frame: &Frame<'_>) -> Vec<bool> {
        let mut seen = Vec::new();
        let sink = |row: &[f32]| -> Result<(), ()> {
            seen.extend(row.iter().map(|&luma| luma > 1.0));
            Ok(())
        };
        frame.luma_rows(Background::Black, sink).unwrap();
        seen
    }

    /// Draws a row and says what is then seen.
    fn drawn(canvas: &mut Canvas<'_>, patch: Patch, rgba: &[u8]) -> Vec<bool> {
        canvas.begin(patch).unwrap();
        canvas.draw(0, rgba).unwrap();
        seen(&canvas.show().unwrap().0)
    }

    #[test]
    fn a_patch_stays_goes_or_gives_back_what_it_covered() {
        let budget = Budget::start(&Limits::default());
        for (dispose, expected) in [
            (Dispose::Keep, [true, true]),
            (Dispose::Clear, [false, true]),
            (Dispose::Restore, [true, true]),
        ] {
            let mut canvas = Canvas::new(2, 1, 1, &budget).unwrap();
            drawn(&mut canvas, patch(0, Dispose::Keep), &RED);
            drawn(&mut canvas, patch(0, dispose), &RED);
            assert_eq!(drawn(&mut canvas, patch(1, Dispose::Keep), &RED), expected);
        }
    }

    #[test]
    fn clear_pixels_cover_only_when_they_replace() {
        let budget = Budget::start(&Limits::default());
        for (blend, expected) in [(Blend::Over, true), (Blend::Replace, false)] {
            let mut canvas = Canvas::new(1, 1, 1, &budget).unwrap();
            drawn(&mut canvas, patch(0, Dispose::Keep), &RED);
            let cover = Patch { blend, ..patch(0, Dispose::Keep) };
            assert_eq!(drawn(&mut canvas, cover, &CLEAR), [expected]);
        }
    }

    #[test]
    fn a_patch_beyond_the_canvas_is_cut_off() {
        let budget = Budget::start(&Limits::default());
        let mut canvas = Canvas::new(2, 1, 1, &budget).unwrap();
        let wide = Patch { width: u32::MAX, height: u32::MAX, ..patch(1, Dispose::Restore) };
        assert_eq!(drawn(&mut canvas, wide, &RED), [false, true]);
        let outside = patch(u32::MAX, Dispose::Clear);
        assert_eq!(drawn(&mut canvas, outside, &RED), [false, false]);
    }
}
