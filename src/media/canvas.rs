//! The canvas that the frames of an animation are drawn on.
//!
//! A recipient sees the canvas, not the patches in the file, so the canvas is
//! what is hashed. GIF (89a, section 23) and APNG (PNG third edition, section
//! 11.3.6.2) share the rules.

use super::{Fault, pixels};
use crate::frame::{Frame, Layout};
use crate::limits::Incomplete;

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
pub(super) struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
    /// The last patch, and what it covered if that is to come back.
    last: Option<(Patch, Vec<u8>)>,
}

impl Canvas {
    pub(super) fn new(width: u32, height: u32) -> Result<Self, Incomplete> {
        let pixels = pixels(Self::bytes(width, height))?;
        Ok(Self { width, height, pixels, last: None })
    }

    /// Bytes of one canvas.
    pub(super) fn bytes(width: u32, height: u32) -> u64 {
        u64::from(width) * u64::from(height) * 4
    }

    /// Disposes of the last patch, draws this one from RGBA rows of its own
    /// width, and returns what is now to be seen.
    pub(super) fn draw(&mut self, patch: Patch, rgba: &[u8]) -> Result<Frame<'static>, Fault> {
        if let Some((last, covered)) = self.last.take() {
            match last.dispose {
                Dispose::Keep => {}
                Dispose::Clear => self.rows(last, |_, row| row.fill(0)),
                Dispose::Restore => {
                    let mut covered = covered.as_slice();
                    self.rows(last, |_, row| {
                        let (saved, rest) = covered.split_at(row.len());
                        row.copy_from_slice(saved);
                        covered = rest;
                    });
                }
            }
        }
        let mut covered = Vec::new();
        if patch.dispose == Dispose::Restore {
            self.rows(patch, |_, row| covered.extend_from_slice(row));
        }
        let stride = patch.width as usize * 4;
        self.rows(patch, |y, row| {
            let drawn = rgba.get(y * stride..).unwrap_or(&[]);
            match patch.blend {
                Blend::Replace => {
                    let length = row.len().min(drawn.len());
                    row[..length].copy_from_slice(&drawn[..length]);
                }
                Blend::Over => {
                    for (under, over) in row.chunks_exact_mut(4).zip(drawn.chunks_exact(4)) {
                        blend_over(under, over);
                    }
                }
            }
        });
        self.last = Some((patch, covered));
        let frame = Frame::new(self.width, self.height, Layout::Rgba8, self.pixels.clone());
        frame.map_err(|_| Incomplete::Malformed.into())
    }

    /// Each row of the patch that lies on the canvas, with its number.
    fn rows(&mut self, patch: Patch, mut each: impl FnMut(usize, &mut [u8])) {
        let left = patch.left.min(self.width) as usize * 4;
        let right = patch.left.saturating_add(patch.width).min(self.width) as usize * 4;
        let bottom = patch.top.saturating_add(patch.height).min(self.height) as usize;
        let top = (patch.top as usize).min(bottom);
        let stride = self.width as usize * 4;
        for (y, row) in
            self.pixels[top * stride..bottom * stride].chunks_exact_mut(stride).enumerate()
        {
            each(y, &mut row[left..right]);
        }
    }
}

/// Decoded pixels as a patch for [`Canvas::draw`].
pub(super) fn rgba(layout: Layout, pixels: Vec<u8>) -> Vec<u8> {
    let opaque = |r, g, b| [r, g, b, 255];
    match layout {
        Layout::Luma8 => pixels.iter().flat_map(|&p| opaque(p, p, p)).collect(),
        Layout::LumaAlpha8 => {
            pixels.chunks_exact(2).flat_map(|p| [p[0], p[0], p[0], p[1]]).collect()
        }
        Layout::Rgb8 => pixels.chunks_exact(3).flat_map(|p| opaque(p[0], p[1], p[2])).collect(),
        Layout::Rgba8 => pixels,
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

    #[test]
    fn a_patch_stays_goes_or_gives_back_what_it_covered() {
        for (dispose, expected) in [
            (Dispose::Keep, [true, true]),
            (Dispose::Clear, [false, true]),
            (Dispose::Restore, [true, true]),
        ] {
            let mut canvas = Canvas::new(2, 1).unwrap();
            canvas.draw(patch(0, Dispose::Keep), &RED).unwrap();
            canvas.draw(patch(0, dispose), &RED).unwrap();
            assert_eq!(seen(&canvas.draw(patch(1, Dispose::Keep), &RED).unwrap()), expected);
        }
    }

    #[test]
    fn clear_pixels_cover_only_when_they_replace() {
        for (blend, expected) in [(Blend::Over, true), (Blend::Replace, false)] {
            let mut canvas = Canvas::new(1, 1).unwrap();
            canvas.draw(patch(0, Dispose::Keep), &RED).unwrap();
            let cover = Patch { blend, ..patch(0, Dispose::Keep) };
            assert_eq!(seen(&canvas.draw(cover, &CLEAR).unwrap()), [expected]);
        }
    }

    #[test]
    fn a_patch_beyond_the_canvas_is_cut_off() {
        let mut canvas = Canvas::new(2, 1).unwrap();
        let wide = Patch { width: u32::MAX, height: u32::MAX, ..patch(1, Dispose::Restore) };
        assert_eq!(seen(&canvas.draw(wide, &RED).unwrap()), [false, true]);
        let outside = patch(u32::MAX, Dispose::Clear);
        assert_eq!(seen(&canvas.draw(outside, &RED).unwrap()), [false, false]);
    }
}
