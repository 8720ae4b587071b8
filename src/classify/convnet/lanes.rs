//! The two loops in which a network spends its time, for whatever vectors the
//! processor has: the product of pixels and weights, and the convolution of each
//! channel by itself.
//!
//! Pixels lie channels last, so a vector holds neighbouring channels of one
//! pixel: both loops read and write whole vectors, at any stride of a window.

use std::ops::Range;

use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};

use super::{Limits, Shape, Window};

/// A matrix of weights, inputs by outputs, cut into panels as wide as two
/// vectors. A panel's rows follow each other; what the last one lacks is zero.
pub(super) struct Weights {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    width: usize,
    panels: Vec<f32>,
    /// One for each output, filled up like the panels.
    bias: Vec<f32>,
}

impl Weights {
    /// `at` gives the weight of an input for an output.
    pub(super) fn new(
        inputs: usize,
        outputs: usize,
        bias: &[f32],
        at: impl Fn(usize, usize) -> f32,
    ) -> Self {
        let width = 2 * Lanes.dispatch();
        let padded = outputs.next_multiple_of(width);
        let mut panels = Vec::with_capacity(padded * inputs);
        for first in (0..outputs).step_by(width) {
            for input in 0..inputs {
                let weight = |output| if output < outputs { at(input, output) } else { 0.0 };
                panels.extend((first..first + width).map(weight));
            }
        }
        let mut bias = bias.to_vec();
        bias.resize(padded, 0.0);
        Self { inputs, outputs, width, panels, bias }
    }

    /// Each pixel times the weights, plus the bias, within the limits.
    pub(super) fn apply(&self, pixels: &[f32], limits: Limits, out: &mut [f32]) {
        Product { weights: self, pixels, limits, out }.dispatch();
    }
}

/// The lanes of a vector.
struct Lanes;

impl SimdOp for Lanes {
    type Output = usize;

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> usize {
        isa.f32().len()
    }
}

struct Product<'a> {
    weights: &'a Weights,
    pixels: &'a [f32],
    limits: Limits,
    out: &'a mut [f32],
}

impl SimdOp for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        // As many sums as the registers hold beside the weights: processors with
        // 16 lanes, and those of Arm, have 32 registers, the others 16.
        if isa.f32().len() == 16 || cfg!(target_arch = "aarch64") {
            self.tiles::<I, 7>(isa);
        } else {
            self.tiles::<I, 6>(isa);
        }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn tiles<I: Isa, const ROWS: usize>(self, isa: I) {
        let Self { weights, pixels, limits, out } = self;
        let Weights { inputs, outputs, width, .. } = *weights;
        let count = out.len() / outputs;
        let block = (BLOCK / inputs / ROWS).max(1) * ROWS;
        for first in (0..count).step_by(block) {
            let last = (first + block).min(count);
            let panels = weights.panels.chunks_exact(inputs * width);
            for (n, (panel, bias)) in panels.zip(weights.bias.chunks_exact(width)).enumerate() {
                let columns = n * width..((n + 1) * width).min(outputs);
                if count < ROWS {
                    for (pixel, out) in
                        pixels.chunks_exact(inputs).zip(out.chunks_exact_mut(outputs))
                    {
                        tile::<I, 1>(isa, pixel, panel, bias, limits, out, columns.clone());
                    }
                    continue;
                }
                for row in (first..last).step_by(ROWS) {
                    // The last tile overlaps the one before.
                    let row = row.min(count - ROWS);
                    let pixels = &pixels[row * inputs..][..ROWS * inputs];
                    let out = &mut out[row * outputs..][..ROWS * outputs];
                    tile::<I, ROWS>(isa, pixels, panel, bias, limits, out, columns.clone());
                }
            }
        }
    }
}

/// Values of the pixels that are multiplied with one panel after the other: they
/// stay in the processor's nearer caches.
const BLOCK: usize = 16 << 10;

/// The pixels of `ROWS` rows times one panel.
#[inline(always)]
fn tile<I: Isa, const ROWS: usize>(
    isa: I,
    pixels: &[f32],
    panel: &[f32],
    bias: &[f32],
    limits: Limits,
    out: &mut [f32],
    columns: Range<usize>,
) {
    let ops = isa.f32();
    let lanes = ops.len();
    let inputs = pixels.len() / ROWS;
    let outputs = out.len() / ROWS;
    let mut rows = [pixels; ROWS];
    for (n, row) in rows.iter_mut().enumerate() {
        *row = &pixels[n * inputs..][..inputs];
    }
    let bias = [ops.load(bias), ops.load(&bias[lanes..])];
    let mut sums = [bias; ROWS];
    for (input, weights) in panel.chunks_exact(2 * lanes).take(inputs).enumerate() {
        let weights = [ops.load(weights), ops.load(&weights[lanes..])];
        for n in 0..ROWS {
            let level = ops.splat(rows[n][input]);
            sums[n][0] = ops.mul_add(level, weights[0], sums[n][0]);
            sums[n][1] = ops.mul_add(level, weights[1], sums[n][1]);
        }
    }
    let (low, high) = (ops.splat(limits.low), ops.splat(limits.high));
    let whole = columns.len() == 2 * lanes;
    for n in 0..ROWS {
        let kept =
            [ops.min(ops.max(sums[n][0], low), high), ops.min(ops.max(sums[n][1], low), high)];
        let out = &mut out[n * outputs..][columns.clone()];
        if whole {
            ops.store(kept[0], out);
            ops.store(kept[1], &mut out[lanes..]);
        } else {
            let mut both = [0.0; 2 * MOST_LANES];
            ops.store(kept[0], &mut both);
            ops.store(kept[1], &mut both[lanes..]);
            out.copy_from_slice(&both[..out.len()]);
        }
    }
}

/// Of the widest vectors known.
const MOST_LANES: usize = 64;

/// Each channel convolved by itself: some rows of a picture make some of another.
pub(super) struct Depthwise<'a> {
    /// The picture from its row `first` on.
    pub(super) image: &'a [f32],
    pub(super) first: usize,
    pub(super) shape: Shape,
    pub(super) window: Window,
    /// A row for each place of the window.
    pub(super) weights: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) limits: Limits,
    /// The rows that are made, and their width.
    pub(super) rows: Range<usize>,
    pub(super) width: usize,
    pub(super) out: &'a mut [f32],
}

impl SimdOp for Depthwise<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        let whole = 0..self.window.width;
        for y in self.rows.clone() {
            let mut x = 0;
            while x < self.width {
                let across = self.window.reach_across(x, self.shape.width).1;
                let last = self.window.reach_across(x + TOGETHER - 1, self.shape.width).1;
                if x + TOGETHER <= self.width && across == whole && last == whole {
                    self.pixels::<I, TOGETHER>(isa, y, x);
                    x += TOGETHER;
                } else {
                    self.pixels::<I, 1>(isa, y, x);
                    x += 1;
                }
            }
        }
    }
}

/// Neighbouring pixels that share each weight they load.
const TOGETHER: usize = 4;

impl Depthwise<'_> {
    /// Pixels under which the window has equally many columns of the picture.
    #[inline(always)]
    fn pixels<I: Isa, const COUNT: usize>(&mut self, isa: I, y: usize, x: usize) {
        let ops = isa.f32();
        let lanes = ops.len();
        let Self { image, first, shape, window, weights, bias, limits, .. } = *self;
        let channels = shape.channels;
        let (top, down) = window.reach_down(y, shape.height);
        let (left, across) = window.reach_across(x, shape.width);
        let next = window.across * channels;
        let out = ((y - self.rows.start) * self.width + x) * channels;
        let out = &mut self.out[out..][..COUNT * channels];
        let (low, high) = (ops.splat(limits.low), ops.splat(limits.high));
        let mut channel = 0;
        while channel + lanes <= channels {
            let mut sums = [ops.load(&bias[channel..]); COUNT];
            for (row, tap) in (top - first..).zip(down.clone()) {
                let row = (row * shape.width + left) * channels + channel;
                let tap = (tap * window.width + across.start) * channels + channel;
                for n in 0..across.len() {
                    let weight = ops.load(&weights[tap + n * channels..]);
                    let levels = &image[row + n * channels..][..(COUNT - 1) * next + lanes];
                    for m in 0..COUNT {
                        sums[m] = ops.mul_add(ops.load(&levels[m * next..]), weight, sums[m]);
                    }
                }
            }
            for m in 0..COUNT {
                let kept = ops.min(ops.max(sums[m], low), high);
                ops.store(kept, &mut out[m * channels + channel..]);
            }
            channel += lanes;
        }
        for channel in channel..channels {
            for m in 0..COUNT {
                let mut sum = bias[channel];
                for (row, tap) in (top - first..).zip(down.clone()) {
                    for (n, tap_x) in across.clone().enumerate() {
                        let column = left + m * window.across + n;
                        let level = image[(row * shape.width + column) * channels + channel];
                        sum += level * weights[(tap * window.width + tap_x) * channels + channel];
                    }
                }
                out[m * channels + channel] = sum.max(limits.low).min(limits.high);
            }
        }
    }
}
