//! Samples of one component, and its lines brought to the picture's width.
//!
//! libjpeg halves chroma as if its samples lay between the luma samples, and
//! brings it back by a triangle filter: 3/4 of the nearer sample and 1/4 of the
//! farther one, rounded down and up in turns. Other ratios repeat samples.

use super::super::pixels;
use super::header::{Component, Header};
use crate::limits::Incomplete;

/// The last two strips of a component's samples.
pub(super) struct Plane {
    samples: Vec<u8>,
    stride: usize,
    /// Lines that fit: two strips.
    held: usize,
    width: usize,
    height: usize,
    /// How often a sample is repeated, or how many come of it.
    h: usize,
    v: usize,
    smooth: bool,
}

impl Plane {
    /// The budget has been charged for it. libjpeg has no upsampling for factors
    /// that do not divide the largest one.
    pub(super) fn new(header: &Header, part: &Component) -> Result<Self, Incomplete> {
        if !header.max_h.is_multiple_of(part.h) || !header.max_v.is_multiple_of(part.v) {
            return Err(Incomplete::Malformed);
        }
        let (h, v) = (header.max_h / part.h, header.max_v / part.v);
        let held = 2 * header.block * part.v;
        Ok(Self {
            samples: pixels((part.stride * held) as u64)?,
            stride: part.stride,
            held,
            width: part.width,
            height: part.height,
            h,
            v,
            // A line of two samples is repeated; only columns need no width.
            smooth: match (h, v) {
                // The means of so many pixels are not what libjpeg smooths.
                _ if header.block < 8 => false,
                (1, 2) => true,
                (2, 1 | 2) => part.width > 2,
                _ => false,
            },
        })
    }

    /// Samples of a line at full width.
    pub(super) fn line_length(&self) -> usize {
        self.width * self.h
    }

    /// Whether a line of the picture may need samples that lie below its own.
    pub(super) fn looks_below(&self) -> bool {
        self.smooth && self.v == 2
    }

    /// A block's lines of samples from line `top`.
    pub(super) fn strip_mut(&mut self, top: usize, block: usize) -> &mut [u8] {
        &mut self.samples[top % self.held * self.stride..][..block * self.stride]
    }

    /// Line `y` of the picture, at least as wide as the picture; `line` is room
    /// for it.
    pub(super) fn line<'a>(&'a self, y: usize, line: &'a mut [u8]) -> &'a [u8] {
        let near = self.samples(y / self.v);
        match (self.h, self.v, self.smooth) {
            (1, 1, _) => return near,
            (2, 1, true) => smooth_across(near, line),
            (1, 2, true) => {
                let bias = 1 + (y & 1) as u16;
                for ((out, &near), &far) in line.iter_mut().zip(near).zip(self.farther(y)) {
                    *out = ((u16::from(near) * 3 + u16::from(far) + bias) >> 2) as u8;
                }
            }
            (2, 2, true) => smooth_both(near, self.farther(y), line),
            (1, ..) => return near,
            (h, ..) => {
                for (out, &sample) in line.chunks_exact_mut(h).zip(near) {
                    out.fill(sample);
                }
            }
        }
        line
    }

    fn samples(&self, line: usize) -> &[u8] {
        &self.samples[line % self.held * self.stride..][..self.width]
    }

    /// The next-nearest line of samples, where there are half as many as lines
    /// of the picture: above for an even one, else below. Edges repeat.
    fn farther(&self, y: usize) -> &[u8] {
        let line = if y & 1 == 0 { (y / 2).saturating_sub(1) } else { y / 2 + 1 };
        self.samples(line.min(self.height - 1))
    }
}

fn smooth_across(near: &[u8], line: &mut [u8]) {
    let mix =
        |near: u8, far: u8, bias: u16| ((u16::from(near) * 3 + u16::from(far) + bias) >> 2) as u8;
    let last = near.len() - 1;
    line[0] = near[0];
    line[1] = mix(near[0], near[1], 2);
    for (out, near) in line[2..].chunks_exact_mut(2).zip(near.windows(3)) {
        out[0] = mix(near[1], near[0], 1);
        out[1] = mix(near[1], near[2], 2);
    }
    line[2 * last] = mix(near[last], near[last - 1], 1);
    line[2 * last + 1] = near[last];
}

fn smooth_both(near: &[u8], far: &[u8], line: &mut [u8]) {
    let sum = |at: usize| u16::from(near[at]) * 3 + u16::from(far[at]);
    let mix = |near: u16, far: u16, bias: u16| ((near * 3 + far + bias) >> 4) as u8;
    let last = near.len() - 1;
    line[0] = mix(sum(0), sum(0), 8);
    line[1] = mix(sum(0), sum(1), 7);
    for ((out, near), far) in line[2..].chunks_exact_mut(2).zip(near.windows(3)).zip(far.windows(3))
    {
        let sum = |at: usize| u16::from(near[at]) * 3 + u16::from(far[at]);
        out[0] = mix(sum(1), sum(0), 8);
        out[1] = mix(sum(1), sum(2), 7);
    }
    line[2 * last] = mix(sum(last), sum(last - 1), 8);
    line[2 * last + 1] = mix(sum(last), sum(last), 7);
}
